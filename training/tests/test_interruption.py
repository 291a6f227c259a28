"""A run that is interrupted ends with the weights of one that is not."""

import random
import shutil
from signal import SIGKILL, SIGTERM

import pytest
import torch
from safetensors.torch import load_file

STEPS = 12

RUNS = {
    "finetune": (
        ["model", "train"],
        {"epochs": 2, "batch_size": 4, "logging_steps": 1, "checkpoint_steps": 2, "lora_rank": 4},
        "adapter",
    ),
    "reward_model": (
        ["model", "pairs"],
        {"max_steps": STEPS, "batch_size": 4, "checkpoint_steps": 2, "lora_rank": 4},
        "reward-model",
    ),
    "align": (
        ["model", "prompts"],
        {
            "max_steps": STEPS,
            "batch_size": 8,
            "max_new_tokens": 8,
            "checkpoint_steps": 2,
            "lora_rank": 4,
            "learning_rate": 1e-3,
        },
        "adapter",
    ),
}


@pytest.fixture(scope="module")
def reward_channel(tmp_path_factory, channels):
    from support import Job

    place = tmp_path_factory.mktemp("reward")
    trained = Job("reward_model", place, {k: channels[k] for k in ("model", "pairs")}, {"max_steps": 2, "lora_rank": 4})
    assert trained.run() == 0, trained.log
    return trained.model_dir / "reward-model"


def weights(job, folder):
    return load_file(job.model_dir / folder / "adapter_model.safetensors")


@pytest.mark.parametrize("name", RUNS)
def test_a_run_killed_and_stopped_at_random_steps_ends_with_the_same_weights(name, job, reward_channel):
    wanted, hyperparameters, folder = RUNS[name]
    extra = {"reward": reward_channel} if name == "align" else {}
    whole = job(name, wanted, "whole", extra, checkpoint_key="run-1", seed=5, **hyperparameters)
    assert whole.run() == 0, whole.log

    killed_at = random.randint(3, 5)
    stopped_at = random.randint(6, 9)
    print(f"killed at step {killed_at}, stopped at step {stopped_at}")
    broken = job(name, wanted, "broken", extra, checkpoint_key="run-1", seed=5, **hyperparameters)
    assert broken.run_and_signal(killed_at, SIGKILL) == -SIGKILL
    assert not (broken.model_dir / folder).exists()

    # What a crash while saving leaves behind: a newer folder without its marker, and one whose marker came through
    # although a file did not.
    newest = max(broken.checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    shutil.copytree(newest, broken.checkpoints / "checkpoint-998")
    (broken.checkpoints / "checkpoint-998" / "complete.json").unlink()
    shutil.copytree(newest, broken.checkpoints / "checkpoint-999")
    torn = broken.checkpoints / "checkpoint-999" / "optimizer.pt"
    torn.write_bytes(torn.read_bytes()[:-100])

    assert broken.run_and_signal(stopped_at, SIGTERM) == 143, broken.log
    skipped = {event["checkpoint"] for event in broken.events("checkpoint-skipped")}
    assert {"checkpoint-998", "checkpoint-999"} <= skipped
    assert broken.run() == 0, broken.log
    starts = [event["resumed_from"] for event in broken.events("training")]
    assert starts[0] is None
    assert int(starts[1].split("-")[1]) in range(1, killed_at + 2)
    assert int(starts[2].split("-")[1]) in range(stopped_at, stopped_at + 3)

    expected, seen = weights(whole, folder), weights(broken, folder)
    assert expected.keys() == seen.keys()
    for key in expected:
        assert torch.allclose(expected[key], seen[key], rtol=0, atol=1e-6), key
    untrained = [key for key in expected if "lora_B" in key and not expected[key].any()]
    assert not untrained, "weights that never moved would be equal whatever happened"


def test_checkpoints_of_another_run_are_refused(job):
    wanted, hyperparameters, _ = RUNS["finetune"]
    first = job("finetune", wanted, "run", checkpoint_key="run-1", **hyperparameters)
    assert first.run_and_signal(4, SIGTERM) == 143
    second = job("finetune", wanted, "run", checkpoint_key="run-2", **hyperparameters)
    assert second.run() == 1
    assert second.failure.startswith("checkpoint-of-another-run: expected checkpoints made under the key run-2")
    assert not (second.model_dir / "adapter").exists()


def test_a_checkpoint_holds_the_adapter_and_its_optimizer_and_little_else(job):
    wanted, hyperparameters, _ = RUNS["finetune"]
    run = job("finetune", wanted, **hyperparameters)
    assert run.run() == 0, run.log
    folders = list(run.checkpoints.glob("checkpoint-*"))
    assert len(folders) == 2
    for folder in folders:
        assert {path.name for path in folder.iterdir()} == {
            "adapter_config.json",
            "adapter_model.safetensors",
            "complete.json",
            "optimizer.pt",
            "rng_state.pth",
            "scheduler.pt",
            "trainer_state.json",
        }
