"""EventBridge Scheduler looks at its schedules every 10 seconds, and hands a target the words
`<aws.scheduler.scheduled-time>` instead of the time. Here a schedule fires within half a second of its
moment, and the four context attributes are filled in."""

from datetime import UTC, datetime
from typing import Any

from ministack.services import scheduler

from patching import expect, rewrite

TICK_SECONDS = 0.25


def apply() -> None:
    expect(scheduler._SCHEDULE_TICK_INTERVAL == 10, "the scheduler has another interval")
    scheduler._SCHEDULE_TICK_INTERVAL = TICK_SECONDS
    rewrite(
        scheduler,
        "_tick_schedules",
        (
            "_eb._invoke_target(target, event, sched)",
            "_eb._invoke_target(_with_context(target, sched, at_epoch or now, event), event, sched)",
        ),
    )
    scheduler._with_context = with_context


def with_context(target: dict[str, Any], schedule: dict[str, Any], at: float, event: dict[str, Any]) -> dict[str, Any]:
    """The target with its input's context attributes replaced, as the Scheduler user guide lists them."""
    text = target.get("Input")
    if not isinstance(text, str) or "<aws.scheduler." not in text:
        return target
    attributes = {
        "schedule-arn": schedule["Arn"],
        "scheduled-time": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "execution-id": event["EventId"],
        "attempt-number": "1",
    }
    for name, value in attributes.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return {**target, "Input": text}
