"""The order in which a run meets its records."""

import random

# How many batches' worth of records are sorted by length together: enough to save most padding, and little enough
# that the order stays close to random.
LENGTH_WINDOW_BATCHES = 8


def training_order(lengths: list[int], count: int, batch_size: int, seed: int) -> list[int]:
    """`count` indices into the records: pass after pass, each shuffled anew, records of like length together.

    The trainers' own samplers draw each pass from a generator whose state no checkpoint holds, so that a run which
    goes on at the border of two passes would meet other batches. This order is a plain function of its arguments, and
    the trainers are given all of it as one pass.
    """
    chance = random.Random(seed)
    order: list[int] = []
    while len(order) < count:
        shuffled = list(range(len(lengths)))
        chance.shuffle(shuffled)
        window = batch_size * LENGTH_WINDOW_BATCHES
        batches = []
        for start in range(0, len(shuffled), window):
            near = sorted(shuffled[start : start + window], key=lambda index: lengths[index])
            batches += [near[first : first + batch_size] for first in range(0, len(near), batch_size)]
        # A short batch goes last: in the middle it would shift the batches after it.
        short = [batch for batch in batches if len(batch) < batch_size]
        whole = [batch for batch in batches if len(batch) == batch_size]
        chance.shuffle(whole)
        order += [index for batch in whole + short for index in batch]
    return order[:count]
