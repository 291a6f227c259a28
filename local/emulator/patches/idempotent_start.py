"""StartExecution with the name and input of a running execution fails with ExecutionAlreadyExists; on AWS it
answers like the first call. It also takes any name and any text as input, where AWS answers InvalidName and
InvalidExecutionInput."""

import json
import re
from typing import Any

from ministack.services import stepfunctions

from patching import expect_parameters, wrap

# The API reference: 1 to 80 characters, no white space, brackets, wildcards, special or control characters.
VALID_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")


def apply() -> None:
    expect_parameters(stepfunctions._start_execution, "data")
    wrap(stepfunctions, "_start_execution", start)


def start(original: Any, data: dict[str, Any]) -> Any:
    refuse = stepfunctions.error_response_json
    name = data.get("name")
    if name and not VALID_NAME.fullmatch(name):
        return refuse("InvalidName", f"Invalid Name: '{name}'", 400)
    try:
        json.loads(data.get("input", "{}"))
    except ValueError as error:
        return refuse("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'", 400)

    response = original(data)
    if response[0] == 400 and b"ExecutionAlreadyExists" in response[2]:
        running = running_twin(data)
        if running is not None:
            answer = {"executionArn": running["executionArn"], "startDate": running["startDate"]}
            return stepfunctions.json_response(answer)
    return response


def running_twin(data: dict[str, Any]) -> dict[str, Any] | None:
    machine = stepfunctions._resolve_state_machine_arn(data["stateMachineArn"].split("#")[0])
    if machine is None:
        return None
    execution = stepfunctions._executions.get(f"{machine.replace(':stateMachine:', ':execution:')}:{data['name']}")
    same = execution and execution["status"] == "RUNNING" and execution["input"] == data.get("input", "{}")
    return execution if same else None
