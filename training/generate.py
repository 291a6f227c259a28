"""Sample answers of a model to prompts: the material that validators judge.

Channels: `model` (weights), `prompts`. Output: `answers.jsonl` `{ id, answers: [...] }` with up to `samples` different
answers a prompt, and `metrics.json`.
"""

import sys
import time
from dataclasses import dataclass, field
from difflib import SequenceMatcher

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


@dataclass
class GenerateArguments:
    samples: int = field(default=2, metadata={"help": "different answers wanted for each prompt"})
    draws: int = field(default=0, metadata={"help": "answers drawn to choose them from; 0 for as many as wanted"})
    temperature: float = field(default=1.0, metadata={"help": "0 is greedy and gives one answer"})
    rounds: int = field(default=2, metadata={"help": "how often a prompt that lacks answers is asked again"})
    dtype: str = "float32"
    batch_size: int = 64
    max_new_tokens: int = 32
    first_line_only: bool = False
    seed: int = 0


def most_different(answers: list[str], wanted: int) -> list[str]:
    """Up to `wanted` different answers, chosen to be as unlike each other as they come.

    Two answers that hardly differ teach validators' preferences little. The first is the first drawn, so that nothing
    but chance decides it; each next one is the least like those chosen. An empty answer gives nothing to judge.
    """
    left = list(dict.fromkeys(answer for answer in answers if answer))
    chosen = left[:1]
    del left[:1]
    while left and len(chosen) < wanted:
        nearness = [max(SequenceMatcher(None, answer, other).ratio() for other in chosen) for answer in left]
        chosen.append(left.pop(nearness.index(min(nearness))))
    return chosen


@job
def main(argv: list[str] | None = None) -> None:
    arguments = parse_arguments(GenerateArguments, argv)
    if arguments.temperature == 0 and arguments.samples != 1:
        raise JobFailure("greedy-is-one-answer", "samples 1 at temperature 0", str(arguments.samples))
    draws = max(arguments.draws, arguments.samples) if arguments.temperature > 0 else 1
    started = time.monotonic()
    be_deterministic(arguments.seed)
    tokenizer = load_tokenizer(channel("model"))
    model = load_model(channel("model"), arguments.dtype)
    prompts = read_jsonl(channel("prompts"))
    found: dict[str, list[str]] = {prompt["id"]: [] for prompt in prompts}
    for attempt in range(arguments.rounds if arguments.temperature > 0 else 1):
        lacking = [prompt for prompt in prompts if len({*found[prompt["id"]]} - {""}) < arguments.samples]
        if not lacking:
            break
        drawn = answer_prompts(
            model,
            tokenizer,
            [prompt["messages"] for prompt in lacking],
            max_new_tokens=arguments.max_new_tokens,
            batch_size=arguments.batch_size,
            temperature=arguments.temperature,
            samples=draws,
            seed=arguments.seed + attempt,
            first_line_only=arguments.first_line_only,
        )
        for prompt, answers in zip(lacking, drawn, strict=True):
            found[prompt["id"]] += answers
    chosen = {key: most_different(answers, arguments.samples) for key, answers in found.items()}
    write_jsonl(model_dir() / "answers.jsonl", [{"id": key, "answers": answers} for key, answers in chosen.items()])
    figures = {
        "prompts": len(prompts),
        "answers": sum(len(answers) for answers in chosen.values()),
        "withAllSamples": sum(len(answers) == arguments.samples for answers in chosen.values()),
        "seconds": round(time.monotonic() - started, 1),
    }
    write_json(model_dir() / "metrics.json", figures)
    emit(event="done", **figures)


if __name__ == "__main__":
    sys.exit(main())
