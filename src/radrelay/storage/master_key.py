"""The master key: where it is kept, how it is read, made and recognised.

It is 32 bytes, written as 64 hexadecimal digits, in the systemd credential `radrelay-master`, in the file that
`keys.master_file` names, or in a file beside the data directory. It never lies inside the data directory,
so that a copy of the data directory alone opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from radrelay.errors import Misconfigured
from radrelay.settings import Settings
from radrelay.storage.durable_files import make_private_directory, write_durably

CREDENTIAL = "radrelay-master"
KEY_BYTES = 32


class KeyMissing(Misconfigured):
    """The master key is not where the settings say; without it nothing stored here can be read."""

    code = "key-missing"


class KeyUnfit(Misconfigured):
    """The master key is not the one that this installation's keys are wrapped under."""

    code = "key-unfit"


@dataclass(frozen=True)
class MasterKeySource:
    """Where the master key is read from; `writable` is false for a systemd credential."""

    path: Path
    writable: bool


def master_key_source(settings: Settings) -> MasterKeySource:
    """Return where the master key is expected; raises `Misconfigured` if that is inside the data directory."""
    if settings.keys.master_file is not None:
        source = MasterKeySource(settings.keys.master_file, True)
    else:
        directory = os.environ.get("CREDENTIALS_DIRECTORY", "")
        if directory and (Path(directory) / CREDENTIAL).exists():
            return MasterKeySource(Path(directory) / CREDENTIAL, False)
        data_dir = settings.data_dir.absolute()
        source = MasterKeySource(data_dir.with_name(f"{data_dir.name}.master-key"), True)
    if source.path.absolute().resolve().is_relative_to(settings.data_dir.absolute().resolve()):
        raise Misconfigured(
            f"keys.master_file {source.path} lies inside the data directory {settings.data_dir}; "
            "keep it elsewhere, so that a copy of the data alone opens nothing"
        )
    return source


def read_master_key(path: Path) -> bytes:
    """Return the 32 bytes in `path`; raises `KeyMissing` or `KeyUnfit` with what to do."""
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise KeyMissing(
            f"the master key is not in {path}. Put the file back from where you keep its copy, or name its place by "
            "keys.master_file (RADRELAY_KEYS__MASTER_FILE) or the systemd credential radrelay-master. "
            "It is not made anew, because what is stored here could then never be read again."
        ) from error
    except OSError as error:
        raise KeyMissing(f"the master key in {path} cannot be read: {error.strerror}") from error
    _refuse_open_mode(path)
    try:
        key = bytes.fromhex(text.decode("ascii").strip())
    except ValueError as error:
        raise KeyUnfit(f"{path} does not hold a master key: expected 64 hexadecimal digits") from error
    if len(key) != KEY_BYTES:
        raise KeyUnfit(f"{path} holds {len(key)} bytes; a master key has {KEY_BYTES} (64 hexadecimal digits)")
    return key


def make_master_key(path: Path) -> bytes:
    """Write a new random master key to `path` (mode 0600, durable) and return it; never replaces one."""
    if path.exists():
        return read_master_key(path)
    make_private_directory(path.parent.absolute())
    key = secrets.token_bytes(KEY_BYTES)
    write_durably(path, f"{key.hex()}\n".encode())
    return key


def fingerprint(master: bytes) -> str:
    """Return 16 hexadecimal digits that tell master keys apart and say nothing about them."""
    return hmac.new(master, b"radrelay master key", hashlib.sha256).hexdigest()[:16]


def fresh_place(source: MasterKeySource) -> Path:
    """Return where a new master key lies until the keyring is under it."""
    return source.path.with_name(f"{source.path.name}.next")


def known_master(wanted: str, source: MasterKeySource, place: str) -> bytes:
    """Return the master key of this fingerprint, the one in use or the one that is about to be; changes nothing.

    Raises `KeyUnfit`, saying that the keyring in `place` is under another one.
    """
    fresh = fresh_place(source)
    with suppress(KeyMissing):  # another process has finished the change
        if fresh.exists() and fingerprint(master := read_master_key(fresh)) == wanted:
            return master
    master = read_master_key(source.path)
    if fingerprint(master) != wanted:
        raise KeyUnfit(
            f"the master key in {source.path} ({fingerprint(master)}) is not the one that {place} is "
            f"wrapped under ({wanted}); put that one back"
        )
    return master


def master_for(wanted: str, source: MasterKeySource, place: str) -> bytes:
    """Return the master key, finishing a change of it that a crash interrupted; raises as `known_master` does."""
    master = known_master(wanted, source, place)
    fresh = fresh_place(source)
    with suppress(KeyMissing):  # the same
        if fresh.exists() and fingerprint(read_master_key(fresh)) == wanted:
            write_durably(source.path, f"{master.hex()}\n".encode())
            fresh.unlink(missing_ok=True)
    return master


def _refuse_open_mode(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o007:
        raise Misconfigured(f"everybody on this machine may open the master key {path} (mode {mode:o}); chmod 600 it")
