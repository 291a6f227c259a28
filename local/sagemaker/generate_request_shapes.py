"""Writes generated/request-shapes.json: what AWS says a SageMaker request may hold.

The rules come from the service model inside botocore (Apache-2.0), the same one that the AWS SDKs are made
from, so that name patterns, lengths, enums and required fields are AWS's and not ours from memory.

Run from the repository root with the emulator's Python, which has botocore:
    .local/tools/emulator-venv/bin/python local/sagemaker/generate_request_shapes.py
"""

import json
import pathlib

import botocore
import botocore.loaders

OPERATIONS = [
    "AddTags",
    "CreateEndpoint",
    "CreateEndpointConfig",
    "CreateInferenceComponent",
    "CreateModel",
    "CreateTrainingJob",
    "DeleteEndpoint",
    "DeleteEndpointConfig",
    "DeleteInferenceComponent",
    "DeleteModel",
    "DeleteTags",
    "DescribeEndpoint",
    "DescribeEndpointConfig",
    "DescribeInferenceComponent",
    "DescribeModel",
    "DescribeTrainingJob",
    "ListEndpointConfigs",
    "ListEndpoints",
    "ListInferenceComponents",
    "ListModels",
    "ListTags",
    "ListTrainingJobs",
    "StopTrainingJob",
    "UpdateEndpoint",
    "UpdateInferenceComponent",
    "UpdateInferenceComponentRuntimeConfig",
]


def constraints(shape: dict) -> dict:
    """The rules of one shape; documentation and serialization hints are left out."""
    kept = {key: shape[key] for key in ("type", "required", "enum", "min", "max", "pattern") if key in shape}
    if "members" in shape:
        kept["members"] = {name: member["shape"] for name, member in shape["members"].items()}
    for key in ("member", "key", "value"):
        if key in shape:
            kept[key] = shape[key]["shape"]
    return kept


def main() -> None:
    model = botocore.loaders.Loader().load_service_model("sagemaker", "service-2")
    operations = {name: model["operations"][name]["input"]["shape"] for name in OPERATIONS}
    shapes: dict[str, dict] = {}
    waiting = list(operations.values())
    while waiting:
        name = waiting.pop()
        if name in shapes:
            continue
        shape = shapes[name] = constraints(model["shapes"][name])
        waiting += list(shape.get("members", {}).values())
        waiting += [shape[key] for key in ("member", "key", "value") if key in shape]

    lines = [f"  {json.dumps(name)}: {json.dumps(shapes[name])}" for name in sorted(shapes)]
    text = (
        '{ "_generated": "python local/sagemaker/generate_request_shapes.py",\n'
        f'"source": {json.dumps(f"botocore {botocore.__version__} sagemaker 2017-07-24")},\n'
        f'"operations": {json.dumps(operations)},\n'
        '"shapes": {\n' + ",\n".join(lines) + "\n} }\n"
    )
    path = pathlib.Path(__file__).parent / "generated" / "request-shapes.json"
    path.write_text(text, encoding="utf-8")
    print(f"{path}: {len(shapes)} shapes, {len(text)} bytes")


if __name__ == "__main__":
    main()
