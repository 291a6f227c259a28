"""CloudFormation drops the tags, CORS rules, Object Lock, public access block and encryption of a bucket without
a word; a browser could not upload, a locked object could be deleted. Here the bucket gets them, as on AWS."""

from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from ministack.services import s3

from patching import after_provisioning, expect, is_true


def apply() -> None:
    for setter in (
        "_put_bucket_cors",
        "_put_bucket_encryption",
        "_put_object_lock_configuration",
        "_put_public_access_block",
    ):
        expect(callable(getattr(s3, setter, None)), f"s3.{setter} is gone")
    for store in ("_bucket_tags", "_bucket_versioning", "_bucket_object_lock"):
        expect(hasattr(s3, store), f"s3.{store} is gone")
    after_provisioning("AWS::S3::Bucket", configure)


def configure(bucket: str, props: dict[str, Any]) -> None:
    if props.get("Tags"):
        s3._bucket_tags[bucket] = {tag["Key"]: tag["Value"] for tag in props["Tags"]}
    if cors := props.get("CorsConfiguration"):
        put(s3._put_bucket_cors, bucket, "CORSConfiguration", {"CORSRule": [cors_rule(r) for r in cors["CorsRules"]]})
    if block := props.get("PublicAccessBlockConfiguration"):
        flags = {name: str(value).lower() for name, value in block.items()}
        put(s3._put_public_access_block, bucket, "PublicAccessBlockConfiguration", flags)
    if encryption := props.get("BucketEncryption"):
        put(
            s3._put_bucket_encryption,
            bucket,
            "ServerSideEncryptionConfiguration",
            {"Rule": [encryption_rule(r) for r in encryption["ServerSideEncryptionConfiguration"]]},
        )
    if is_true(props.get("ObjectLockEnabled")):
        lock(bucket, props.get("ObjectLockConfiguration") or {})


def lock(bucket: str, configuration: dict[str, Any]) -> None:
    # Object Lock brings versioning with it.
    s3._bucket_versioning[bucket] = "Enabled"
    s3._bucket_object_lock.setdefault(bucket, {"enabled": True, "default_retention": None})
    retention = (configuration.get("Rule") or {}).get("DefaultRetention")
    if retention:
        default = {name: retention[name] for name in ("Mode", "Days", "Years") if name in retention}
        put(
            s3._put_object_lock_configuration,
            bucket,
            "ObjectLockConfiguration",
            {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": default}},
        )


def cors_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """CloudFormation's plurals are repeated singular elements in the S3 API."""
    return {
        **({"ID": rule["Id"]} if "Id" in rule else {}),
        "AllowedOrigin": rule["AllowedOrigins"],
        "AllowedMethod": rule["AllowedMethods"],
        "AllowedHeader": rule.get("AllowedHeaders", []),
        "ExposeHeader": rule.get("ExposedHeaders", []),
        **({"MaxAgeSeconds": rule["MaxAge"]} if "MaxAge" in rule else {}),
    }


def encryption_rule(rule: dict[str, Any]) -> dict[str, Any]:
    default = rule["ServerSideEncryptionByDefault"]
    return {
        "ApplyServerSideEncryptionByDefault": {
            "SSEAlgorithm": default["SSEAlgorithm"],
            **({"KMSMasterKeyID": default["KMSMasterKeyID"]} if "KMSMasterKeyID" in default else {}),
        },
        "BucketKeyEnabled": str(rule.get("BucketKeyEnabled", False)).lower(),
    }


def put(setter: Callable[[str, bytes], Any], bucket: str, root: str, content: dict[str, Any]) -> None:
    status, _, body = setter(bucket, xml(root, content).encode())
    if status >= 400:
        raise ValueError(f"AWS::S3::Bucket {bucket}: {root} was refused: {body!r}")


def xml(name: str, content: Any) -> str:
    if isinstance(content, list):
        return "".join(xml(name, item) for item in content)
    if isinstance(content, dict):
        return f"<{name}>{''.join(xml(child, value) for child, value in content.items())}</{name}>"
    return f"<{name}>{escape(str(content))}</{name}>"
