"""CloudFormation drops a table's time to live and point-in-time recovery without a word. Here the table gets
them, from both kinds of table resource."""

from typing import Any

from ministack.services import dynamodb

from patching import after_provisioning, expect, is_true


def apply() -> None:
    for setter in ("_update_ttl", "_update_continuous_backups"):
        expect(callable(getattr(dynamodb, setter, None)), f"dynamodb.{setter} is gone")
    after_provisioning("AWS::DynamoDB::Table", configure)
    after_provisioning("AWS::DynamoDB::GlobalTable", configure)


def configure(table: str, props: dict[str, Any]) -> None:
    ttl = props.get("TimeToLiveSpecification") or {}
    if ttl.get("AttributeName"):
        put(
            dynamodb._update_ttl,
            table,
            TimeToLiveSpecification={
                "Enabled": is_true(ttl.get("Enabled", True)),
                "AttributeName": ttl["AttributeName"],
            },
        )
    # A global table has the setting at its replicas.
    for holder in (props, *props.get("Replicas", [])):
        recovery = holder.get("PointInTimeRecoverySpecification")
        if recovery:
            enabled = is_true(recovery.get("PointInTimeRecoveryEnabled"))
            put(
                dynamodb._update_continuous_backups,
                table,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled},
            )


def put(setter: Any, table: str, **request: Any) -> None:
    status, _, body = setter({"TableName": table, **request})
    if status >= 400:
        raise ValueError(f"Table {table} refused {request}: {body!r}")
