"""The integration URI of a streamed route (`.../response-streaming-invocations`) is not understood and the
route answers 500. Here it invokes the function like the plain URI: the answer arrives in one piece, made by
`awslambda_shim.cjs`; only the edge in front of the emulator streams progressively."""

from typing import Any

from ministack.services import apigateway_v1

from patching import wrap


def apply() -> None:
    wrap(apigateway_v1, "_extract_lambda_ref_from_integration_uri", without_streaming)


def without_streaming(original: Any, uri: str | None) -> Any:
    return original(uri.replace("/response-streaming-invocations", "/invocations") if uri else uri)
