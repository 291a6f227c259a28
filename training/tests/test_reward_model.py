"""The reward model learns a preference where there is one, and says so where there is none."""

import pytest
from support import a_pair, write_channel

from reward_model import is_held_out

LEARN = {"max_steps": 24, "batch_size": 8, "lora_rank": 8, "learning_rate": 3e-3, "checkpoint_steps": 100}


def test_a_clear_preference_is_learned(job):
    run = job("reward_model", ["model", "pairs"], **LEARN)
    assert run.run() == 0, run.log
    figures = run.output("metrics.json")
    assert figures["outcome"] == "trained"
    assert figures["heldOut"]["low"] > 0.5
    assert figures["heldOut"]["n"] + figures["pairs"] == 40
    assert {path.name for path in (run.model_dir / "reward-model").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }


def test_shuffled_preferences_give_a_weak_reward(job, tmp_path):
    # Each side is chosen half of the time and nothing in the prompt says which.
    halves = [a_pair(number) if number % 4 < 2 else a_pair(number, "no", "yes it is") for number in range(60)]
    run = job("reward_model", ["model"], extra={"pairs": write_channel(tmp_path / "shuffled", halves)}, **LEARN)
    assert run.run() == 0, run.log
    figures = run.output("metrics.json")
    assert figures["outcome"] == "weak-reward"
    assert figures["heldOut"]["low"] <= 0.5


def test_a_prompt_never_stands_on_both_sides_of_the_test():
    pairs = [a_pair(number, f"answer {side}") for number in range(200) for side in range(2)]
    held_out = {pair["messages"][0]["content"] for pair in pairs if is_held_out(pair, 0.25)}
    taught = {pair["messages"][0]["content"] for pair in pairs if not is_held_out(pair, 0.25)}
    assert not held_out & taught
    assert len(held_out) == pytest.approx(50, abs=20)


def test_a_pair_without_weight_teaches_nothing(job, tmp_path):
    """Pairs that say the contrary, at weight zero, leave the preference of the others."""
    contrary = [a_pair(number, "no", "yes it is") | {"weight": 0.0} for number in range(100, 140)]
    right = [a_pair(number) for number in range(40)]
    channel = write_channel(tmp_path / "weighted", right + contrary)
    run = job("reward_model", ["model"], extra={"pairs": channel}, **LEARN, held_out_share=0.2)
    assert run.run() == 0, run.log
    last = run.output("metrics.json")["curve"][-5:]
    assert sum(point["loss"] for point in last) / len(last) < 0.3


def test_too_few_pairs_are_refused(job, tmp_path):
    run = job("reward_model", ["model"], extra={"pairs": write_channel(tmp_path / "few", [a_pair(1)])}, **LEARN)
    assert run.run() == 1
    assert run.failure.startswith("too-few-pairs")
