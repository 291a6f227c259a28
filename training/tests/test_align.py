"""Alignment moves the model where the reward points."""

import math

import pytest
import torch
from safetensors.torch import load_file, save_file
from support import Job
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from align import RewardScorer


@pytest.fixture(scope="module")
def reward_model(tmp_path_factory, channels):
    run = Job(
        "reward_model",
        tmp_path_factory.mktemp("reward"),
        {name: channels[name] for name in ("model", "pairs")},
        {"max_steps": 20, "lora_rank": 8, "learning_rate": 3e-3},
    )
    assert run.run() == 0, run.log
    return run.model_dir / "reward-model"


def test_rloo_raises_the_reward_and_writes_a_servable_model(job, reward_model, tiny):
    run = job(
        "align",
        ["model", "prompts"],
        extra={"reward": reward_model},
        max_steps=14,
        batch_size=16,
        max_new_tokens=6,
        learning_rate=1e-2,
        beta=0.001,
        lora_rank=8,
        checkpoint_steps=100,
    )
    assert run.run() == 0, run.log
    figures = run.output("metrics.json")
    rewards = [point["reward"] for point in figures["rewards"]]
    assert len(rewards) == figures["steps"] == 14
    assert sum(rewards[-4:]) > sum(rewards[:4])
    first, second = (
        AutoModelForCausalLM.from_pretrained(run.model_dir / "merged"),
        AutoModelForCausalLM.from_pretrained(tiny),
    )
    ids = torch.arange(5, 45).unsqueeze(0)
    assert not torch.allclose(first(ids).logits, second(ids).logits, atol=1e-3)
    assert (run.model_dir / "merged" / "chat_template.jinja").is_file()


def test_dpo_begins_at_the_logarithm_of_two(job):
    run = job("align", ["model", "pairs"], recipe="dpo", max_steps=6, batch_size=4, lora_rank=4, learning_rate=1e-3)
    assert run.run() == 0, run.log
    curve = run.output("metrics.json")["curve"]
    assert curve[0]["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert curve[-1]["loss"] < curve[0]["loss"]


def test_the_reward_is_the_parents_view_and_needs_no_second_copy(tiny, reward_model):
    """The adapter over the policy's weights scores as the trained reward model does, also once the policy has moved."""
    from peft import LoraConfig, PeftModel, get_peft_model

    ids = torch.randint(3, 90, (4, 30), generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    alone = PeftModel.from_pretrained(
        AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=1, pad_token_id=2), reward_model
    ).eval()
    policy = AutoModelForCausalLM.from_pretrained(tiny)
    scorer = RewardScorer(policy, reward_model)
    shared = {tensor.data_ptr() for tensor in policy.parameters()}
    own = [tensor for tensor in scorer.parameters() if tensor.data_ptr() not in shared]
    assert sum(tensor.numel() for tensor in own) < 0.5 * sum(tensor.numel() for tensor in policy.parameters())

    policy = get_peft_model(policy, LoraConfig(r=4, target_modules=["up_proj", "q_proj"]))
    with torch.no_grad():
        expected = alone(**inputs).logits
        assert torch.allclose(scorer(**inputs).logits, expected, atol=1e-5)
        before = policy(ids).logits
        for name, parameter in policy.named_parameters():
            if "lora_B" in name:
                parameter += 0.1
        assert not torch.allclose(policy(ids).logits, before, atol=1e-2)
        assert torch.allclose(scorer(**inputs).logits, expected, atol=1e-5)


def test_a_reward_head_that_was_not_trained_would_show(tiny, reward_model, tmp_path):
    """The score head comes from the adapter's file: without it the scores differ."""
    weights = load_file(reward_model / "adapter_model.safetensors")
    assert [name for name in weights if "score" in name]
    for path in reward_model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    save_file({n: w * 0 if "score" in n else w for n, w in weights.items()}, tmp_path / "adapter_model.safetensors")
    ids = torch.randint(3, 90, (2, 10))
    policy = AutoModelForCausalLM.from_pretrained(tiny)
    with torch.no_grad():
        assert RewardScorer(policy, reward_model)(input_ids=ids).logits.abs().sum() > 0
        assert RewardScorer(policy, tmp_path)(input_ids=ids).logits.abs().sum() == 0


def test_an_unknown_recipe_is_refused(job):
    run = job("align", ["model", "pairs"], recipe="ppo")
    assert run.run() == 1
    assert run.failure.startswith("unknown-recipe")
