"""A failed Lambda reports `Runtime.HandlerError` whatever it threw; on AWS the error's own name is the
`errorType`, which a state machine's Catch matches on, and the stack trace comes with it."""

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from patching import expect, rewrite

# Where the Node.js worker reports what a handler rejected with, and what it threw at once.
REJECTED = 'error: String(err.message || err), trace: err.stack || ""'
THROWN = "error: e.message, trace: e.stack"


def apply() -> None:
    script = lambda_runtime._NODEJS_WORKER_SCRIPT
    for reported, error in ((REJECTED, "err"), (THROWN, "e")):
        expect(script.count(reported) == 1, f"the Node.js worker no longer has: {reported}")
        script = script.replace(reported, f'{reported}, errorType: ({error} && {error}.name) || "Error"')
    lambda_runtime._NODEJS_WORKER_SCRIPT = script

    rewrite(
        lambda_svc,
        "_execute_function_warm",
        ('error_type = "Runtime.HandlerError"', 'error_type = result.get("errorType") or "Runtime.HandlerError"'),
        (
            '"errorType": error_type,\n',
            '"errorType": error_type,\n'
            '                    **({"trace": result["trace"].split("\\n")} if result.get("trace") else {}),\n',
        ),
    )
