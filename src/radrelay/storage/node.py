"""Which data directory this is: a name of its own, since host names change and are not unique."""

from __future__ import annotations

import uuid
from pathlib import Path

from radrelay.storage.durable_files import write_durably


def node_id(data_dir: Path) -> str:
    """Return the id of this data directory, made at need: a container's host name is another at each start."""
    path = data_dir / "node-id"
    if not path.exists():
        write_durably(path, uuid.uuid4().hex.encode())
    return path.read_text().strip()
