"""What a fine-tune leaves behind."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from support import Job, a_record, write_channel
from transformers import AutoModelForCausalLM, AutoTokenizer

QUICK = {"epochs": 1, "batch_size": 4, "logging_steps": 2, "lora_rank": 4, "checkpoint_steps": 100}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, channels):
    """One fine-tune that several tests look at."""
    place = tmp_path_factory.mktemp("tuned")
    run = Job("finetune", place, {name: channels[name] for name in ("model", "train")}, QUICK | {"epochs": 2})
    assert run.run() == 0, run.log
    return run


def test_a_fine_tune_gives_servable_weights_an_adapter_snapshots_and_figures(tuned, tiny):
    merged = AutoModelForCausalLM.from_pretrained(tuned.model_dir / "merged")
    tokenizer = AutoTokenizer.from_pretrained(tuned.model_dir / "merged")
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(tiny).chat_template
    assert merged.generation_config.eos_token_id == tokenizer.eos_token_id

    figures = tuned.output("metrics.json")
    assert figures["records"] == 24
    assert figures["steps"] == 12
    assert figures["recordsTooLong"] == []
    assert figures["resumedFrom"] is None
    assert figures["curve"][-1]["loss"] < figures["curve"][0]["loss"]
    progress = [json.loads(line) for line in (tuned.checkpoints / "progress.jsonl").read_text().splitlines()]
    assert [{"step": point["step"], "loss": point["loss"]} for point in progress] == figures["curve"]
    assert all(point["tokens_per_second"] >= 0 for point in progress)
    snapshots = sorted(path.name for path in (tuned.model_dir / "snapshots").iterdir())
    assert snapshots == ["step-000002", "step-000006", "step-000010"]
    rate = json.loads((tuned.model_dir / "snapshots" / "step-000006" / "snapshot.json").read_text())["learningRate"]
    assert 0 < rate <= 1e-3


def test_merged_weights_are_the_base_and_the_adapter_and_nothing_else(tuned, tiny):
    merged = AutoModelForCausalLM.from_pretrained(tuned.model_dir / "merged")
    base = AutoModelForCausalLM.from_pretrained(tiny)
    ids = torch.arange(5, 45).unsqueeze(0)
    before = base(ids).logits
    adapted = PeftModel.from_pretrained(base, tuned.model_dir / "adapter")
    assert torch.allclose(adapted(ids).logits, merged(ids).logits, atol=1e-4)
    assert not torch.allclose(before, merged(ids).logits, atol=1e-2)


def test_metric_lines_are_json_that_a_metric_definition_can_read(tuned):
    steps = [json.loads(line) for line in tuned.log.splitlines() if line.startswith('{"step"')]
    assert [line["step"] for line in steps] == [1, 2, 4, 6, 8, 10, 12]
    assert all({"loss", "learning_rate", "tokens_per_second", "max_steps"} <= line.keys() for line in steps)
    assert '"loss": ' in tuned.log


def test_outputs_do_not_name_this_machine(tuned, tiny):
    for path in tuned.model_dir.rglob("*"):
        if path.is_file() and path.suffix in {".json", ".md", ".jinja"}:
            assert str(Path(tiny).parent) not in path.read_text(), path


def test_the_same_seed_gives_the_same_adapter_and_another_seed_another(job):
    runs = {}
    for name, seed in {"first": 1, "again": 1, "other": 2}.items():
        run = job("finetune", ["model", "train"], name, seed=seed, **QUICK)
        assert run.run() == 0, run.log
        runs[name] = {path.name: path.read_bytes() for path in (run.model_dir / "adapter").iterdir()}
    assert runs["first"] == runs["again"]
    assert runs["first"]["adapter_model.safetensors"] != runs["other"]["adapter_model.safetensors"]


def test_records_longer_than_the_limit_are_named_not_cut(job, tmp_path):
    records = [a_record(number) for number in range(8)]
    records[3]["messages"][0]["content"] = "long " * 40
    run = job("finetune", ["model"], extra={"train": write_channel(tmp_path / "long", records)}, **QUICK)
    assert run.run() == 0, run.log
    assert run.output("metrics.json")["recordsTooLong"] == ["r3"]


def test_only_the_upper_layers_learn_when_the_lower_ones_are_left_alone(job):
    from safetensors.torch import load_file

    run = job("finetune", ["model", "train"], lora_first_layer=1, **QUICK)
    assert run.run() == 0, run.log
    names = load_file(run.model_dir / "adapter" / "adapter_model.safetensors").keys()
    assert names
    assert all(".layers.1." in name for name in names)


def test_the_settings_of_a_gpu_run_on_a_cpu_too(job):
    run = job("finetune", ["model", "train"], dtype="bfloat16", gradient_checkpointing=True, **QUICK)
    assert run.run() == 0, run.log
    merged = AutoModelForCausalLM.from_pretrained(run.model_dir / "merged")
    assert merged.dtype == torch.bfloat16


def test_scoring_only_the_answers_changes_no_loss(tiny):
    """The shortcut of score_completions_only gives TRL's own log probabilities."""
    import trl.trainer.utils as trl_utils

    from chat import score_completions_only

    ids = torch.randint(3, 90, (3, 20), generator=torch.Generator().manual_seed(0))
    labels = ids.clone()
    labels[:, :12] = -100
    seen = []
    original = trl_utils._use_triton
    try:
        for shortcut in (False, True):
            trl_utils._use_triton = original
            if shortcut:
                score_completions_only()
            model = AutoModelForCausalLM.from_pretrained(tiny)
            trl_utils.add_fused_lm_head(model)
            output = model(input_ids=ids, labels=labels, fused_lm_head=True)
            output.log_probs.sum().backward()
            seen.append((output.log_probs.detach(), model.model.layers[0].mlp.up_proj.weight.grad))
    finally:
        trl_utils._use_triton = original
    assert torch.allclose(seen[0][0], seen[1][0], atol=1e-5)
    assert torch.allclose(seen[0][1], seen[1][1], atol=1e-4)


def test_a_job_without_its_channel_says_so(job):
    run = job("finetune", ["model"], **QUICK)
    assert run.run() == 1
    assert run.failure == "missing-channel: expected an input channel named train, saw none"
