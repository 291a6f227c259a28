"""Align a version with what validators prefer: a new LoRA adapter over the merged parent.

Recipe `rloo`: REINFORCE leave-one-out (Ahmadian et al. 2024) against the reward model, held near the parent by a
penalty on divergence. Recipe `dpo`: direct preference optimisation (Rafailov et al. 2023) on the pairs themselves.

Channels: `model` (the parent's weights), and for rloo `prompts` and `reward`, for dpo `pairs`.
Output: `merged/`, `adapter/`, `metrics.json`.
"""

import copy
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from job import (
    JobFailure,
    JobStopped,
    StopSignal,
    be_deterministic,
    channel,
    checkpoint_dir,
    emit,
    job,
    model_dir,
    parse_arguments,
    read_jsonl,
    write_json,
)

# ruff: isort: split
import torch
from datasets import Dataset
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, PrinterCallback
from trl import DPOConfig, DPOTrainer, RLOOConfig, RLOOTrainer

from chat import (
    ModelArguments,
    load_model,
    load_tokenizer,
    lora_config,
    precision,
    save_adapter,
    save_merged,
    score_completions_only,
)
from checkpoints import KEPT_CHECKPOINTS, CheckpointCallback, latest_checkpoint
from order import training_order
from progress import ProgressCallback, loss_curve
from reward_model import conversation

RECIPES = ("rloo", "dpo")


@dataclass
class AlignArguments(ModelArguments):
    checkpoint_key: str = ""
    recipe: str = field(default="rloo", metadata={"help": "rloo or dpo"})
    seed: int = 0
    max_steps: int = 8
    batch_size: int = field(default=16, metadata={"help": "answers (rloo) or pairs (dpo) in a step"})
    learning_rate: float = 2e-4
    warmup_steps: int = 0
    beta: float = field(default=0.05, metadata={"help": "weight of staying near the parent"})
    generations: int = field(default=4, metadata={"help": "rloo: answers for each prompt"})
    temperature: float = 1.0
    max_new_tokens: int = 32
    max_length: int = 128
    logging_steps: int = 1
    checkpoint_steps: int = 4


class RewardScorer(torch.nn.Module):
    """The reward model as an adapter over the policy's own frozen weights: a second model costs no second memory.

    The module tree is copied, the parent's parameters are shared, and the policy's adapter, added later to the
    original tree, does not reach the copy. So the score is the parent's view of an answer, as it was trained.
    """

    def __init__(self, parent, folder: Path) -> None:
        super().__init__()
        shared = {id(tensor): tensor for tensor in [*parent.parameters(), *parent.buffers()]}
        backbone = copy.deepcopy(parent.base_model, shared)
        config = copy.deepcopy(parent.config)
        config.num_labels = 1
        with torch.device("meta"):
            classifier = AutoModelForSequenceClassification.from_config(config)
        setattr(classifier, classifier.base_model_prefix, backbone)
        # An empty head of the right shape; the trained one comes with the adapter.
        classifier.score = torch.nn.Linear(config.hidden_size, 1, bias=False).to(parent.device, parent.dtype)
        self.model = PeftModel.from_pretrained(classifier, folder).eval()
        self.config = config

    def forward(self, **inputs):
        reduced = self.config.dtype == torch.bfloat16
        device = inputs["input_ids"].device.type
        with torch.autocast(device, dtype=torch.bfloat16, enabled=reduced):
            return self.model(**inputs, use_cache=False)


def common_settings(arguments: AlignArguments) -> dict:
    """Trainer settings that both recipes share."""
    return {
        "output_dir": str(checkpoint_dir()),
        "seed": arguments.seed,
        "num_train_epochs": 1,
        "per_device_train_batch_size": arguments.batch_size,
        "learning_rate": arguments.learning_rate,
        "warmup_steps": arguments.warmup_steps,
        "beta": arguments.beta,
        "logging_steps": arguments.logging_steps,
        "save_strategy": "steps",
        "save_steps": arguments.checkpoint_steps,
        "save_total_limit": KEPT_CHECKPOINTS,
        "report_to": [],
        "disable_tqdm": True,
        **precision(arguments),
    }


