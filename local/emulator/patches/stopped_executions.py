"""An execution that was stopped (or timed out) goes on calling tasks of the state that it was in, its retries
included, and a later error turns ABORTED into FAILED. Here it starts no further task and keeps its status."""

from typing import Any

from ministack.services import stepfunctions

import execution_scope
from patching import expect_parameters, wrap


def apply() -> None:
    execution_scope.track()
    expect_parameters(stepfunctions._fail_execution, "execution", "error", "cause")
    wrap(stepfunctions, "_fail_execution", fail_unless_ended)
    for function in ("_invoke_resource", "_invoke_with_callback"):
        wrap(stepfunctions, function, invoke_unless_ended)


def fail_unless_ended(original: Any, execution: dict[str, Any], error: str, cause: str) -> None:
    if execution["status"] == "RUNNING":
        original(execution, error, cause)


def invoke_unless_ended(original: Any, *args: Any) -> Any:
    execution_scope.raise_if_ended()
    return original(*args)
