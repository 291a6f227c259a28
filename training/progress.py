"""The live side of a training job: one line of JSON per logging step, and the same beside the checkpoints, which
SageMaker copies to S3 while the job runs, so that a page can draw the curve of a job that goes on."""

import json
import time

from transformers import TrainerCallback

from job import checkpoint_dir, emit

PROGRESS = "progress.jsonl"


class ProgressCallback(TrainerCallback):
    """Prints step, loss, learning rate and tokens per second, and under `extra` names what else the trainer logs."""

    def __init__(self, extra: dict[str, str]) -> None:
        """`extra` maps the trainer's name of a figure to the name under which it is printed."""
        self.extra = extra
        self.then = 0.0
        self.tokens = 0.0
        self.speeds: dict[int, float] = {}

    def on_train_begin(self, args, state, control, **kwargs):
        self.then = time.monotonic()
        self.tokens = 0.0

    def on_log(self, args, state, control, logs=None, **kwargs):
        if not logs or "loss" not in logs:
            return
        now = time.monotonic()
        tokens = float(logs.get("num_tokens", 0))
        speed = max(0.0, tokens - self.tokens) / max(now - self.then, 1e-9)
        self.then, self.tokens = now, tokens
        self.speeds[state.global_step] = round(speed, 1)
        emit(
            step=state.global_step,
            max_steps=state.max_steps,
            loss=float(logs["loss"]),
            learning_rate=float(logs["learning_rate"]),
            tokens_per_second=round(speed, 1),
            **{name: float(logs[key]) for key, name in self.extra.items() if logs.get(key) is not None},
        )
        self.publish(state)

    def publish(self, state) -> None:
        """Write the curve so far. It is rewritten whole: after an interruption it then holds no step twice."""
        points = [
            point
            | {"max_steps": state.max_steps}
            | ({"tokens_per_second": self.speeds[point["step"]]} if point["step"] in self.speeds else {})
            for point in loss_curve(state)
        ]
        unfinished = checkpoint_dir() / f".{PROGRESS}"
        unfinished.write_text("".join(json.dumps(point) + "\n" for point in points))
        unfinished.replace(checkpoint_dir() / PROGRESS)


def loss_curve(state) -> list[dict]:
    """`[{ step, loss }]` of the whole run, with the mean reward where there is one. The trainer's history goes on over
    an interruption; a callback's memory would not."""
    return [
        {name: log[name] for name in ("step", "loss", "reward") if name in log}
        for log in state.log_history
        if "loss" in log
    ]
