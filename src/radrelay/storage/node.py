"""Which node this is: a data directory with a name of its own, and the machine that has it just now.

A node is its data directory, not its host: host names change and are not unique, and a disk may move to another
machine. Owners of landing segments are named `<node>/<role>`; on disk their folder is `<role>`.
"""

from __future__ import annotations

import hashlib
import socket
import uuid
from pathlib import Path

from radrelay.storage.durable_files import write_durably

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def node_id(data_dir: Path) -> str:
    """Return the id of this data directory, made at need: a container's host name is another at each start."""
    path = data_dir / "node-id"
    if not path.exists():
        write_durably(path, uuid.uuid4().hex.encode())
    return path.read_text().strip()


def holder_of(data_dir: Path) -> str:
    """Return what tells this machine, since it was started, with this folder from any other that has a copy of it."""
    boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else f"{uuid.getnode():x}"
    status = data_dir.stat()
    facts = f"{boot}\n{socket.gethostname()}\n{status.st_dev}:{status.st_ino}"
    return hashlib.sha256(facts.encode()).hexdigest()


def owner_name(node: str, local: str) -> str:
    """Return the name of a landing owner of `node`; `local` is its folder's."""
    return f"{node}/{local}" if node else local


def node_of(owner: str) -> str:
    """Return the node whose disk an owner's segments are on."""
    return owner.rpartition("/")[0]


def local_name(owner: str) -> str:
    """Return the name of an owner's folder on its node."""
    return owner.rpartition("/")[2]
