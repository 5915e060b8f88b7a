"""Where packs lie: a local folder or an S3-compatible store, behind one Protocol.

Both are written through obstore. A local object is synced before it counts as written, which obstore leaves to its
user; it is read by `pread`, which costs a tenth. An upload to S3 that a crash leaves unfinished is invisible, but
takes space there until the bucket's lifecycle rule for incomplete multipart uploads removes it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from radrelay.errors import Misconfigured, NotFound, Unavailable
from radrelay.settings import Settings, StorageSettings
from radrelay.storage.durable_files import make_private_directory, sync_directory

PART_BYTES = 8 << 20  # of a multipart upload; S3 wants at least 5 MiB
PARTS_AT_ONCE = 2
PAST_THE_END = "status code: 416 "  # in obstore's words, whose name and times may hold any digits
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ObjectMissing(NotFound):
    """The store has no object by this name."""

    code = "object-missing"


class StoreUnavailable(Unavailable):
    """The object store does not answer just now; try again."""

    code = "store-unavailable"


class ObjectWriter(Protocol):
    """Takes one object's bytes in order."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take more bytes; they are copied before this returns."""
        ...

    def close(self) -> None:
        """Make the object durable and visible under its name."""
        ...

    def abort(self) -> None:
        """Leave no object behind."""
        ...


class Objects(Protocol):
    """A store of immutable objects. Names are relative paths with `/`. Thread-safe."""

    def writer(self, name: str) -> ObjectWriter:
        """Begin an object."""
        ...

    def read(self, name: str, start: int, end: int) -> bytes:
        """Return bytes [start, end), fewer where the object ends before; raises `ObjectMissing`."""
        ...

    def delete(self, name: str) -> None:
        """Remove an object, if it is there; durable."""
        ...

    def names(self) -> Iterator[tuple[str, int, datetime]]:
        """Yield (name, bytes, last written) of every object."""
        ...

    def check(self) -> None:
        """Raise `StoreUnavailable` unless the store answers."""
        ...


