"""An S3-compatible server of the tests: moto's, on a free port, with one empty bucket."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

BUCKET = "finial"


@contextlib.contextmanager
def s3_bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of the bucket; this process and those it starts find the server through the libraries' own variables."""
    pytest.importorskip("s3fs", reason="reading s3:// needs s3fs, which is not installed here")
    server = pytest.importorskip(
        "moto.server", reason="the S3 server of the tests is moto's, which is not installed here"
    )
    import boto3

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("FSSPEC_S3_ENDPOINT_URL", f"http://{host}:{port}")
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    try:
        yield f"s3://{BUCKET}"
    finally:
        running.stop()


def upload(folder: Path, prefix: str) -> None:
    """Put every file below a folder into the bucket."""
    import boto3

    client = boto3.client("s3")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(folder).as_posix()}"
            client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())


def delete(prefix: str) -> None:
    """Remove every object whose key begins so."""
    import boto3

    client = boto3.client("s3")
    for entry in client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=entry["Key"])
