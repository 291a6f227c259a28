"""Estimate how much each contributor's records helped a model answer a usefulness set.

TracIn (Pruthi et al. 2020): for snapshots of the adapter along the run, the learning rate times the dot product of a
record's gradient with the set's. A record whose gradient points where the set's questions want the weights to go
helped; one that points away hurt. Gradients are those of the adapter's weights, of the mean loss over the answer's
tokens, so that a longer answer is not worth more by its length. Of a question's answer only the part counts that the
evaluation compares: a style in which contributors differ, and that nobody grades, would drown what they know.

Each gradient is brought to unit length before it is multiplied, so that the products are cosines (as LESS does, Xia et
al. 2024): otherwise the few records with the largest loss decide, wrong ones above all. `--normalize false` leaves the
lengths as they are.

Per-example gradients are kept as random projections, layer by layer: a linear layer's gradient is a sum of outer
products, and both sides are projected before they are multiplied. The dot products stay right on average, and
`--projection 0` keeps the gradients whole.

Channels: `model` (the weights that the run began from), `snapshots` (from the fine-tune), `train`, `usefulness` (as a
sealed set). Output: `usefulness.json` `{ contributor: { value, low, high, records, measured } }`: the sum over the
contributor's records with its 95 % bootstrap interval over records and questions; `records` is how many there are,
`measured` how many were drawn. An estimate, never a proof.
"""

import json
import random
import sys
import time
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from job import JobFailure, be_deterministic, channel, emit, job, model_dir, parse_arguments, read_jsonl, write_json

# ruff: isort: split
import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerBase

from chat import load_model, load_tokenizer
from comparisons import COMPARISONS

LOWER_QUANTILE, UPPER_QUANTILE = 0.025, 0.975


@dataclass
class UsefulnessArguments:
    dtype: str = "float32"
    batch_size: int = 16
    projection: int = field(default=16, metadata={"help": "side of each layer's projection; 0 for none"})
    compare: str = field(default="whole", metadata={"help": "whole, first-line or before-parenthesis"})
    normalize: bool = field(default=True, metadata={"help": "cosines instead of plain dot products"})
    records_per_contributor: int = field(default=60, metadata={"help": "drawn at random where there are more"})
    resamples: int = 2000
    seed: int = 0


class PerExampleGradients:
    """Collects, in one backward pass over a batch, each example's gradient of the adapter's weights.

    For y = W x over tokens t, the gradient of example i is the sum over t of dL/dy_it times x_it (outer product). The
    examples' losses are summed before the backward pass, so dL/dy_it belongs to example i alone.
    """

    def __init__(self, model, side: int, seed: int) -> None:
        self.pieces: dict[str, torch.Tensor] = {}
        self.side = side
        self.chance = torch.Generator().manual_seed(seed)
        self.projections: dict[str, tuple[torch.Tensor | None, torch.Tensor | None]] = {}
        layers = [
            (name, module)
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and (".lora_A." in name or ".lora_B." in name)
        ]
        for name, module in layers:
            self.projections[name] = (self._projection(module.out_features), self._projection(module.in_features))
            module.weight.requires_grad_(True)
            module.register_forward_hook(self._watch(name))

    def _projection(self, width: int) -> torch.Tensor | None:
        """Gaussian, scaled so that dot products keep their mean (Johnson and Lindenstrauss); none for a narrow side."""
        if self.side == 0 or width <= self.side:
            return None
        return torch.randn(width, self.side, generator=self.chance) / self.side**0.5

    def _watch(self, name: str):
        left, right = self.projections[name]

        def forward_hook(_module, inputs, output):
            x = inputs[0].detach().float()
            x = x if right is None else x @ right.to(x.device)

            def backward_hook(gradient):
                g = gradient.float()
                g = g if left is None else g @ left.to(g.device)
                self.pieces[name] = torch.einsum("bto,bti->boi", g, x).flatten(1).cpu()

            output.register_hook(backward_hook)

        return forward_hook

    def take(self) -> torch.Tensor:
        """The batch's gradients, one row an example, and forget them."""
        rows = torch.cat([self.pieces[name] for name in self.projections], dim=1)
        self.pieces = {}
        return rows


class Example(NamedTuple):
    tokens: list[int]
    begin: int
    """Where the answer begins."""
    end: int
    """Where the part of it that counts is over."""


def example_of(tokenizer: PreTrainedTokenizerBase, messages: list[dict], compare: str = "whole") -> Example:
    """A conversation whose last message is the answer. The whole answer counts with the token that ends it, as in the
    training; a part of it ends with its own last token."""
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    prompt = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, tokenize=False)
    encoded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    starts = [start for start, _ in encoded["offset_mapping"]]
    begin = bisect_left(starts, len(prompt))
    if compare == "whole":
        return Example(encoded["input_ids"], begin, len(starts))
    part = COMPARISONS[compare](messages[-1]["content"])
    return Example(encoded["input_ids"], begin, bisect_left(starts, text.index(part, len(prompt)) + len(part)))


