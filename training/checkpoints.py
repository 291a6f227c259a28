"""Checkpoints that a run may trust: whole, and of this very run.

A checkpoint counts once its `complete.json` is there and names every file with size and SHA-256. It is written last
and renamed into place, so a crash while saving, or a copy to S3 that was cut short, leaves a folder that is skipped.
It also holds the run's key, the hash of dataset root, recipe, code and parent: weights of one run never flow into
another that was not voted.
"""

import json
import re
import shutil
from pathlib import Path

from transformers import TrainerCallback

from job import JobFailure, StopSignal, emit, write_json
from prepare_base_model import sha256_file

COMPLETE = "complete.json"
FOLDER = re.compile(r"checkpoint-(\d+)")

# The newest one may be lost to a kill while it is written, so the one before it stays.
KEPT_CHECKPOINTS = 2

# Written into each checkpoint by the trainers, and not needed to go on from it.
NOT_NEEDED = ("README.md", "training_args.bin", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def mark_complete(folder: Path, key: str, step: int) -> None:
    """Declare all files now in the folder to be one whole checkpoint of the run `key`."""
    for name in NOT_NEEDED:
        (folder / name).unlink(missing_ok=True)
    files = [
        {"path": path.relative_to(folder).as_posix(), "sizeBytes": path.stat().st_size, "sha256": sha256_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != COMPLETE
    ]
    write_json(folder / COMPLETE, {"key": key, "step": step, "files": files})


def is_complete(folder: Path) -> bool:
    """True where every file that complete.json names is there with its size and digest."""
    try:
        marker = json.loads((folder / COMPLETE).read_text())
        return all(
            (folder / file["path"]).is_file()
            and (folder / file["path"]).stat().st_size == file["sizeBytes"]
            and sha256_file(folder / file["path"]) == file["sha256"]
            for file in marker["files"]
        )
    except (OSError, ValueError, KeyError):
        return False


def latest_checkpoint(root: Path, key: str) -> Path | None:
    """The whole checkpoint with the highest step, or None to start from the beginning.

    Folders that are not whole are removed, so that the trainer's own rotation does not count them.
    Raises JobFailure `checkpoint-of-another-run` where a checkpoint was made under another key.
    """
    folders = {int(match[1]): path for path in root.glob("checkpoint-*") if (match := FOLDER.fullmatch(path.name))}
    newest = None
    for step in sorted(folders):
        if not is_complete(folders[step]):
            emit(event="checkpoint-skipped", checkpoint=folders[step].name, reason="incomplete")
            shutil.rmtree(folders[step])
            continue
        seen = json.loads((folders[step] / COMPLETE).read_text())["key"]
        if seen != key:
            raise JobFailure("checkpoint-of-another-run", f"checkpoints made under the key {key}", seen)
        newest = folders[step]
    return newest


class CheckpointCallback(TrainerCallback):
    """Marks checkpoints complete, and turns a SIGTERM into a checkpoint and an orderly end."""

    def __init__(self, key: str, stop: StopSignal) -> None:
        self.key = key
        self.stop = stop

    def on_step_end(self, args, state, control, **kwargs):
        if self.stop.received:
            control.should_save = True
            control.should_training_stop = True

    def on_save(self, args, state, control, **kwargs):
        mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}", self.key, state.global_step)
        emit(event="checkpoint", step=state.global_step)
