"""HeartbeatSeconds is ignored: a worker that dies holds its state until TimeoutSeconds. Here the state fails
with States.HeartbeatTimeout when no SendTaskHeartbeat came in time, as on AWS."""

import time
from typing import Any

from ministack.services import stepfunctions

from patching import rewrite


def apply() -> None:
    rewrite(
        stepfunctions,
        "_send_task_heartbeat",
        ('info["heartbeat"] = now_iso()', 'info["heartbeat"] = now_iso()\n    info["beat"] = time.monotonic()'),
    )
    rewrite(
        stepfunctions,
        "_invoke_with_callback",
        (
            "if not evt.wait(timeout=timeout):",
            "if not _await_callback(token, evt, timeout, state_def.get('HeartbeatSeconds')):",
        ),
    )
    stepfunctions._await_callback = await_callback


def await_callback(token: str, answered: Any, timeout: float, heartbeat: float | None) -> bool:
    """Waits for the answer; False after `timeout` seconds, an error after `heartbeat` seconds of silence."""
    if heartbeat is None:
        return answered.wait(timeout=timeout)
    started = time.monotonic()
    while True:
        last_beat = stepfunctions._task_tokens[token].get("beat", started)
        until = min(last_beat + heartbeat, started + timeout)
        if answered.wait(timeout=max(0.0, until - time.monotonic())):
            return True
        now = time.monotonic()
        if now >= started + timeout:
            return False
        if stepfunctions._task_tokens[token].get("beat", started) + heartbeat <= now:
            stepfunctions._task_tokens.pop(token, None)
            raise stepfunctions._ExecutionError("States.HeartbeatTimeout", f"No heartbeat within {heartbeat} seconds")
