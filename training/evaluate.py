"""Ask a model a sealed set's questions and count the exact answers.

Channels: `model` (weights to ask), `sealed` (questions with their answers), `shots` (worked examples, for few-shot).
Output: `scores.json` `{ system: { exactMatch, low, high, n } }`, shares with a 95 % Wilson interval, and
`answers.jsonl`, one line per system and question, so that anyone may count again and compare systems item by item.
"""

import sys
import time
from dataclasses import dataclass, field

from job import (
    JobFailure,
    be_deterministic,
    channel,
    emit,
    job,
    model_dir,
    parse_arguments,
    read_jsonl,
    write_json,
    write_jsonl,
)

# ruff: isort: split
from chat import answer_prompts, load_model, load_tokenizer
from comparisons import COMPARISONS
from intervals import wilson

SYSTEMS = ("tuned", "aligned", "base", "few-shot")


@dataclass
class EvaluateArguments:
    system: str = field(default="tuned", metadata={"help": "one or more of the systems, with commas between"})
    compare: str = field(default="whole", metadata={"help": "whole, first-line or before-parenthesis"})
    dtype: str = "float32"
    batch_size: int = 64
    max_new_tokens: int = 32
    shots: int = field(default=3, metadata={"help": "worked examples shown to the few-shot system"})
    seed: int = 0


def score(system: str, answers: list[str], items: list[dict], compare: str) -> tuple[dict, list[dict]]:
    """The score of one system and its answers, each marked correct or not."""
    part = COMPARISONS[compare]
    marked = [
        {"id": item["id"], "system": system, "answer": answer, "correct": part(answer) == part(item["answer"])}
        for item, answer in zip(items, answers, strict=True)
    ]
    correct = sum(line["correct"] for line in marked)
    low, high = wilson(correct, len(items))
    return {"exactMatch": correct / len(items), "low": low, "high": high, "n": len(items)}, marked


@job
def main(argv: list[str] | None = None) -> None:
    arguments = parse_arguments(EvaluateArguments, argv)
    systems = arguments.system.split(",")
    if unknown := [system for system in systems if system not in SYSTEMS]:
        raise JobFailure("unknown-system", " or ".join(SYSTEMS), ", ".join(unknown))
    if arguments.compare not in COMPARISONS:
        raise JobFailure("unknown-comparison", " or ".join(COMPARISONS), arguments.compare)
    be_deterministic(arguments.seed)
    items = read_jsonl(channel("sealed"))
    shots: list[dict] = []
    if "few-shot" in systems:
        examples = read_jsonl(channel("shots"))
        if len(examples) < arguments.shots:
            raise JobFailure("too-few-shots", f"{arguments.shots} examples in the channel shots", str(len(examples)))
        shots = [turn for example in examples[: arguments.shots] for turn in example["messages"]]

    tokenizer = load_tokenizer(channel("model"))
    model = load_model(channel("model"), arguments.dtype)
    scores, lines = {}, []
    for system in systems:
        started = time.monotonic()
        before = shots if system == "few-shot" else []
        answers = answer_prompts(
            model,
            tokenizer,
            [before + item["messages"] for item in items],
            max_new_tokens=arguments.max_new_tokens,
            batch_size=arguments.batch_size,
            first_line_only=arguments.compare != "whole",
        )
        scores[system], marked = score(system, [answer for (answer,) in answers], items, arguments.compare)
        lines += marked
        emit(event="scored", system=system, **scores[system], seconds=round(time.monotonic() - started, 1))
    write_jsonl(model_dir() / "answers.jsonl", lines)
    write_json(model_dir() / "scores.json", scores)


if __name__ == "__main__":
    sys.exit(main())
