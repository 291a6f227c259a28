"""An API made from an OpenAPI document (SpecRestApi) loses the document's request validators, models, gateway
responses, and of each integration all but its type and URI; and a changed document gives the API another id,
and so another address. Here they are imported, and the API keeps its id."""

import json
from collections.abc import Iterator
from typing import Any

from ministack.services import apigateway_v1 as v1
from ministack.services.cloudformation import provisioners

from patching import expect, expect_parameters, wrap

REST_API = "AWS::ApiGateway::RestApi"
Document = dict[str, Any]


def apply() -> None:
    expect_parameters(v1._import_rest_api, "spec", "base_data")
    expect_parameters(v1._import_path_item, "api_id", "path", "path_item", "scheme_map", "default_security")
    wrap(v1, "_import_rest_api", then_complete)

    handlers = provisioners._RESOURCE_HANDLERS[REST_API]
    expect(handlers.get("update_with_logical_id") is True, f"the update of {REST_API} takes other arguments")
    update = handlers["update"]
    handlers["update"] = lambda *args: update_in_place(update, *args)


def then_complete(original: Any, spec: Document, base_data: Any = None) -> str:
    api_id = original(spec, base_data)
    complete(api_id, spec)
    return api_id


def update_in_place(
    update: Any, physical_id: str, old_props: Document, new_props: Document, stack_name: str, logical_id: str
) -> Any:
    spec = new_props.get("Body")
    if isinstance(spec, dict) and isinstance(old_props.get("Body"), dict) and spec != old_props["Body"]:
        replace_content(physical_id, spec)
        old_props = {**old_props, "Body": spec}  # what else changed is still the original's
    return update(physical_id, old_props, new_props, stack_name, logical_id)


def replace_content(api_id: str, spec: Document) -> None:
    """PutRestApi with mode=overwrite, as CloudFormation uses it."""
    resources = v1._resources[api_id]
    for resource_id, resource in list(resources.items()):
        if resource["path"] == "/":
            resource["resourceMethods"].clear()
        else:
            del resources[resource_id]
    for store in (v1._authorizers_v1, v1._models, v1._request_validators, v1._gateway_responses):
        store[api_id] = {}
    schemes = v1._import_security_schemes(api_id, spec)
    for path, item in (spec.get("paths") or {}).items():
        v1._import_path_item(api_id, path, item, schemes, spec.get("security"))
    complete(api_id, spec)


def complete(api_id: str, spec: Document) -> None:
    """Adds what MiniStack's own import leaves out."""
    schemas = (spec.get("components") or {}).get("schemas") or {}
    for name, schema in schemas.items():
        add_model(api_id, name, schema, schemas)
    validators = {
        name: created(v1._create_request_validator(api_id, {"name": name, **flags}))["id"]
        for name, flags in (spec.get("x-amazon-apigateway-request-validators") or {}).items()
    }
    for response_type, response in (spec.get("x-amazon-apigateway-gateway-responses") or {}).items():
        created(v1._put_gateway_response(api_id, response_type, response))
    for method, integration, operation, shared in operations(api_id, spec):
        method["requestParameters"] = required_parameters(spec, [*shared, *(operation.get("parameters") or [])])
        schema = (((operation.get("requestBody") or {}).get("content") or {}).get("application/json") or {}).get(
            "schema"
        )
        if schema:
            name = schema.get("$ref", "").rsplit("/", 1)[-1] or f"Model{len(v1._models[api_id])}"
            if "$ref" not in schema:
                add_model(api_id, name, schema, schemas)
            method["requestModels"] = {"application/json": name}
        validator = operation.get(
            "x-amazon-apigateway-request-validator", spec.get("x-amazon-apigateway-request-validator")
        )
        method["requestValidatorId"] = validators.get(validator)
        if integration is not None:
            complete_integration(integration, operation["x-amazon-apigateway-integration"])


def operations(api_id: str, spec: Document) -> Iterator[tuple[Document, Document | None, Document, list[Document]]]:
    """Each imported method with its integration, its operation and the parameters of its path."""
    by_path = {resource["path"]: resource["resourceMethods"] for resource in v1._resources[api_id].values()}
    for path, item in (spec.get("paths") or {}).items():
        methods = by_path.get("/" + path.strip("/"), {})
        for verb, operation in item.items():
            method = methods.get(verb.upper())
            if method is not None and verb in v1._OPENAPI_HTTP_METHODS:
                yield method, method.get("methodIntegration"), operation, item.get("parameters") or []


def required_parameters(spec: Document, parameters: list[Document]) -> dict[str, bool]:
    places = {"query": "querystring", "header": "header", "path": "path"}
    known = (spec.get("components") or {}).get("parameters") or {}
    resolved = [known.get(p["$ref"].rsplit("/", 1)[-1], {}) if "$ref" in p else p for p in parameters]
    return {
        f"method.request.{places[parameter['in']]}.{parameter['name']}": bool(parameter.get("required"))
        for parameter in resolved
        if parameter.get("in") in places
    }


def add_model(api_id: str, name: str, schema: Document, schemas: Document) -> None:
    # Its references go through the document, so each model carries the document's schemas.
    content = json.dumps({**schema, "components": {"schemas": schemas}})
    created(v1._create_model(api_id, {"name": name, "schema": content}))


def complete_integration(integration: Document, extension: Document) -> None:
    for field in ("timeoutInMillis", "requestTemplates", "requestParameters", "passthroughBehavior", "credentials"):
        if field in extension:
            integration[field] = extension[field]
    for pattern, response in (extension.get("responses") or {}).items():
        status = str(response.get("statusCode", "200"))
        integration["integrationResponses"][status] = {
            "statusCode": status,
            "selectionPattern": "" if pattern == "default" else pattern,
            "responseParameters": response.get("responseParameters", {}),
            "responseTemplates": response.get("responseTemplates", {}),
            "contentHandling": response.get("contentHandling"),
        }


def created(response: Any) -> Document:
    status, _, body = response
    if status >= 400:
        raise ValueError(f"{REST_API}: {body!r}")
    return json.loads(body)