def rloo_trainer(model, tokenizer, arguments: AlignArguments, callbacks: list) -> RLOOTrainer:
    """Policy gradient on the reward model's scores, each answer against the mean of its siblings."""
    if arguments.batch_size % arguments.generations:
        raise JobFailure(
            "bad-batch-size", f"a multiple of {arguments.generations} generations", f"{arguments.batch_size}"
        )
    prompts = [prompt["messages"] for prompt in read_jsonl(channel("prompts"))]
    prompts_a_step = arguments.batch_size // arguments.generations
    lengths = [len(messages[-1]["content"]) for messages in prompts]
    order = training_order(lengths, arguments.max_steps * prompts_a_step, prompts_a_step, arguments.seed)
    return RLOOTrainer(
        model=model,
        reward_funcs=RewardScorer(model, channel("reward")),
        reward_processing_classes=tokenizer,
        args=RLOOConfig(
            num_generations=arguments.generations,
            max_completion_length=arguments.max_new_tokens,
            temperature=arguments.temperature,
            # One generation for each step and one step on each generation: nothing is buffered between steps, so
            # a run that goes on from a checkpoint has lost nothing.
            steps_per_generation=1,
            num_iterations=1,
            shuffle_dataset=False,
            **common_settings(arguments),
        ),
        train_dataset=Dataset.from_list([{"prompt": prompts[index]} for index in order]),
        processing_class=tokenizer,
        peft_config=lora_config(model, arguments),
        callbacks=[*callbacks, ProgressCallback({"reward": "reward", "kl": "kl", "reward_std": "reward_std"})],
    )


def dpo_trainer(model, tokenizer, arguments: AlignArguments, callbacks: list) -> DPOTrainer:
    """Preference optimisation on the pairs, the parent (adapter off) as reference."""
    pairs = read_jsonl(channel("pairs"))
    examples = [
        {
            "prompt": pair["messages"],
            "chosen": conversation(pair, pair["chosen"])[-1:],
            "rejected": conversation(pair, pair["rejected"])[-1:],
        }
        for pair in pairs
    ]
    lengths = [len(pair["chosen"]) + len(pair["rejected"]) for pair in pairs]
    count = arguments.max_steps * arguments.batch_size
    order = training_order(lengths, count, arguments.batch_size, arguments.seed)
    return DPOTrainer(
        model=model,
        args=DPOConfig(
            max_length=arguments.max_length,
            train_sampling_strategy="sequential",
            **common_settings(arguments),
        ),
        train_dataset=Dataset.from_list([examples[index] for index in order]),
        processing_class=tokenizer,
        peft_config=lora_config(model, arguments),
        callbacks=[*callbacks, ProgressCallback({"rewards/accuracies": "accuracy", "rewards/margins": "margin"})],
    )


@job
def main(argv: list[str] | None = None) -> None:
    arguments = parse_arguments(AlignArguments, argv)
    if arguments.recipe not in RECIPES:
        raise JobFailure("unknown-recipe", " or ".join(RECIPES), arguments.recipe)
    stop = StopSignal()
    started = time.monotonic()
    be_deterministic(arguments.seed)
    score_completions_only()
    resume = latest_checkpoint(checkpoint_dir(), arguments.checkpoint_key)

    tokenizer = load_tokenizer(channel("model"))
    model = load_model(channel("model"), arguments.dtype)
    callbacks = [CheckpointCallback(arguments.checkpoint_key, stop)]
    make = rloo_trainer if arguments.recipe == "rloo" else dpo_trainer
    trainer = make(model, tokenizer, arguments, callbacks)
    trainer.remove_callback(PrinterCallback)
    emit(event="training", recipe=arguments.recipe, resumed_from=resume.name if resume else None)
    stop.training = True
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    stop.training = False
    if stop.received:
        raise JobStopped(f"saved at step {trainer.state.global_step} of {trainer.state.max_steps}")

    output = model_dir()
    save_adapter(trainer.model, output / "adapter")
    rewards = [{"step": log["step"], "reward": log["reward"]} for log in trainer.state.log_history if "reward" in log]
    save_merged(trainer.model, tokenizer, output / "merged")
    seconds = round(time.monotonic() - started, 1)
    write_json(
        output / "metrics.json",
        {
            "recipe": arguments.recipe,
            "steps": trainer.state.global_step,
            "firstReward": rewards[0]["reward"] if rewards else None,
            "lastReward": rewards[-1]["reward"] if rewards else None,
            "seconds": seconds,
            "resumedFrom": resume.name if resume else None,
            "rewards": rewards,
            "curve": loss_curve(trainer.state),
            "arguments": asdict(arguments),
        },
    )
    emit(event="done", seconds=seconds)


if __name__ == "__main__":
    sys.exit(main())
