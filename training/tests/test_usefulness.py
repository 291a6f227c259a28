"""Usefulness is a dot product of gradients, and its short cuts are measured."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from support import a_record, write_channel
from transformers import AutoModelForCausalLM

from chat import load_tokenizer
from usefulness import PerExampleGradients, example_of, gradients, interval


@pytest.fixture(scope="module")
def adapted(tiny):
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_pretrained(tiny)
    targets = ["q_proj", "v_proj", "up_proj", "down_proj"]
    model = get_peft_model(model, LoraConfig(r=4, target_modules=targets, init_lora_weights=False))
    return model.eval()


@pytest.fixture(scope="module")
def examples(tiny):
    tokenizer = load_tokenizer(tiny)
    return [example_of(tokenizer, a_record(number)["messages"]) for number in range(10)]


def by_autograd(model, tokens, begin, end):
    """One example's gradient in the plain way."""
    ids = torch.tensor([tokens])
    labels = ids.clone()
    labels[:, :begin] = -100
    labels[:, end:] = -100
    model.zero_grad()
    model(input_ids=ids, labels=labels).loss.backward()
    # The order of the collector: layer by layer as the model names them.
    return torch.cat(
        [
            module.weight.grad.flatten()
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and (".lora_A." in name or ".lora_B." in name)
        ]
    )


def test_gradients_of_a_batch_are_those_of_its_examples_one_by_one(adapted, examples):
    expected = torch.stack([by_autograd(adapted, *example) for example in examples])
    seen = gradients(adapted, PerExampleGradients(adapted, side=0, seed=0), examples, batch_size=4, pad=2)
    assert seen.shape == expected.shape
    assert torch.allclose(seen, expected, atol=1e-5, rtol=1e-3)
    assert seen.norm(dim=1).min() > 1e-3


def test_only_the_compared_part_of_a_question_counts(adapted, tiny):
    tokenizer = load_tokenizer(tiny)
    asked = {"role": "user", "content": "s3: put an object"}

    def answered(text, compare):
        return example_of(tokenizer, [asked, {"role": "assistant", "content": text}], compare)

    styled = answered("s3:PutObject (Write)", "before-parenthesis")
    counted = styled.tokens[styled.begin : styled.end]
    assert tokenizer.decode(counted) == "s3:PutObject"
    whole = answered("s3:PutObject (Write)", "whole")
    assert tokenizer.decode(whole.tokens[whole.begin : whole.end]).startswith("s3:PutObject (Write)")
    examples = [styled, answered("s3:PutObject", "before-parenthesis")]
    expected = torch.stack([by_autograd(adapted, *example) for example in examples])
    seen = gradients(adapted, PerExampleGradients(adapted, side=0, seed=0), examples, batch_size=2, pad=2)
    assert torch.allclose(seen, expected, atol=1e-5, rtol=1e-3)
    # What follows the compared part changes nothing.
    assert torch.allclose(seen[0], seen[1], atol=1e-5, rtol=1e-3)


def test_projected_dot_products_are_right_on_average(tiny, examples):
    """Against whole gradients: no bias over many projections, and a small error at the side that the jobs use."""

    def fresh():
        torch.manual_seed(3)
        model = AutoModelForCausalLM.from_pretrained(tiny)
        targets = ["q_proj", "v_proj", "up_proj", "down_proj"]
        return get_peft_model(model, LoraConfig(r=4, target_modules=targets, init_lora_weights=False)).eval()

    model = fresh()
    whole = gradients(model, PerExampleGradients(model, 0, 0), examples, 10, 2)
    exact = whole @ whole.T
    scale = exact.diagonal().mean()
    errors = []
    for seed in range(12):
        model = fresh()
        rows = gradients(model, PerExampleGradients(model, 16, seed), examples, 10, 2)
        errors.append((rows @ rows.T - exact) / scale)
    errors = torch.stack(errors)
    assert rows.shape[1] < whole.shape[1]
    assert errors.std(dim=0).max() < 0.3
    assert errors.mean(dim=0).abs().max() < 0.15


def test_the_interval_holds_the_mean_and_narrows_with_more_records():
    chance = torch.Generator().manual_seed(0)
    noise = torch.Generator().manual_seed(1)
    few = torch.randn(10, 20, generator=noise) + 1
    many = torch.randn(200, 200, generator=noise) + 1
    mean, low, high = interval(few, 500, chance)
    assert low < mean < high
    _, low_many, high_many = interval(many, 500, chance)
    assert high_many - low_many < high - low


def test_records_that_teach_the_questions_are_worth_more_than_ones_that_contradict_them(job, tmp_path, channels):
    """One contributor answers as the usefulness set does, one answers the same questions wrongly."""
    good = [a_record(n, contributor="good") for n in range(24)]
    wrong = [a_record(n, contributor="wrong") for n in range(100, 124)]
    for record in wrong:
        record["messages"][1]["content"] = record["messages"][1]["content"][::-1]
    train = write_channel(tmp_path / "mixed", good + wrong)
    tuned = job("finetune", ["model"], extra={"train": train}, epochs=4, batch_size=8, lora_rank=8, learning_rate=3e-3)
    assert tuned.run() == 0, tuned.log
    measured = job(
        "usefulness",
        ["model"],
        extra={"train": train, "snapshots": tuned.model_dir / "snapshots", "usefulness": channels["sealed"]},
        records_per_contributor=16,
        resamples=300,
    )
    assert measured.run() == 0, measured.log
    result = measured.output("usefulness.json")
    assert result.keys() == {"good", "wrong"}
    for one in result.values():
        assert one["low"] <= one["value"] <= one["high"]
        assert (one["records"], one["measured"]) == (24, 16)
    assert result["good"]["value"] > result["wrong"]["value"]
    assert result["good"]["low"] > 0
