"""Which execution the current thread works for: MiniStack's task handlers are only given resource and data."""

import contextvars
import threading
from typing import Any

from ministack.services import stepfunctions

from patching import expect_parameters, wrap

_execution: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("execution", default=None)
_timed_out: contextvars.ContextVar[threading.Event | None] = contextvars.ContextVar("timed_out", default=None)
_tracking = False


class ExecutionEnded(Exception):
    """Not an `_ExecutionError`, so that no Retry and no Catch of the ended execution sees it."""


def track() -> None:
    """Makes the functions below work; every patch that uses them calls it."""
    global _tracking
    if _tracking:
        return
    _tracking = True
    expect_parameters(stepfunctions._execute_task, "state_def", "raw_input", "execution", "ctx")
    wrap(stepfunctions, "_execute_task", _task_of_execution)
    wrap(stepfunctions, "_invoke_resource_with_timeout", _noting_timeout)


def current() -> dict[str, Any] | None:
    """The execution, as MiniStack keeps it."""
    return _execution.get()


def raise_if_ended() -> None:
    execution = current()
    if execution is not None and execution["status"] != "RUNNING":
        raise ExecutionEnded(f"{execution['executionArn']} is {execution['status']}")


def is_wanted() -> bool:
    """False once the result of the current task interests nobody: execution ended, or state timed out."""
    execution, timed_out = _execution.get(), _timed_out.get()
    ended = execution is not None and execution["status"] != "RUNNING"
    return not ended and not (timed_out is not None and timed_out.is_set())


def _task_of_execution(original: Any, state_def: Any, raw_input: Any, execution: Any, ctx: Any) -> Any:
    token = _execution.set(execution)
    try:
        return original(state_def, raw_input, execution, ctx)
    finally:
        _execution.reset(token)


def _noting_timeout(original: Any, *args: Any) -> Any:
    timed_out = threading.Event()
    token = _timed_out.set(timed_out)
    try:
        return original(*args)
    except stepfunctions._ExecutionError as error:
        if error.error == "States.Timeout":
            timed_out.set()
        raise
    finally:
        _timed_out.reset(token)
