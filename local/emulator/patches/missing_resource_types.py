"""CloudFormation fails a whole stack on a type that MiniStack lacks. The types below, which guard, observe or
scale and which nothing in the product reads, are recorded as placeholders instead: they are named in the log
(`placeholder`), deploy, update and delete, and do nothing. Every other missing type still fails."""

import logging
from typing import Any

from ministack.services.cloudformation import provisioners

from patching import expect

logger = logging.getLogger("patches")

TYPES = (
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::Budgets::Budget",
    "AWS::CloudTrail::Trail",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::EC2::EIP",
    "AWS::EC2::FlowLog",
    "AWS::EC2::NatGateway",
    "AWS::Logs::QueryDefinition",
    "AWS::ResourceGroups::Group",
    "AWS::WAFv2::LoggingConfiguration",
    "AWS::WAFv2::WebACLAssociation",
)


def apply() -> None:
    for resource_type in TYPES:
        expect(
            resource_type not in provisioners._RESOURCE_HANDLERS,
            f"{resource_type} is supported now: drop its placeholder",
        )
        provisioners._RESOURCE_HANDLERS[resource_type] = placeholder(resource_type)


def placeholder(resource_type: str) -> dict[str, Any]:
    service = resource_type.split("::")[1].lower()

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        physical_id = f"{stack_name}-{logical_id}"
        logger.warning("placeholder %s for %s: nothing is behind it", physical_id, resource_type)
        arn = f"arn:aws:{service}:{provisioners.get_region()}:{provisioners.get_account_id()}:{physical_id}"
        return physical_id, {"Arn": arn, "Id": physical_id}

    def update(physical_id: str, old_props: Any, new_props: Any, stack_name: str) -> tuple[str, dict[str, str]]:
        return physical_id, {}

    def delete(physical_id: str, props: Any) -> None:
        pass

    return {"create": create, "update": update, "delete": delete}
