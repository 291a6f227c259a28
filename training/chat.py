"""Chat models as the jobs see them: loading, the LoRA adapter to train, and answering many prompts in batches."""

import copy
import json
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import torch
import trl.trainer.utils
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, PreTrainedTokenizerBase, StoppingCriteria

from job import JobFailure, write_json

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass
class ModelArguments:
    """Precision and adapter: the same for every job that trains."""

    dtype: str = field(default="float32", metadata={"help": "float32 or bfloat16"})
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_first_layer: int = field(default=0, metadata={"help": "layers below this one stay as they are"})
    gradient_checkpointing: bool = False


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Tokenizer with the chat template of the folder, padding on the left so that answers begin in one column."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    if tokenizer.chat_template is None:
        raise JobFailure("no-chat-template", "a tokenizer with a chat template", str(folder))
    return tokenizer


def load_model(folder: Path, dtype: str, model_class=AutoModelForCausalLM, **options):
    """The weights of a model folder, on the GPU where there is one."""
    if dtype not in DTYPES:
        raise JobFailure("unknown-dtype", " or ".join(DTYPES), dtype)
    model = model_class.from_pretrained(folder, dtype=DTYPES[dtype], **options)
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def lora_config(model, arguments: ModelArguments, task_type: str = "CAUSAL_LM", **options) -> LoraConfig:
    """LoRA on every linear layer inside the transformer blocks from `lora_first_layer` up.

    Leaving the lower blocks alone also ends the backward pass there, which is where the time goes on a CPU.
    """
    layers = model.config.num_hidden_layers
    if not 0 <= arguments.lora_first_layer < layers:
        raise JobFailure("bad-first-layer", f"a layer from 0 to {layers - 1}", str(arguments.lora_first_layer))
    head = model.get_output_embeddings()
    linear = {
        name.rsplit(".", 1)[-1]
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head and ".layers." in f".{name}"
    }
    return LoraConfig(
        r=arguments.lora_rank,
        lora_alpha=arguments.lora_alpha,
        lora_dropout=0.0,
        target_modules=sorted(linear),
        layers_to_transform=list(range(arguments.lora_first_layer, layers)),
        task_type=task_type,
        **options,
    )


def precision(arguments: ModelArguments) -> dict[str, bool]:
    """Trainer settings for precision and memory. TRL's own defaults are those of a large GPU."""
    return {
        "bf16": arguments.dtype == "bfloat16",
        "gradient_checkpointing": arguments.gradient_checkpointing,
        "use_cpu": not torch.cuda.is_available(),
    }


def score_completions_only() -> None:
    """Let TRL compute the output layer for the answer's tokens only, on a CPU as well as on a GPU.

    TRL does so where Triton runs; elsewhere it scores every position and masks afterwards, which costs a quarter of a
    step here. The choice hangs on this name in its trainer module alone (the kernels look it up in their own).
    """
    trl.trainer.utils._use_triton = lambda device: True


def save_adapter(model, folder: Path) -> None:
    """Write the adapter alone, so that the same run gives the same bytes elsewhere: PEFT notes the folder of the base,
    which is a place on this machine, and lists the layers in the random order of a set."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = None
    config["target_modules"] = sorted(config["target_modules"])
    write_json(path, config)


def save_merged(model, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write base and adapter as one plain model with tokenizer and chat template, ready to be served."""
    merged = model.merge_and_unload()
    merged.config._name_or_path = ""
    merged.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


class StopAfterFirstLine(StoppingCriteria):
    """Ends an answer at the first line break after some text, for tasks where only the first line counts."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, prompt_tokens: int) -> None:
        pieces = tokenizer.batch_decode([[index] for index in range(len(tokenizer))])
        self.breaks = torch.tensor(["\n" in piece for piece in pieces])
        self.writes = torch.tensor([bool(piece.strip()) for piece in pieces])
        self.prompt_tokens = prompt_tokens

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs) -> torch.Tensor:
        answer = input_ids[:, self.prompt_tokens :]
        breaks, writes = self.breaks.to(answer.device), self.writes.to(answer.device)
        return breaks[answer[:, -1]] & writes[answer].any(dim=1)


def shared_beginning(prompts: list[list[int]]) -> int:
    """How many tokens all prompts begin with; at least one of each is left to be answered."""
    shortest = min(len(prompt) for prompt in prompts)
    same = (len({prompt[index] for prompt in prompts}) == 1 for index in range(shortest - 1))
    return sum(takewhile(bool, same))


def read_beginning(model, beginning: list[int]) -> DynamicCache | None:
    """The keys and values of the beginning, for a batch of one."""
    if not beginning:
        return None
    cache = DynamicCache(config=model.config)
    with torch.inference_mode():
        model(input_ids=torch.tensor([beginning], device=model.device), past_key_values=cache, use_cache=True)
    return cache


def answer_prompts(
    model,
    tokenizer: PreTrainedTokenizerBase,
    conversations: list[list[dict]],
    *,
    max_new_tokens: int,
    batch_size: int,
    temperature: float = 0.0,
    samples: int = 1,
    seed: int = 0,
    first_line_only: bool = False,
) -> list[list[str]]:
    """`samples` answers for each conversation, in the order given. Temperature 0 is greedy.

    Prompts of like length share a batch, which saves padding, and what all prompts begin with (a system prompt, worked
    examples) is read once. The answers depend on the seed and on this whole list, since a batch draws its chances
    together.
    """
    prompts = [
        tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"] for messages in conversations
    ]
    order = sorted(range(len(prompts)), key=lambda index: (len(prompts[index]), index))
    answers: list[list[str]] = [[] for _ in prompts]
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature > 0 else {"do_sample": False}
    torch.manual_seed(seed)
    model.eval()
    beginning = prompts[0][: shared_beginning(prompts)] if prompts else []
    read = read_beginning(model, beginning)
    for start in range(0, len(order), batch_size):
        batch = [index for index in order[start : start + batch_size] for _ in range(samples)]
        rests = [prompts[index][len(beginning) :] for index in batch]
        inputs = tokenizer.pad({"input_ids": rests}, return_tensors="pt").to(model.device)
        if beginning:
            # The padding stands between the beginning and the rest; the mask hides it and gives positions without it.
            first = torch.tensor([beginning], device=model.device).expand(len(batch), -1)
            inputs["input_ids"] = torch.cat([first, inputs["input_ids"]], dim=1)
            inputs["attention_mask"] = torch.cat([torch.ones_like(first), inputs["attention_mask"]], dim=1)
            inputs["past_key_values"] = copy.deepcopy(read)
            inputs["past_key_values"].batch_repeat_interleave(len(batch))
        width = inputs["input_ids"].shape[1]
        stops = [StopAfterFirstLine(tokenizer, width)] if first_line_only else None
        with torch.inference_mode():
            generated = model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                stopping_criteria=stops,
                pad_token_id=tokenizer.pad_token_id,
                **sampling,
            )
        texts = tokenizer.batch_decode(generated[:, width:], skip_special_tokens=True)
        for text, index in zip(texts, batch, strict=True):
            answers[index].append(text.strip())
    return answers
