"""Sampling answers for validators."""

from generate import most_different


def test_each_prompt_gets_different_answers(job):
    run = job("generate", ["model", "prompts"], samples=3, max_new_tokens=6, seed=4)
    assert run.run() == 0, run.log
    answers = run.answers()
    assert [line["id"] for line in answers] == [f"q{number}" for number in range(40, 56)]
    assert all(len(line["answers"]) == len(set(line["answers"])) == 3 for line in answers)
    assert run.output("metrics.json")["withAllSamples"] == 16


def test_the_seed_decides_the_answers(job):
    seen = {}
    for name, seed in {"first": 1, "again": 1, "other": 2}.items():
        run = job("generate", ["model", "prompts"], name, samples=2, max_new_tokens=6, seed=seed)
        assert run.run() == 0, run.log
        seen[name] = run.answers()
    assert seen["first"] == seen["again"]
    assert seen["first"] != seen["other"]


def test_greedy_answers_are_those_of_the_evaluation(job, channels):
    greedy = job("generate", ["model", "prompts"], samples=1, temperature=0, max_new_tokens=6)
    assert greedy.run() == 0, greedy.log
    scored = job("evaluate", ["model"], extra={"sealed": channels["prompts"]}, system="base", max_new_tokens=6)
    assert scored.run() == 0, scored.log
    assert [line["answers"] for line in greedy.answers()] == [
        [line["answer"]] if line["answer"] else [] for line in scored.answers()
    ]


def test_several_greedy_answers_are_refused(job):
    run = job("generate", ["model", "prompts"], samples=2, temperature=0)
    assert run.run() == 1
    assert run.failure.startswith("greedy-is-one-answer")


def test_equal_and_empty_answers_count_once_and_not_at_all():
    assert most_different(["a", "a", "", "b"], 3) == ["a", "b"]


def test_of_the_answers_drawn_the_least_alike_are_kept():
    drawn = ["s3:GetObject", "s3:GetObjects", "s3:ListBucket (List)", "s3:GetObject"]
    assert most_different(drawn, 2) == ["s3:GetObject", "s3:ListBucket (List)"]
