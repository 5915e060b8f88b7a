"""A bucket of the tests' S3 server, behind a line that can be cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.object_store import new_bucket, object_names, remove_bucket, storage_section
from tests.system.peers import Line


@dataclass(frozen=True)
class S3:
    """A bucket, the settings that put packs into it, and the line to its server."""

    endpoint: str
    bucket: str
    line: Line
    settings: dict[str, str]

    def packs(self) -> int:
        return len(object_names(self.endpoint, self.bucket))


@pytest.fixture
def s3(s3_endpoint: str) -> Iterator[S3]:
    bucket = new_bucket(s3_endpoint)
    with Line(("127.0.0.1", int(s3_endpoint.rpartition(":")[2]))) as line:
        section = storage_section(f"http://127.0.0.1:{line.port}", bucket)
        settings = {f"RADRELAY_STORAGE__{name.upper()}": str(value) for name, value in section.items()}
        yield S3(s3_endpoint, bucket, line, settings)
    remove_bucket(s3_endpoint, bucket)
