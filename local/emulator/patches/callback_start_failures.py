"""With `.waitForTaskToken`, a Lambda that fails while it is handed the token is ignored and the state waits
until its timeout; on AWS the state fails at once with the Lambda's error."""

from ministack.services import stepfunctions

from patching import rewrite


def apply() -> None:
    rewrite(
        stepfunctions,
        "_invoke_with_callback",
        (
            "            _call_lambda(func_ref, lambda_payload)\n        except _ExecutionError:\n            pass\n",
            "            _call_lambda(func_ref, lambda_payload)\n"
            "        except _ExecutionError:\n"
            "            _task_tokens.pop(token, None)\n"
            "            raise\n",
        ),
    )
