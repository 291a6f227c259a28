"""A Retry waits at most 60 seconds whatever it says, and ignores MaxDelaySeconds and JitterStrategy. Here it waits
as long as it would on AWS."""

import random
from typing import Any

from ministack.services import stepfunctions

from patching import rewrite


def apply() -> None:
    rewrite(
        stepfunctions,
        "_execute_task",
        ("_scaled_sleep(min(sleep_sec, 60))", "_scaled_sleep(_retry_delay(retrier, sleep_sec))"),
    )
    rewrite(
        stepfunctions,
        "_with_retry_and_catch",
        (
            '_scaled_sleep(min(interval * (retrier.get("BackoffRate", 2.0) ** count), 60))',
            '_scaled_sleep(_retry_delay(retrier, interval * (retrier.get("BackoffRate", 2.0) ** count)))',
        ),
    )
    stepfunctions._retry_delay = retry_delay


def retry_delay(retrier: dict[str, Any], backed_off: float) -> float:
    delay = min(backed_off, retrier.get("MaxDelaySeconds", backed_off))
    return random.uniform(0, delay) if retrier.get("JitterStrategy") == "FULL" else delay
