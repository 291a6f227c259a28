"""S3 refuses a write with `aws:kms` and no key id; AWS takes the account's own key `aws/s3`. The CDK writes its
assets so into the bucket that it bootstraps."""

from typing import Any

from ministack.services import s3

from patching import wrap

ALGORITHM = "x-amz-server-side-encryption"
KEY_ID = "x-amz-server-side-encryption-aws-kms-key-id"


def apply() -> None:
    wrap(s3, "_resolve_sse_write_headers", with_managed_key)


def with_managed_key(original: Any, headers: dict[str, str], bucket: str) -> Any:
    if headers.get(ALGORITHM) == "aws:kms" and not headers.get(KEY_ID):
        headers = {**headers, KEY_ID: "alias/aws/s3"}
    return original(headers, bucket)