def open_objects(settings: Settings) -> Objects:
    """Open the store that `storage.url` names; raises `Misconfigured` if it cannot be understood."""
    url = settings.storage.url
    if url is None:
        return LocalObjects(settings.data_dir / "packs")
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return LocalObjects(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        return S3Objects(settings.storage, parts.netloc, parts.path.strip("/"))
    raise Misconfigured(f"storage.url must be file:///folder or s3://bucket/prefix, not {url}")


class LocalObjects:
    """A folder of this machine or of the network."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        try:
            make_private_directory(self._folder)
        except OSError as error:
            raise StoreUnavailable(f"the folder of packs {folder} cannot be made: {error.strerror}") from error
        self._store = LocalStore(prefix=self._folder)

    def writer(self, name: str) -> ObjectWriter:
        """Begin an object."""
        directory = (self._folder / name).parent
        with _answering():
            make_private_directory(directory)
            return _StreamedObject(self, self._store, name, self._make_durable)

    def read(self, name: str, start: int, end: int) -> bytes:
        """Return bytes [start, end), fewer where the object ends before; raises `ObjectMissing`."""
        with _answering():
            handle = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.pread(handle, end - start, start)
            finally:
                os.close(handle)

    def delete(self, name: str) -> None:
        """Remove an object, if it is there; durable."""
        path = self._folder / name
        with _answering():
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_directory(path.parent)

    def names(self) -> Iterator[tuple[str, int, datetime]]:
        """Yield (name, bytes, last written) of every object."""
        with _answering():
            yield from _names(self._store)

    def check(self) -> None:
        """Raise `StoreUnavailable` unless the store answers."""
        with _answering():
            sync_directory(self._folder)

    def remove_abandoned(self, before: datetime) -> int:
        """Remove what writers that died before `before` left unfinished; return how many."""
        count = 0
        with _answering():
            for path in self._folder.rglob("*#*"):  # obstore's name for what is not whole yet
                if re.search(r"#\d+$", path.name) and path.stat().st_mtime < before.timestamp():
                    path.unlink(missing_ok=True)
                    count += 1
        return count

    def _make_durable(self, name: str) -> None:
        path = self._folder / name
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        sync_directory(path.parent)


class S3Objects:
    """A bucket of an S3-compatible store."""

    def __init__(self, settings: StorageSettings, bucket: str, prefix: str) -> None:
        endpoint = settings.s3_endpoint
        if endpoint is not None and urlsplit(endpoint).scheme == "http":
            if not settings.s3_allow_http:
                raise Misconfigured(f"storage.s3_endpoint {endpoint} is not encrypted; use https")
            if urlsplit(endpoint).hostname not in LOOPBACK:
                raise Misconfigured(f"storage.s3_allow_http is for a store on this machine, not for {endpoint}")
        self._bucket = bucket
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            endpoint=endpoint,
            region=settings.s3_region,
            access_key_id=settings.s3_access_key,
            secret_access_key=settings.s3_secret_key,
            virtual_hosted_style_request=endpoint is None,
            client_options={
                "allow_http": settings.s3_allow_http,
                "connect_timeout": timedelta(seconds=5),
                "timeout": timedelta(seconds=60),
            },
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=15)},
        )

    def writer(self, name: str) -> ObjectWriter:
        """Begin an object."""
        with _answering():
            return _StreamedObject(self, self._store, name, _already_durable)

    def read(self, name: str, start: int, end: int) -> bytes:
        """Return bytes [start, end), fewer where the object ends before; raises `ObjectMissing`."""
        try:
            with _answering():
                # Not get_range: that one panics when the object ends before `start`.
                return obstore.get(self._store, name, options={"range": (start, end)}).bytes().to_bytes()
        except StoreUnavailable as error:
            if PAST_THE_END in str(error.__cause__):
                return b""
            raise

    def delete(self, name: str) -> None:
        """Remove an object, if it is there; durable."""
        with _answering():
            obstore.delete(self._store, name)

    def names(self) -> Iterator[tuple[str, int, datetime]]:
        """Yield (name, bytes, last written) of every object."""
        with _answering():
            yield from _names(self._store)

    def check(self) -> None:
        """Raise `StoreUnavailable` unless the store answers."""
        with _answering():
            next(iter(self._store.list(chunk_size=1)), None)


class _StreamedObject:
    """An object being written: small ones in one put, others in parts as they fill."""

    def __init__(
        self, objects: Objects, store: LocalStore | S3Store, name: str, make_durable: Callable[[str], None]
    ) -> None:
        self._objects = objects
        self._name = name
        self._make_durable = make_durable
        self._file: obstore.WritableFile | None = obstore.open_writer(
            store, name, buffer_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
        )

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take more bytes; they are copied before this returns."""
        if self._file is None:
            raise ValueError("this object is closed")
        with _answering():
            self._file.write(bytes(data))  # obstore keeps what it is given until its part is full

    def close(self) -> None:
        """Make the object durable and visible under its name."""
        if self._file is None:
            return
        with _answering():
            self._file.close()
            self._make_durable(self._name)
        self._file = None

    def abort(self) -> None:
        """Leave no object behind: what was uploaded is completed, so that the store knows it, and removed."""
        if self._file is None:
            return
        file, self._file = self._file, None
        with _answering():
            file.close()
        self._objects.delete(self._name)


def _already_durable(name: str) -> None:
    """S3 answers only once an object is durable."""


def _names(store: LocalStore | S3Store) -> Iterator[tuple[str, int, datetime]]:
    for batch in store.list(chunk_size=1000):
        for entry in batch:
            yield entry["path"], entry["size"], entry["last_modified"]


@contextmanager
def _answering() -> Iterator[None]:
    """Turn a store's errors into `ObjectMissing` and `StoreUnavailable`."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissing from error
    except (BaseError, OSError) as error:
        first_line = str(error).split("\n", 1)[0][:300]
        raise StoreUnavailable(f"the object store does not answer: {first_line}") from error
