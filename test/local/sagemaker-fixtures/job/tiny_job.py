"""A training script without a framework: one number a step, kept in a checkpoint, so that a test can tell an
interrupted run that went on from one that began again, and compare results exactly."""

import argparse
import json
import os
import pathlib
import signal
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=5)
parser.add_argument("--step-seconds", type=float, default=0.02)
parser.add_argument("--fail-at", type=int, default=0)
parser.add_argument("--failure-text", default="")
parser.add_argument("--ignore-stop", default="no")
arguments = parser.parse_args()

checkpoint = pathlib.Path(os.environ["OPENLEDGER_CHECKPOINT_DIR"], "state.json")
model_dir = pathlib.Path(os.environ["SM_MODEL_DIR"])
numbers = [
    int(line)
    for file in sorted(pathlib.Path(os.environ["SM_CHANNEL_TRAIN"]).rglob("*.txt"))
    for line in file.read_text().split()
]
state = {"step": 0, "value": 7, "resumed_from": []}
if checkpoint.exists():
    state = json.loads(checkpoint.read_text())
    state["resumed_from"].append(state["step"])


def save() -> None:
    partial = checkpoint.with_suffix(".partial")
    partial.write_text(json.dumps(state))
    partial.rename(checkpoint)


def on_stop(*_: object) -> None:
    print("stop heard", flush=True)
    if arguments.ignore_stop == "yes":
        return
    save()
    (model_dir / "result.json").write_text(json.dumps(state))
    sys.exit(0)


signal.signal(signal.SIGTERM, on_stop)
print("a line that is no metric")
while state["step"] < arguments.steps:
    time.sleep(arguments.step_seconds)
    state["step"] += 1
    state["value"] = (state["value"] * 31 + numbers[state["step"] % len(numbers)]) % 1_000_003
    save()
    print(json.dumps({"step": state["step"], "loss": 1 / state["step"]}), flush=True)
    if state["step"] == arguments.fail_at:
        if arguments.failure_text:
            pathlib.Path(os.environ["SM_OUTPUT_DIR"], "failure").write_text(arguments.failure_text)
        raise ValueError("the loss is not a number")

(model_dir / "merged").mkdir()
(model_dir / "merged" / "weights.txt").write_text(str(state["value"]))
(model_dir / "result.json").write_text(json.dumps(state))
facts = {"environment": dict(os.environ), "arguments": sys.argv[1:], "folder": os.getcwd()}
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "facts.json").write_text(json.dumps(facts))
