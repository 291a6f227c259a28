"""Learn what validators prefer: a reward model on pairs of answers, as a LoRA adapter with a score on the parent model.

Channels: `model` (the parent's weights), `pairs` (prompt, chosen, rejected, weight).
Output: `reward-model/` (adapter and score head) and `metrics.json` with the accuracy on held-out pairs and its 95 %
interval. `outcome` is `weak-reward` where the interval's lower end is not above one half: such a model must not train
anything.
"""

import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass

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
from transformers import AutoModelForSequenceClassification, PrinterCallback
from trl import RewardConfig, RewardTrainer
from trl.trainer.reward_trainer import DataCollatorForPreference

from chat import ModelArguments, load_model, load_tokenizer, lora_config, precision, save_adapter
from checkpoints import KEPT_CHECKPOINTS, CheckpointCallback, latest_checkpoint
from intervals import wilson
from order import training_order
from progress import ProgressCallback, loss_curve


@dataclass
class RewardModelArguments(ModelArguments):
    checkpoint_key: str = ""
    seed: int = 0
    max_steps: int = 16
    batch_size: int = 8
    gradient_accumulation: int = 1
    learning_rate: float = 3e-4
    warmup_steps: int = 2
    max_length: int = 128
    held_out_share: float = 0.25
    logging_steps: int = 1
    checkpoint_steps: int = 10


class WeightedPairs(DataCollatorForPreference):
    """Carries each pair's weight: how sure the judges were."""

    def torch_call(self, examples):
        batch = super().torch_call(examples)
        batch["weight"] = torch.tensor([example["weight"] for example in examples], dtype=torch.float32)
        return batch


class WeightedRewardTrainer(RewardTrainer):
    """Bradley-Terry loss in which a pair counts as much as its weight."""

    def _set_signature_columns_if_needed(self):
        super()._set_signature_columns_if_needed()
        if "weight" not in self._signature_columns:
            self._signature_columns.append("weight")

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        weight = inputs.pop("weight")
        # The parent's call keeps its counts of tokens and accuracy; its unweighted loss is not used.
        _, outputs = super().compute_loss(model, inputs, return_outputs=True)
        chosen, rejected = torch.chunk(outputs.logits.squeeze(-1), chunks=2)
        loss = -(weight * torch.nn.functional.logsigmoid(chosen - rejected)).sum() / weight.sum()
        return (loss, outputs) if return_outputs else loss


def is_held_out(pair: dict, share: float) -> bool:
    """Whether a pair is kept for the test: by the digest of its prompt, so that a prompt never stands on both sides."""
    prompt = json.dumps(pair["messages"], sort_keys=True)
    return int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:8], "big") < share * 2**64


def conversation(pair: dict, answer: str) -> list[dict]:
    """The prompt with one of the pair's answers."""
    return [*pair["messages"], {"role": "assistant", "content": answer}]


def accuracy(model, tokenizer, pairs: list[dict], batch_size: int) -> float:
    """How many of the pairs have the chosen answer scored higher; a tie counts one half."""
    right = 0.0
    model.eval()
    for start in range(0, len(pairs), batch_size):
        batch = pairs[start : start + batch_size]
        turns = [conversation(pair, pair[side]) for side in ("chosen", "rejected") for pair in batch]
        tokens = [tokenizer.apply_chat_template(turn)["input_ids"] for turn in turns]
        inputs = tokenizer.pad({"input_ids": tokens}, padding_side="right", return_tensors="pt").to(model.device)
        with torch.inference_mode():
            chosen, rejected = torch.chunk(model(**inputs).logits.squeeze(-1), chunks=2)
        right += (chosen > rejected).sum().item() + 0.5 * (chosen == rejected).sum().item()
    return right


@job
def main(argv: list[str] | None = None) -> None:
    arguments = parse_arguments(RewardModelArguments, argv)
    stop = StopSignal()
    started = time.monotonic()
    be_deterministic(arguments.seed)
    checkpoints = checkpoint_dir()
    resume = latest_checkpoint(checkpoints, arguments.checkpoint_key)

    pairs = read_jsonl(channel("pairs"))
    held_out = [pair for pair in pairs if is_held_out(pair, arguments.held_out_share)]
    taught = [pair for pair in pairs if not is_held_out(pair, arguments.held_out_share)]
    if not held_out or not taught:
        raise JobFailure("too-few-pairs", "pairs to learn from and pairs to test on", f"{len(taught)}, {len(held_out)}")
    tokenizer = load_tokenizer(channel("model"))
    model = load_model(
        channel("model"),
        arguments.dtype,
        AutoModelForSequenceClassification,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
    )
    examples = [
        {
            "chosen": conversation(pair, pair["chosen"]),
            "rejected": conversation(pair, pair["rejected"]),
            "weight": float(pair.get("weight", 1.0)),
        }
        for pair in taught
    ]
    lengths = [len(pair["chosen"]) + len(pair["rejected"]) for pair in taught]
    count = arguments.max_steps * arguments.batch_size * arguments.gradient_accumulation
    order = training_order(lengths, count, arguments.batch_size, arguments.seed)
    trainer = WeightedRewardTrainer(
        model=model,
        args=RewardConfig(
            output_dir=str(checkpoints),
            seed=arguments.seed,
            num_train_epochs=1,
            train_sampling_strategy="sequential",
            per_device_train_batch_size=arguments.batch_size,
            gradient_accumulation_steps=arguments.gradient_accumulation,
            learning_rate=arguments.learning_rate,
            warmup_steps=arguments.warmup_steps,
            max_length=arguments.max_length,
            logging_steps=arguments.logging_steps,
            save_strategy="steps",
            save_steps=arguments.checkpoint_steps,
            save_total_limit=KEPT_CHECKPOINTS,
            report_to=[],
            disable_tqdm=True,
            **precision(arguments),
        ),
        train_dataset=Dataset.from_list([examples[index] for index in order]),
        data_collator=WeightedPairs(pad_token_id=tokenizer.pad_token_id),
        processing_class=tokenizer,
        peft_config=lora_config(model, arguments, task_type="SEQ_CLS", modules_to_save=["score"]),
        callbacks=[
            CheckpointCallback(arguments.checkpoint_key, stop),
            ProgressCallback({"accuracy": "accuracy", "margin": "margin"}),
        ],
    )
    trainer.remove_callback(PrinterCallback)
    emit(event="training", pairs=len(taught), held_out=len(held_out), resumed_from=resume.name if resume else None)
    stop.training = True
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    stop.training = False
    if stop.received:
        raise JobStopped(f"saved at step {trainer.state.global_step} of {trainer.state.max_steps}")

    right = accuracy(trainer.model, tokenizer, held_out, arguments.batch_size)
    low, high = wilson(right, len(held_out))
    outcome = "trained" if low > 0.5 else "weak-reward"
    save_adapter(trainer.model, model_dir() / "reward-model")
    seconds = round(time.monotonic() - started, 1)
    write_json(
        model_dir() / "metrics.json",
        {
            "outcome": outcome,
            "heldOut": {"accuracy": right / len(held_out), "low": low, "high": high, "n": len(held_out)},
            "pairs": len(taught),
            "steps": trainer.state.global_step,
            "seconds": seconds,
            "resumedFrom": resume.name if resume else None,
            "curve": loss_curve(trainer.state),
            "arguments": asdict(arguments),
        },
    )
    emit(event="done", outcome=outcome, held_out_accuracy=right / len(held_out), low=low, high=high, seconds=seconds)


if __name__ == "__main__":
    sys.exit(main())
