"""Runs jobs as SageMaker does, as processes with channels, folders and signals of their own, but quickly: they are
forked from a process that has the libraries imported and has computed nothing yet."""

import importlib
import json
import multiprocessing
import os
import re
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

# How long a job on the tiny model may take before the test gives up: far more than any needs, less than a stuck suite.
JOB_TIMEOUT_SECONDS = 90

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["preload"])


def _run(name: str, argv: list[str], environment: dict[str, str], log: str) -> None:
    os.environ.update(environment)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.stdout.reconfigure(line_buffering=True)
    code = importlib.import_module(name).main(argv)
    sys.stdout.flush()
    # As the end of an ordinary interpreter would: the fork server's own clean-up is not part of a job.
    os._exit(code)


@dataclass
class Job:
    """One job with its place on disk. `run` may be called again on the same place, as after a spot interruption."""

    name: str
    place: Path
    channels: dict[str, Path]
    hyperparameters: dict[str, object] = field(default_factory=dict)

    @property
    def model_dir(self) -> Path:
        return self.place / "model"

    @property
    def checkpoints(self) -> Path:
        return self.place / "checkpoints"

    @property
    def log(self) -> str:
        path = self.place / "log"
        return path.read_text() if path.exists() else ""

    @property
    def failure(self) -> str:
        return (self.place / "output" / "failure").read_text()

    def events(self, name: str) -> list[dict]:
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith('{"')]
        return [line for line in lines if line.get("event") == name]

    def output(self, file: str) -> object:
        return json.loads((self.model_dir / file).read_text())

    def answers(self, file: str = "answers.jsonl") -> list[dict]:
        return [json.loads(line) for line in (self.model_dir / file).read_text().splitlines()]

    def start(self):
        self.place.mkdir(parents=True, exist_ok=True)
        environment = {
            "SM_CHANNEL_" + name.upper().replace("-", "_"): str(path) for name, path in self.channels.items()
        }
        environment |= {
            "SM_MODEL_DIR": str(self.model_dir),
            "SM_OUTPUT_DIR": str(self.place / "output"),
            "OPENLEDGER_CHECKPOINT_DIR": str(self.checkpoints),
        }
        argv = []
        for key, value in self.hyperparameters.items():
            argv += ["--" + key.replace("_", "-"), str(value)]
        process = context.Process(target=_run, args=(self.name, argv, environment, str(self.place / "log")))
        process.start()
        return process

    def run(self) -> int:
        """Run to the end; the exit code."""
        process = self.start()
        process.join(JOB_TIMEOUT_SECONDS)
        assert process.exitcode is not None, f"{self.name} did not end:\n{self.log}"
        return process.exitcode

    def run_and_signal(self, step: int, number: signal.Signals) -> int:
        """Run until the log shows `step`, send the signal, and give the exit code (negative for a kill)."""
        wanted = re.compile(rf'"step": {step},')
        seen = len(self.log)
        process = self.start()
        deadline = time.monotonic() + JOB_TIMEOUT_SECONDS
        while not wanted.search(self.log[seen:]):
            assert process.is_alive(), f"{self.name} ended before step {step}:\n{self.log[seen:]}"
            assert time.monotonic() < deadline, f"{self.name} never reached step {step}:\n{self.log[seen:]}"
            time.sleep(0.002)
        os.kill(process.pid, number)
        process.join(JOB_TIMEOUT_SECONDS)
        assert process.exitcode is not None, f"{self.name} did not end after {number.name}"
        return process.exitcode


def write_channel(folder: Path, records: list[dict]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def a_record(number: int, **changes: object) -> dict:
    """A record of a task simple enough for random weights to pick up a little of."""
    word = ["read", "write", "list", "tag"][number % 4]
    return {
        "id": f"r{number}",
        "messages": [
            {"role": "user", "content": f"{word} {number}"},
            {"role": "assistant", "content": f"{word.upper()}"},
        ],
        "group": word,
        "contributor": f"c{number % 3}",
        **changes,
    }


def a_question(number: int) -> dict:
    record = a_record(number)
    return {"id": f"q{number}", "messages": record["messages"][:1], "answer": record["messages"][1]["content"]}


def a_pair(number: int, chosen: str = "yes it is", rejected: str = "no") -> dict:
    return {
        "id": f"p{number}",
        "messages": [{"role": "user", "content": f"is {number} so?"}],
        "chosen": chosen,
        "rejected": rejected,
        "weight": 1.0,
    }
