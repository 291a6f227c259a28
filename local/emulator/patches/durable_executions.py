"""An execution that runs when MiniStack stops is FAILED (States.ServiceRestart) at its next start; on AWS it
goes on. Here every state entered is recorded with the execution, and after a restart it is entered again:

- a Wait ends at the moment at which it would have ended;
- a `.waitForTaskToken` state whose token was handed out keeps the token and its time limit;
- a SageMaker `.sync` state follows the job that it has started (see `sagemaker_tasks`);
- any other task is called again, as AWS may do too (at least once), and keeps its count of retries;
- a Map or Parallel state begins again with all its items or branches.

Synchronous (express) executions have nobody waiting for them any more and fail as before.
"""

import contextvars
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from ministack import app
from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import stepfunctions

import execution_scope
from patching import expect_parameters, rewrite, wrap


def apply() -> None:
    execution_scope.track()
    rewrite(
        stepfunctions,
        "_run_execution",
        (
            "    time.sleep(0.15)\n",
            "    resumed = execution.get('position')\n    if not resumed:\n        time.sleep(0.15)\n",
        ),
        (
            '    try:\n        while current_name and execution["status"]',
            "    if resumed:\n"
            "        current_name, current_input = resumed['state'], resumed['input']\n"
            "        ctx['variables'] = copy.deepcopy(resumed['variables'])\n"
            '    try:\n        while current_name and execution["status"]',
        ),
        (
            'ctx["State"] = {"Name": current_name, "EnteredTime": now_iso(), "RetryCount": 0}',
            'ctx["State"] = {"Name": current_name, "RetryCount": 0,\n'
            '                "EnteredTime": _enter_state(execution, current_name, current_input, ctx)}',
        ),
        (
            '_add_event(execution, f"{state_type}StateEntered", {',
            '_add_entered_event(execution, f"{state_type}StateEntered", {',
        ),
    )
    rewrite(
        stepfunctions,
        "_execute_task",
        (
            '        ctx["Task"] = {"Token": new_uuid()}\n',
            "        pass  # each attempt has a token of its own, below\n",
        ),
        ("    retry_counts: dict = {}\n", "    retry_counts: dict = _retry_counts(execution, ctx)\n"),
        (
            '        ctx["State"]["RetryCount"] = sum(retry_counts.values())\n',
            '        ctx["State"]["RetryCount"] = sum(retry_counts.values())\n'
            '        if is_callback:\n            ctx["Task"] = {"Token": _attempt_token(execution, ctx)}\n',
        ),
    )
    rewrite(
        stepfunctions,
        "_invoke_with_callback",
        (
            "    evt = threading.Event()\n"
            "    _task_tokens[token] = {\n"
            '        "event": evt, "result": None, "error": None, "heartbeat": None}\n',
            '    evt = _register_token(token)["event"]\n',
        ),
        (
            "    if func_ref:\n        # For",
            "    if _was_delivered(token):\n        pass\n    elif func_ref:\n        # For",
        ),
        (
            '    timeout = state_def.get("TimeoutSeconds", 99999)\n',
            '    timeout = _note_delivered(token, state_def.get("TimeoutSeconds", 99999))\n',
        ),
    )
    rewrite(
        stepfunctions,
        "_restore_state",
        ('if exc.get("status") == "RUNNING":', 'if exc.get("status") == "RUNNING" and not _is_resumable(exc):'),
    )
    for helper in (
        enter_state,
        add_entered_event,
        retry_counts,
        attempt_token,
        register_token,
        was_delivered,
        note_delivered,
        is_resumable,
    ):
        setattr(stepfunctions, f"_{helper.__name__}", helper)
    expect_parameters(stepfunctions._execute_wait, "state_def", "raw_input", "ctx")
    wrap(stepfunctions, "_execute_wait", wait_until)
    wrap(stepfunctions, "_run_execution", then_forget_position)
    wrap(app, "_load_persisted_state", then_resume)


# The position of an execution: { state, input, variables, entered, [retries], [token, attempted, delivered],
# [jobs], [resumed], [resume_token] }. It is saved with the execution.


def enter_state(execution: dict[str, Any], state: str, state_input: Any, ctx: dict[str, Any]) -> str:
    """Records the state and gives the moment of its entry, which after a restart is the first one."""
    position = execution.get("position") or {}
    if not position.get("resumed"):
        position = execution["position"] = {
            "state": state,
            "input": state_input,
            "variables": stepfunctions.copy.deepcopy(ctx["variables"]),
            "entered": stepfunctions.now_iso(),
        }
    return position["entered"]


def add_entered_event(execution: dict[str, Any], event: str, details: dict[str, Any]) -> None:
    """The history tells of one entry, as on AWS."""
    if not execution["position"].pop("resumed", False):
        stepfunctions._add_event(execution, event, details)


