"""An S3 server of the tests' own (moto's), as a process of its own; whoever asks gets a new bucket of it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3  # type: ignore[import-untyped]
import httpx2

from tests.ports import free_port

ACCESS_KEY, SECRET_KEY, REGION = "key", "secret", "us-east-1"
START_S = 60.0


@contextmanager
def s3_server() -> Iterator[str]:
    """Run a server on a free loopback port; gives its address. It keeps objects in memory until it ends."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)],
            cwd=tempfile.gettempdir(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(endpoint, process, output)
            yield endpoint
        finally:
            process.terminate()
            process.wait(START_S)


def new_bucket(endpoint: str) -> str:
    """Make an empty bucket and return its name."""
    name = f"packs-{uuid.uuid4().hex[:12]}"
    client(endpoint).create_bucket(Bucket=name)
    return name


def empty_bucket(endpoint: str, bucket: str) -> None:
    """Remove all that a bucket holds."""
    for name in object_names(endpoint, bucket):
        client(endpoint).delete_object(Bucket=bucket, Key=name)


def remove_bucket(endpoint: str, bucket: str) -> None:
    """Remove a bucket with all that it holds."""
    empty_bucket(endpoint, bucket)
    client(endpoint).delete_bucket(Bucket=bucket)


def object_names(endpoint: str, bucket: str) -> list[str]:
    """Return what a bucket holds."""
    pages = client(endpoint).get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [found["Key"] for page in pages for found in page.get("Contents", [])]


def storage_section(endpoint: str, bucket: str, prefix: str = "site") -> dict[str, object]:
    """Return the part of `storage` in the settings that puts packs into a bucket."""
    return {
        "url": f"s3://{bucket}/{prefix}",
        "s3_endpoint": endpoint,
        "s3_access_key": ACCESS_KEY,
        "s3_secret_key": SECRET_KEY,
        "s3_allow_http": True,
    }


def client(endpoint: str) -> Any:
    """Return boto3's client of the server."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


def _wait(endpoint: str, process: subprocess.Popen[bytes], output: Any) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            httpx2.get(f"{endpoint}/moto-api/", trust_env=False, timeout=5).raise_for_status()
        except httpx2.HTTPError:
            if process.poll() is not None or time.monotonic() > deadline:
                output.seek(0)
                raise RuntimeError(f"the S3 server did not start: {output.read()[-2000:].decode()}") from None
            time.sleep(0.1)
        else:
            return
