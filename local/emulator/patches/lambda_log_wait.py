"""Every warm call of a Lambda that logs nothing waits 50 ms for a first log line, which AWS does not: a
request would never be answered in less. Two milliseconds are enough for a line already written."""

from ministack.core.lambda_runtime import Worker

from patching import expect

FIRST_LINE_WAIT, IDLE_CONFIRM, HARD_CAP = 0.050, 0.005, 0.250


def apply() -> None:
    drain = Worker._drain_stderr_bounded
    expect(
        drain.__defaults__ == (FIRST_LINE_WAIT, IDLE_CONFIRM, HARD_CAP),
        f"the log wait has other defaults: {drain.__defaults__}",
    )
    drain.__defaults__ = (0.002, 0.002, HARD_CAP)
