"""Confidence intervals of the figures that the jobs report, at 95 %."""

import math

# The normal distribution's quantile for a two-sided 95 % interval.
Z_95 = 1.959963984540054


def wilson(successes: float, n: int) -> tuple[float, float]:
    """Wilson score interval of a proportion (Wilson 1927), as shares between 0 and 1. Nothing seen: (0, 1)."""
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    denominator = 1 + Z_95**2 / n
    center = (share + Z_95**2 / (2 * n)) / denominator
    half = Z_95 * math.sqrt(share * (1 - share) / n + Z_95**2 / (4 * n * n)) / denominator
    # At the ends the formula gives 0 and 1 exactly, floating point nearly.
    return (0.0 if successes == 0 else center - half), (1.0 if successes == n else center + half)
