"""A RequestValidator declared in CloudFormation is only given a number: nothing is ever refused. Here it is
the same one that the API creates, and the methods that name it are validated."""

import json
from typing import Any

from ministack.services import apigateway_v1
from ministack.services.cloudformation import provisioners

from patching import after_provisioning, expect, is_true

VALIDATOR = "AWS::ApiGateway::RequestValidator"


def apply() -> None:
    expect("update" in provisioners._RESOURCE_HANDLERS[VALIDATOR], f"{VALIDATOR} has no update")
    provisioners._RESOURCE_HANDLERS[VALIDATOR].update(create=create, update=update, delete=delete)
    after_provisioning("AWS::ApiGateway::Method", name_validator)


def flags(props: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": props.get("Name", ""),
        "validateRequestBody": is_true(props.get("ValidateRequestBody")),
        "validateRequestParameters": is_true(props.get("ValidateRequestParameters")),
    }


def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
    status, _, body = apigateway_v1._create_request_validator(props["RestApiId"], flags(props))
    if status != 201:
        raise ValueError(f"{VALIDATOR} was refused: {body!r}")
    validator_id = json.loads(body)["id"]
    return validator_id, {"RequestValidatorId": validator_id}


def update(
    physical_id: str, old_props: dict[str, Any], new_props: dict[str, Any], stack_name: str
) -> tuple[str, dict[str, str]]:
    validator = apigateway_v1._request_validators.get(new_props["RestApiId"], {}).get(physical_id)
    if validator is None:
        return create(physical_id, new_props, stack_name)
    validator.update(flags(new_props))
    return physical_id, {"RequestValidatorId": physical_id}


def delete(physical_id: str, props: dict[str, Any]) -> None:
    apigateway_v1._request_validators.get(props.get("RestApiId"), {}).pop(physical_id, None)


def name_validator(physical_id: str, props: dict[str, Any]) -> None:
    resource = apigateway_v1._resources.get(props["RestApiId"], {}).get(props["ResourceId"], {})
    method = resource.get("resourceMethods", {}).get(props.get("HttpMethod", "ANY"))
    if method is None:
        raise ValueError("AWS::ApiGateway::Method left no method behind")
    method["requestValidatorId"] = props.get("RequestValidatorId")
