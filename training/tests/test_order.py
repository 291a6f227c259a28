"""The order of training."""

from collections import Counter

from order import training_order


def test_each_pass_meets_every_record_once():
    order = training_order([number % 7 for number in range(50)], count=125, batch_size=8, seed=3)
    assert len(order) == 125
    assert Counter(order[:50]) == Counter(range(50))
    assert Counter(order[50:100]) == Counter(range(50))
    assert order[:50] != order[50:100]


def test_the_order_depends_on_its_arguments_alone():
    lengths = [number * 13 % 29 for number in range(40)]
    assert training_order(lengths, 80, 4, seed=1) == training_order(lengths, 80, 4, seed=1)
    assert training_order(lengths, 80, 4, seed=1) != training_order(lengths, 80, 4, seed=2)
    # A longer run begins as a shorter one does.
    assert training_order(lengths, 200, 4, seed=1)[:80] == training_order(lengths, 80, 4, seed=1)


def test_a_batch_holds_records_of_like_length():
    lengths = [number * 37 % 101 for number in range(64)]
    order = training_order(lengths, 64, 8, seed=0)
    spread = [
        max(chunk) - min(chunk)
        for start in range(0, 64, 8)
        for chunk in [[lengths[i] for i in order[start : start + 8]]]
    ]
    assert max(spread) <= 20