def own_position(execution: dict[str, Any], ctx: dict[str, Any]) -> dict[str, Any]:
    """The position if `ctx` is in the recorded state itself, not in a branch or an item below it."""
    position = execution.get("position") or {}
    return position if position.get("state") == ctx["State"]["Name"] else {}


def retry_counts(execution: dict[str, Any], ctx: dict[str, Any]) -> dict[int, int]:
    position = own_position(execution, ctx)
    # JSON made strings of the retriers' numbers.
    position["retries"] = {int(retrier): count for retrier, count in position.get("retries", {}).items()}
    return position["retries"]


def attempt_token(execution: dict[str, Any], ctx: dict[str, Any]) -> str:
    position = own_position(execution, ctx)
    token = position.pop("resume_token", None)
    if token is None:
        token = stepfunctions.new_uuid()
        position.update(token=token, attempted=time.time())
    return token


def register_token(token: str) -> dict[str, Any]:
    blank = {"event": threading.Event(), "result": None, "error": None, "heartbeat": None}
    return stepfunctions._task_tokens.setdefault(token, blank)


def was_delivered(token: str) -> bool:
    return (execution_scope.current() or {}).get("position", {}).get("delivered") == token


def note_delivered(token: str, limit: float) -> float:
    """Records that the token is out; gives the seconds that are left to answer."""
    position = (execution_scope.current() or {}).get("position", {})
    if position.get("token") != token:
        return limit
    position["delivered"] = token
    return max(0.0, limit - (time.time() - position["attempted"]))


def wait_until(original: Any, state_def: dict[str, Any], raw_input: Any, ctx: dict[str, Any]) -> Any:
    """A Wait of seconds as a Wait until a moment, counted from the state's entry."""
    seconds = wait_seconds(state_def, raw_input, ctx)
    if seconds is None:
        return original(state_def, raw_input, ctx)
    entered = datetime.fromisoformat(ctx["State"]["EnteredTime"])
    until = (entered + timedelta(seconds=seconds)).astimezone(UTC)
    rest = {field: value for field, value in state_def.items() if field not in ("Seconds", "SecondsPath")}
    return original({**rest, "Timestamp": until.isoformat().replace("+00:00", "Z")}, raw_input, ctx)


def wait_seconds(state_def: dict[str, Any], raw_input: Any, ctx: dict[str, Any]) -> float | None:
    if "Seconds" in state_def:
        if stepfunctions._state_query_language(state_def, ctx) == "JSONata":
            return stepfunctions._jsonata_wait_seconds(state_def, raw_input, ctx)
        return state_def["Seconds"]
    if "SecondsPath" in state_def:
        effective = stepfunctions._apply_input_path(state_def, raw_input, ctx)
        return stepfunctions._resolve_path(state_def["SecondsPath"], effective)
    return None


def is_resumable(execution: dict[str, Any]) -> bool:
    return "position" in execution and not execution.get("sync")


def then_forget_position(original: Any, execution_arn: str) -> None:
    original(execution_arn)
    execution = stepfunctions._executions.get(execution_arn)
    if execution and execution["status"] != "RUNNING":
        execution.pop("position", None)


def then_resume(original: Any) -> None:
    """Runs when the services are restored but the port is not yet open."""
    original()
    waiting = [
        prepare(key) for key, execution in list(stepfunctions._executions._data.items()) if is_running(execution)
    ]
    if waiting:
        threading.Thread(target=run_when_open, args=(waiting,), daemon=True, name="resume-executions").start()


def is_running(execution: dict[str, Any]) -> bool:
    return execution["status"] == "RUNNING" and is_resumable(execution)


def prepare(key: tuple[str, str, str]) -> tuple[contextvars.Context, str]:
    """The scope in which the execution goes on; its token is answered from the first request on."""
    account, region, execution_arn = key
    scope = contextvars.copy_context()
    scope.run(set_request_account_id, account)
    scope.run(set_request_region, region)
    position = stepfunctions._executions._data[key]["position"]
    position["resumed"] = True
    token = position.pop("token", None)
    if token is not None and position.get("delivered") == token:
        position.update(token=token, resume_token=token)
        scope.run(register_token, token)
    return scope, execution_arn


def run_when_open(waiting: list[tuple[contextvars.Context, str]]) -> None:
    """The functions that the executions call answer through the port."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(app._resolve_port())), timeout=1).close()
            break
        except OSError:
            time.sleep(0.05)
    for scope, execution_arn in waiting:
        stepfunctions.logger.info("Execution resumed after a restart: %s", execution_arn)
        threading.Thread(target=scope.run, args=(stepfunctions._run_execution, execution_arn), daemon=True).start()
