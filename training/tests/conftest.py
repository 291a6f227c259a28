import os
import sys
from pathlib import Path

TRAINING = Path(__file__).resolve().parent.parent
# Inherited by the fork server: where the jobs are, and one thread each, since the tiny model gains nothing from more.
os.environ["PYTHONPATH"] = os.pathsep.join([str(TRAINING), str(TRAINING / "tests")])
os.environ["OMP_NUM_THREADS"] = "1"
sys.path[:0] = [str(TRAINING), str(TRAINING / "tests")]

import pytest
from support import Job, a_pair, a_question, a_record, write_channel


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Folder of a tiny random model."""
    from tiny_model import write_tiny_model

    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_model(folder, seed=1)
    return folder


@pytest.fixture(scope="session")
def channels(tmp_path_factory, tiny):
    """Every input that a job may want, made once."""
    folder = tmp_path_factory.mktemp("channels")
    return {
        "model": tiny,
        "train": write_channel(folder / "train", [a_record(number) for number in range(24)]),
        "sealed": write_channel(folder / "sealed", [a_question(number) for number in range(24, 36)]),
        "shots": write_channel(folder / "shots", [a_record(number) for number in range(3)]),
        "prompts": write_channel(folder / "prompts", [a_question(number) for number in range(40, 56)]),
        "pairs": write_channel(folder / "pairs", [a_pair(number) for number in range(40)]),
    }


@pytest.fixture
def job(tmp_path, channels):
    """Make a job: `job('finetune', ['model', 'train'], epochs=2)`."""

    def make(name, wanted, place=None, extra=None, **hyperparameters):
        chosen = {channel: channels[channel] for channel in wanted} | (extra or {})
        return Job(name, tmp_path / (place or name), chosen, hyperparameters)

    return make
