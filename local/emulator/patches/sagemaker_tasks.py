"""MiniStack has no SageMaker. Here every `sagemaker:*` and `aws-sdk:sagemaker:*` task state calls the server at
AWS_ENDPOINT_URL_SAGEMAKER. `.sync` follows a job to its end: a job that did not complete fails the state with
States.TaskFailed and its description as the cause, and a state that is stopped or times out stops its job.

Errors are named as Step Functions names them, after the exceptions of the SDK for Java: an error of the
service model keeps its name with `Exception` (SageMaker.ResourceLimitExceededException,
SageMaker.ResourceInUseException, SageMaker.ResourceNotFoundException), any other (validation, throttling)
is SageMaker.AmazonSageMakerException, or SageMaker.SageMakerException in `aws-sdk` states.
"""

import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

from ministack.services import stepfunctions

import execution_scope
from patching import expect

POLL_SECONDS = 0.25
# How long a server that restarts may be away; a job goes on meanwhile.
PATIENCE_SECONDS = 60
JOBS = {
    "CreateTrainingJob": "TrainingJob",
    "CreateProcessingJob": "ProcessingJob",
    "CreateTransformJob": "TransformJob",
}
MODELED_ERRORS = {"ResourceInUse", "ResourceLimitExceeded", "ResourceNotFound", "ConflictException"}


class Unreachable(Exception):
    pass


def apply() -> None:
    execution_scope.track()
    dispatch = stepfunctions._SERVICE_DISPATCH
    expect(isinstance(dispatch, dict), "the service integrations are no longer a table")
    expect(not any("sagemaker" in prefix for prefix in dispatch), "SageMaker states are supported now")
    dispatch["arn:aws:states:::sagemaker:"] = run_task
    dispatch["arn:aws:states:::aws-sdk:sagemaker:"] = run_task


def run_task(resource: str, request: dict[str, Any]) -> dict[str, Any]:
    operation = resource.removesuffix(".sync").rsplit(":", 1)[1]
    action = operation[0].upper() + operation[1:]
    unmodeled = "SageMakerException" if ":aws-sdk:" in resource else "AmazonSageMakerException"
    job = JOBS.get(action) if resource.endswith(".sync") else None
    if resource.endswith(".sync") and job is None:
        raise stepfunctions._ExecutionError("States.Runtime", f"{resource} has no .sync here")

    if job is None or not is_resumed(job, request):
        try:
            answer = call(action, request, unmodeled)
        except Unreachable as error:
            raise stepfunctions._ExecutionError("SageMaker.SdkClientException", str(error)) from error
        if job is None:
            return answer
        note_started(job, request)
    return follow(job, request[f"{job}Name"], unmodeled)


def call(action: str, request: dict[str, Any], unmodeled: str) -> dict[str, Any]:
    """One request of the AWS JSON 1.1 protocol."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_SAGEMAKER")
    if not endpoint:
        raise stepfunctions._ExecutionError("States.Runtime", "AWS_ENDPOINT_URL_SAGEMAKER is not set")
    http = urllib.request.Request(
        endpoint,
        json.dumps(request).encode(),
        {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"SageMaker.{action}"},
    )
    try:
        with urllib.request.urlopen(http, timeout=60) as response:
            return json.loads(response.read() or b"{}")
    except urllib.error.HTTPError as error:
        raise named_error(error, unmodeled) from error
    except OSError as error:
        raise Unreachable(f"{action}: {error}") from error


def named_error(error: urllib.error.HTTPError, unmodeled: str) -> Exception:
    try:
        body = json.loads(error.read())
    except ValueError:
        body = {}
    code = str(body.get("__type", "InternalFailure")).split("#")[-1]
    message = body.get("message") or body.get("Message") or ""
    name = f"{code.removesuffix('Exception')}Exception" if code in MODELED_ERRORS else unmodeled
    return stepfunctions._ExecutionError(
        f"SageMaker.{name}",
        f"{message} (Service: AmazonSageMaker; Status Code: {error.code}; Error Code: {code})",
    )


def follow(job: str, name: str, unmodeled: str) -> dict[str, Any]:
    last_answer = time.monotonic()
    while True:
        try:
            if not execution_scope.is_wanted():
                stop(job, name, unmodeled)
                raise execution_scope.ExecutionEnded(f"{job} {name} was stopped with its state")
            described = call(f"Describe{job}", {f"{job}Name": name}, unmodeled)
            last_answer = time.monotonic()
        except Unreachable as error:
            if time.monotonic() - last_answer > PATIENCE_SECONDS:
                raise stepfunctions._ExecutionError("SageMaker.SdkClientException", str(error)) from error
            time.sleep(POLL_SECONDS)
            continue
        status = described.get(f"{job}Status")
        if status == "Completed":
            return described
        if status in ("Failed", "Stopped"):
            forget(job, name)
            raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(described))
        time.sleep(POLL_SECONDS)


def stop(job: str, name: str, unmodeled: str) -> None:
    """Best effort, as on AWS: a job that has just ended refuses to be stopped."""
    forget(job, name)
    try:
        call(f"Stop{job}", {f"{job}Name": name}, unmodeled)
    except (Unreachable, stepfunctions._ExecutionError) as error:
        stepfunctions.logger.warning("%s %s was not stopped: %s", job, name, error)


def started_jobs() -> dict[str, str]:
    """The jobs that the execution's current state has started, kept where a restart finds them."""
    position = (execution_scope.current() or {}).get("position", {})
    return position.setdefault("jobs", {})


def note_started(job: str, request: dict[str, Any]) -> None:
    started_jobs()[request[f"{job}Name"]] = job


def is_resumed(job: str, request: dict[str, Any]) -> bool:
    """True when this state had already started the job before the emulator was restarted."""
    return started_jobs().get(request.get(f"{job}Name", "")) == job


def forget(job: str, name: str) -> None:
    started_jobs().pop(name, None)
