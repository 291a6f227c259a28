"""Fine-tune a chat model on the train part of a frozen dataset: LoRA, supervised.

Channels: `model` (base or parent weights), `train` (records with messages, group and contributor).
Output: `merged/` (servable weights), `adapter/`, `snapshots/` (the adapter along the run, for usefulness),
`metrics.json`.
"""

import math
import shutil
import sys
import time
from dataclasses import asdict, dataclass
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
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

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


@dataclass
class FinetuneArguments(ModelArguments):
    checkpoint_key: str = ""
    seed: int = 0
    epochs: float = 2.0
    batch_size: int = 8
    gradient_accumulation: int = 1
    learning_rate: float = 1e-3
    warmup_steps: int = 3
    max_length: int = 128
    logging_steps: int = 5
    checkpoint_steps: int = 20
    snapshots: int = 3


class SnapshotCallback(TrainerCallback):
    """Keeps the adapter at evenly spaced steps with the learning rate in force: usefulness is measured along the run.

    Kept beside the checkpoints, so that they outlive an interruption.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.count = count

    def on_step_end(self, args, state, control, model=None, lr_scheduler=None, **kwargs):
        # The middle of each of `count` equal stretches of the run.
        steps = {max(1, round((index + 0.5) * state.max_steps / self.count)) for index in range(self.count)}
        if state.global_step not in steps:
            return
        place = self.folder / f"step-{state.global_step:06d}"
        shutil.rmtree(place, ignore_errors=True)
        save_adapter(model, place)
        rate = lr_scheduler.get_last_lr()[0]
        write_json(place / "snapshot.json", {"step": state.global_step, "learningRate": rate})


def prepare(records: list[dict], tokenizer, arguments: FinetuneArguments) -> tuple[Dataset, list[str]]:
    """The records in training order as prompt and completion, and the ids of those too long to be trained on whole."""
    lengths, kept, too_long = [], [], []
    for record in records:
        length = len(tokenizer.apply_chat_template(record["messages"])["input_ids"])
        if length > arguments.max_length:
            too_long.append(record["id"])
            continue
        lengths.append(length)
        kept.append({"prompt": record["messages"][:-1], "completion": record["messages"][-1:]})
    if not kept:
        raise JobFailure("all-too-long", f"records of at most {arguments.max_length} tokens", "none")
    order = training_order(lengths, round(arguments.epochs * len(kept)), arguments.batch_size, arguments.seed)
    return Dataset.from_list([kept[index] for index in order]), too_long


@job
def main(argv: list[str] | None = None) -> None:
    arguments = parse_arguments(FinetuneArguments, argv)
    stop = StopSignal()
    started = time.monotonic()
    be_deterministic(arguments.seed)
    score_completions_only()
    checkpoints = checkpoint_dir()
    resume = latest_checkpoint(checkpoints, arguments.checkpoint_key)

    tokenizer = load_tokenizer(channel("model"))
    model = load_model(channel("model"), arguments.dtype)
    records = read_jsonl(channel("train"))
    dataset, too_long = prepare(records, tokenizer, arguments)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(checkpoints),
            seed=arguments.seed,
            num_train_epochs=1,
            train_sampling_strategy="sequential",
            per_device_train_batch_size=arguments.batch_size,
            gradient_accumulation_steps=arguments.gradient_accumulation,
            learning_rate=arguments.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=arguments.warmup_steps,
            max_length=arguments.max_length,
            logging_steps=arguments.logging_steps,
            logging_first_step=True,
            save_strategy="steps",
            save_steps=arguments.checkpoint_steps,
            save_total_limit=KEPT_CHECKPOINTS,
            report_to=[],
            disable_tqdm=True,
            **precision(arguments),
        ),
        train_dataset=dataset,
        processing_class=tokenizer,
        peft_config=lora_config(model, arguments),
        callbacks=[
            CheckpointCallback(arguments.checkpoint_key, stop),
            SnapshotCallback(checkpoints / "snapshots", arguments.snapshots),
            ProgressCallback({"mean_token_accuracy": "token_accuracy"}),
        ],
    )
    trainer.remove_callback(PrinterCallback)
    emit(
        event="training",
        records=len(records),
        max_steps=math.ceil(len(dataset) / (arguments.batch_size * arguments.gradient_accumulation)),
        trainable_parameters=trainer.model.num_parameters(only_trainable=True),
        resumed_from=resume.name if resume else None,
        setup_seconds=round(time.monotonic() - started, 1),
    )
    stop.training = True
    result = trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    stop.training = False
    if stop.received:
        raise JobStopped(f"saved at step {trainer.state.global_step} of {trainer.state.max_steps}")

    output = model_dir()
    save_adapter(trainer.model, output / "adapter")
    snapshots = checkpoints / "snapshots"
    if snapshots.is_dir():
        shutil.copytree(snapshots, output / "snapshots", dirs_exist_ok=True)
    save_merged(trainer.model, tokenizer, output / "merged")
    seconds = time.monotonic() - started
    curve = loss_curve(trainer.state)
    write_json(
        output / "metrics.json",
        {
            "records": len(records),
            "recordsTooLong": too_long,
            "steps": trainer.state.global_step,
            "finalLoss": curve[-1]["loss"],
            "trainSeconds": round(result.metrics["train_runtime"], 1),
            "seconds": round(seconds, 1),
            "resumedFrom": resume.name if resume else None,
            "curve": curve,
            "arguments": asdict(arguments),
        },
    )
    emit(event="done", seconds=round(seconds, 1))


if __name__ == "__main__":
    sys.exit(main())
