"""TimeoutSeconds and HeartbeatSeconds fail as JSONata expressions, and the time limit of a whole state machine
is ignored. Here expressions are evaluated, and an execution past its limit ends as TIMED_OUT."""

import contextvars
import threading
from datetime import UTC, datetime
from typing import Any

from ministack.services import stepfunctions

from patching import expect_parameters, wrap


def apply() -> None:
    expect_parameters(stepfunctions._execute_task, "state_def", "raw_input", "execution", "ctx")
    wrap(stepfunctions, "_execute_task", with_evaluated_limits)
    wrap(stepfunctions, "_run_execution", within_limit)


def with_evaluated_limits(original: Any, state_def: Any, raw_input: Any, execution: Any, ctx: Any) -> Any:
    limits = {
        field: stepfunctions._jsonata_state_field(state_def, field, "number", raw_input, ctx)
        for field in ("TimeoutSeconds", "HeartbeatSeconds")
        if isinstance(state_def.get(field), str)
    }
    return original({**state_def, **limits}, raw_input, execution, ctx)


def within_limit(original: Any, execution_arn: str) -> None:
    execution = stepfunctions._executions.get(execution_arn)
    machine = stepfunctions._state_machines.get(execution["stateMachineArn"]) if execution else None
    limit = stepfunctions.json.loads(machine["definition"]).get("TimeoutSeconds") if machine else None
    if limit is None:
        return original(execution_arn)
    started = datetime.fromisoformat(execution["startDate"])
    left = limit - (datetime.now(UTC) - started).total_seconds()
    scope = contextvars.copy_context()  # account and region of the execution
    timer = threading.Timer(max(0.0, left), scope.run, args=(time_out, execution))
    timer.daemon = True
    timer.start()
    try:
        return original(execution_arn)
    finally:
        timer.cancel()


def time_out(execution: dict[str, Any]) -> None:
    if execution["status"] != "RUNNING":
        return
    execution["status"] = "TIMED_OUT"
    execution["stopDate"] = stepfunctions.now_iso()
    stepfunctions._add_event(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {}})
    stepfunctions._emit_execution_status_event(execution)