def gradients(model, collector: PerExampleGradients, examples: list[Example], batch_size: int, pad: int):
    """One row of gradient an example, in the order given."""
    rows: list[torch.Tensor | None] = [None] * len(examples)
    order = sorted(range(len(examples)), key=lambda index: len(examples[index].tokens))
    for start in range(0, len(order), batch_size):
        batch = [examples[index] for index in order[start : start + batch_size]]
        width = max(len(example.tokens) for example in batch)
        ids = torch.tensor([one.tokens + [pad] * (width - len(one.tokens)) for one in batch], device=model.device)
        real = torch.tensor([[position < len(one.tokens) for position in range(width)] for one in batch])
        answer = torch.tensor([[one.begin <= position < one.end for position in range(width)] for one in batch])
        mask = answer[:, 1:].to(model.device)
        hidden = model.get_base_model().base_model(input_ids=ids, attention_mask=real.to(model.device), use_cache=False)
        logits = model.get_output_embeddings()(hidden.last_hidden_state[:, :-1][mask]).float()
        losses = torch.nn.functional.cross_entropy(logits, ids[:, 1:][mask], reduction="none")
        per_token = torch.zeros(mask.shape, device=model.device).masked_scatter(mask, losses)
        (per_token.sum(dim=1) / mask.sum(dim=1)).sum().backward()
        model.zero_grad()
        for index, row in zip(order[start : start + batch_size], collector.take(), strict=True):
            rows[index] = row
    return torch.stack([row for row in rows if row is not None])


def interval(products: torch.Tensor, resamples: int, chance: torch.Generator) -> tuple[float, float, float]:
    """Mean of a records x questions matrix and its bootstrap interval, drawing records and questions anew."""
    records, questions = products.shape
    means = torch.empty(resamples)
    for resample in range(resamples):
        drawn_records = torch.randint(records, (records,), generator=chance)
        drawn_questions = torch.randint(questions, (questions,), generator=chance)
        record_weights = torch.bincount(drawn_records, minlength=records).float() / records
        question_weights = torch.bincount(drawn_questions, minlength=questions).float() / questions
        means[resample] = record_weights @ products @ question_weights
    low, high = torch.quantile(means, torch.tensor([LOWER_QUANTILE, UPPER_QUANTILE])).tolist()
    return products.mean().item(), low, high


@job
def main(argv: list[str] | None = None) -> None:
    arguments = parse_arguments(UsefulnessArguments, argv)
    if arguments.compare not in COMPARISONS:
        raise JobFailure("unknown-comparison", " or ".join(COMPARISONS), arguments.compare)
    started = time.monotonic()
    be_deterministic(arguments.seed)
    snapshots = sorted(path for path in channel("snapshots").glob("step-*") if path.is_dir())
    if not snapshots:
        raise JobFailure("no-snapshots", "at least one folder step-NNNNNN in the channel snapshots", "none")
    by_contributor: dict[str, list[dict]] = defaultdict(list)
    for record in read_jsonl(channel("train")):
        by_contributor[record["contributor"]].append(record)
    # Each contributor's draw depends on the seed and their own records alone.
    measured = {
        contributor: random.Random(f"{arguments.seed}:{contributor}").sample(
            records, min(len(records), arguments.records_per_contributor)
        )
        for contributor, records in sorted(by_contributor.items())
    }
    tokenizer = load_tokenizer(channel("model"))
    examples = [example_of(tokenizer, record["messages"]) for records in measured.values() for record in records]
    questions = [
        example_of(tokenizer, [*item["messages"], {"role": "assistant", "content": item["answer"]}], arguments.compare)
        for item in read_jsonl(channel("usefulness"))
    ]
    model = PeftModel.from_pretrained(load_model(channel("model"), arguments.dtype), snapshots[0]).eval()
    collector = PerExampleGradients(model, arguments.projection, arguments.seed)
    products = torch.zeros(len(examples), len(questions))
    for snapshot in snapshots:
        rate = json.loads((snapshot / "snapshot.json").read_text())["learningRate"]
        set_peft_model_state_dict(model, load_file(snapshot / "adapter_model.safetensors"))
        rows = gradients(model, collector, examples + questions, arguments.batch_size, tokenizer.pad_token_id)
        if arguments.normalize:
            rows = torch.nn.functional.normalize(rows)
        products += rate * (rows[: len(examples)] @ rows[len(examples) :].T)
        emit(event="snapshot", snapshot=snapshot.name, seconds=round(time.monotonic() - started, 1))

    chance = torch.Generator().manual_seed(arguments.seed)
    result, first = {}, 0
    for contributor, records in measured.items():
        mean, low, high = interval(products[first : first + len(records)], arguments.resamples, chance)
        first += len(records)
        count = len(by_contributor[contributor])
        result[contributor] = {
            "value": mean * count,
            "low": low * count,
            "high": high * count,
            "records": count,
            "measured": len(records),
        }
        emit(event="usefulness", contributor=contributor, **result[contributor])
    write_json(model_dir() / "usefulness.json", result)
    emit(event="done", seconds=round(time.monotonic() - started, 1))


if __name__ == "__main__":
    sys.exit(main())
