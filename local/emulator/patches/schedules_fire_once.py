"""Which one-time schedules have fired is forgotten at a restart, so that they fire again, and is remembered
when a schedule of the same name is made anew, so that it never fires. Here it is kept, and belongs to one
creation or update."""

from typing import Any

from ministack.services import scheduler

from patching import expect, expect_parameters, wrap


def apply() -> None:
    expect(isinstance(scheduler._schedule_last_fired, dict), "the record of fired schedules is no longer a dict")
    wrap(scheduler, "get_state", with_fired)
    wrap(scheduler, "_restore_state", restore_fired)
    for change in ("_create_schedule", "_update_schedule"):
        expect_parameters(getattr(scheduler, change), "name", "body")
        wrap(scheduler, change, forget_fired)


def with_fired(original: Any) -> dict[str, Any]:
    fired = [[list(key), at] for key, at in list(scheduler._schedule_last_fired.items())]
    return {**original(), "fired": fired}


def restore_fired(original: Any, data: dict[str, Any]) -> None:
    original(data)
    scheduler._schedule_last_fired.update({tuple(key): at for key, at in data.get("fired", [])})


def forget_fired(original: Any, name: str, body: dict[str, Any]) -> Any:
    response = original(name, body)
    if response[0] == 200:
        key = f"{body.get('GroupName', 'default')}/{name}"
        scheduler._schedule_last_fired.pop((scheduler.get_account_id(), scheduler.get_region(), key), None)
    return response
