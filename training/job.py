"""What every training job shares: its place in SageMaker's script mode, its seed, its metrics and its way to end.

Script mode: hyperparameters arrive as `--kebab-name value`, channels as folders named by SM_CHANNEL_<NAME>, output
goes to SM_MODEL_DIR, the text of a failure to <SM_OUTPUT_DIR>/failure, and a spot stop is a SIGTERM.
"""

import functools
import json
import math
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

# Nothing is fetched inside a job: weights and data come as channels. Set before any Hugging Face library is imported.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# A job's log is read by people and by metric definitions; progress bars of the libraries help neither.
os.environ.setdefault("TQDM_DISABLE", "1")
# cuBLAS is only deterministic with a fixed workspace.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

# DescribeTrainingJob shows at most 1024 characters of a failure; the beginning of the text is what it keeps.
FAILURE_TEXT_MAX_CHARS = 1024

# What a shell reports for a process ended by SIGTERM: 128 + 15.
EXIT_CODE_STOPPED = 143

Arguments = TypeVar("Arguments")


class JobFailure(Exception):
    """A failure that its reader can act on: a code, what was expected and what was seen."""

    def __init__(self, code: str, expected: str, seen: str) -> None:
        super().__init__(f"{code}: expected {expected}, saw {seen}")
        self.code = code


class JobStopped(Exception):
    """The job was told to stop, has saved a checkpoint and may be started again."""


def parse_arguments(arguments: type[Arguments], argv: list[str] | None = None) -> Arguments:
    """Read `--kebab-name value` into the dataclass; an unknown name ends the job."""
    from transformers import HfArgumentParser

    (parsed,) = HfArgumentParser(arguments).parse_args_into_dataclasses(argv)
    return parsed


def channel(name: str) -> Path:
    """Folder of an input channel. Raises JobFailure where the job was started without it."""
    folder = optional_channel(name)
    if folder is None:
        raise JobFailure("missing-channel", f"an input channel named {name}", "none")
    return folder


def optional_channel(name: str) -> Path | None:
    """Folder of an input channel that the job can do without."""
    value = os.environ.get("SM_CHANNEL_" + name.upper())
    return Path(value) if value else None


def model_dir() -> Path:
    """Where the output goes that the deployment keeps."""
    folder = Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def checkpoint_dir() -> Path:
    """Folder that is copied to and from S3 while the job runs; on SageMaker it has one fixed place."""
    folder = Path(os.environ.get("OPENLEDGER_CHECKPOINT_DIR", "/opt/ml/checkpoints"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def emit(**metrics: object) -> None:
    """Print one line of JSON that the metric definitions of the job pick up. Numbers that are not finite are left out,
    since JSON has none."""
    finite = {
        key: value for key, value in metrics.items() if not (isinstance(value, float) and not math.isfinite(value))
    }
    print(json.dumps(finite), flush=True)


def write_json(path: Path, value: object) -> None:
    """Write JSON so that a reader sees the old file or the whole new one, never half."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n")
    unfinished.replace(path)


def read_jsonl(folder: Path) -> list[dict]:
    """All records of a channel: every *.jsonl file in name order, one JSON object a line."""
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise JobFailure("empty-channel", f"at least one .jsonl file in the channel {folder.name}", "none")
    records = []
    for file in files:
        with file.open(encoding="utf-8") as lines:
            records += [json.loads(line) for line in lines if line.strip()]
    if not records:
        raise JobFailure("empty-channel", f"at least one record in the channel {folder.name}", "none")
    return records


def write_jsonl(path: Path, records: list[dict]) -> None:
    """One JSON object a line, UTF-8."""
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")


def be_deterministic(seed: int) -> None:
    """Seed every source of chance and ask torch for kernels that give the same bits each time."""
    import torch
    from transformers import set_seed

    set_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling fresh memory guards against reading it uninitialised, which none of this code does, and costs time.
    torch.utils.deterministic.fill_uninitialized_memory = False


class StopSignal:
    """Remembers a SIGTERM while a trainer runs; before and after, the process ends at once.

    On a spot stop SageMaker sends SIGTERM and kills 120 seconds later. The trainer looks at `received` after each
    step, saves and stops; outside of training there is nothing to save.
    """

    def __init__(self) -> None:
        self.received = False
        self.training = False
        signal.signal(signal.SIGTERM, self._handle)

    def _handle(self, _number: int, _frame: object) -> None:
        self.received = True
        if not self.training:
            sys.exit(EXIT_CODE_STOPPED)


def job(main: Callable[[list[str] | None], None]) -> Callable[[list[str] | None], int]:
    """Make a job's main function report how it ended: exit code 0 done, 1 failed (text in the failure file), 143
    stopped with a checkpoint."""

    @functools.wraps(main)
    def wrapped(argv: list[str] | None = None) -> int:
        try:
            main(argv)
        except JobStopped as stopped:
            emit(event="stopped", reason=str(stopped))
            return EXIT_CODE_STOPPED
        except Exception as error:
            traceback.print_exc()
            text = str(error) if isinstance(error, JobFailure) else f"{type(error).__name__}: {error}"
            output = Path(os.environ.get("SM_OUTPUT_DIR", "/opt/ml/output"))
            output.mkdir(parents=True, exist_ok=True)
            (output / "failure").write_text(text[:FAILURE_TEXT_MAX_CHARS], encoding="utf-8")
            return 1
        return 0

    return wrapped
