"""Scores, and what counts as a right answer."""

import pytest
import torch

from chat import StopAfterFirstLine, answer_prompts, load_model, load_tokenizer, shared_beginning
from evaluate import COMPARISONS, score
from intervals import wilson


def test_scores_have_their_interval_and_every_answer_is_published(job):
    run = job("evaluate", ["model", "sealed", "shots"], system="base,few-shot", max_new_tokens=6)
    assert run.run() == 0, run.log
    scores = run.output("scores.json")
    assert scores.keys() == {"base", "few-shot"}
    for system in scores.values():
        assert system["n"] == 12
        assert 0 <= system["low"] <= system["exactMatch"] <= system["high"] <= 1
    answers = run.answers()
    assert [line["id"] for line in answers if line["system"] == "base"] == [f"q{number}" for number in range(24, 36)]
    assert {line["system"] for line in answers} == {"base", "few-shot"}
    assert all(isinstance(line["correct"], bool) for line in answers)
    base, few_shot = ([a["answer"] for a in answers if a["system"] == system] for system in ("base", "few-shot"))
    assert base != few_shot, "the examples were not shown"


@pytest.mark.parametrize(
    ("compare", "answer", "right"),
    [
        ("whole", "s3:PutObject", True),
        ("whole", "s3:PutObject\nand more", False),
        ("first-line", " s3:PutObject \nand more", True),
        ("first-line", "s3:PutObject (Write)", False),
        ("before-parenthesis", "s3:PutObject (Write)", True),
        ("before-parenthesis", "s3:PutObjects (Write)", False),
        ("before-parenthesis", "", False),
    ],
)
def test_an_answer_is_right(compare, answer, right):
    figures, lines = score("tuned", [answer], [{"id": "q", "answer": "s3:PutObject"}], compare)
    assert lines[0]["correct"] is right
    assert figures["exactMatch"] == (1.0 if right else 0.0)


def test_an_expected_remark_in_brackets_is_not_asked_for():
    assert COMPARISONS["before-parenthesis"]("s3:PutObject (Write)") == COMPARISONS["before-parenthesis"](
        "s3:PutObject"
    )


def test_the_interval_is_wilsons():
    # 10 of 20: Wilson's interval from the formula by hand.
    low, high = wilson(10, 20)
    assert low == pytest.approx(0.29929, abs=1e-4)
    assert high == pytest.approx(0.70071, abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(20, 20)[1] == 1.0


def test_greedy_answers_do_not_depend_on_the_company_in_a_batch(tiny):
    model, tokenizer = load_model(tiny, "float32"), load_tokenizer(tiny)
    conversations = [[{"role": "user", "content": "word " * (1 + number % 5)}] for number in range(7)]
    alone = answer_prompts(model, tokenizer, conversations, max_new_tokens=8, batch_size=1)
    together = answer_prompts(model, tokenizer, conversations, max_new_tokens=8, batch_size=7)
    assert alone == together


def test_answers_are_those_of_each_prompt_read_whole_and_alone(tiny):
    model, tokenizer = load_model(tiny, "float32"), load_tokenizer(tiny)
    shots = [{"role": "user", "content": "one two three"}, {"role": "assistant", "content": "four"}]
    conversations = [[*shots, {"role": "user", "content": "word " * (1 + number % 5)}] for number in range(7)]
    prompts = [tokenizer.apply_chat_template(turns, add_generation_prompt=True)["input_ids"] for turns in conversations]
    assert shared_beginning(prompts) > 5
    plain = [
        model.generate(torch.tensor([prompt]), max_new_tokens=8, do_sample=False, pad_token_id=tokenizer.pad_token_id)
        for prompt in prompts
    ]
    expected = [
        [tokenizer.decode(ids[0][len(prompt) :], skip_special_tokens=True).strip()]
        for ids, prompt in zip(plain, prompts, strict=True)
    ]
    assert answer_prompts(model, tokenizer, conversations, max_new_tokens=8, batch_size=3) == expected
    # Greedy samples are all the same answer, each in the place of its prompt.
    thrice = answer_prompts(model, tokenizer, conversations, max_new_tokens=8, batch_size=3, samples=3)
    assert thrice == [answers * 3 for answers in expected]


def test_the_shared_beginning_leaves_each_prompt_a_token():
    assert shared_beginning([[1, 2, 3], [1, 2, 4]]) == 2
    assert shared_beginning([[1, 2], [1, 2]]) == 1
    assert shared_beginning([[1, 2, 3], [1]]) == 0
    assert shared_beginning([[5], [6, 7]]) == 0


def test_an_answer_ends_at_the_first_break_after_some_text(tiny):
    tokenizer = load_tokenizer(tiny)
    stop = StopAfterFirstLine(tokenizer, prompt_tokens=2)
    text = [tokenizer(line)["input_ids"] for line in ("xxab\n", "xx\n\n\n", "xxabc", "xx\na\n")]
    stopped = [bool(stop(torch.tensor([ids]), None)[0]) for ids in text]
    assert stopped == [True, False, False, True]


def test_an_unknown_system_is_refused(job):
    run = job("evaluate", ["model", "sealed"], system="best")
    assert run.run() == 1
    assert run.failure.startswith("unknown-system")
