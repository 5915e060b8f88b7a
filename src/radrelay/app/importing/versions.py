"""Digests of objects that are here, made once: an object as received never changes, and its pixel data are many."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import InstanceReader
from radrelay.importer.arrived import header_digest

MOST = 20_000


class Versions:
    """Tells by which digests objects that are here are known again. Thread-safe; keeps those asked for last."""

    def __init__(self, reader: InstanceReader, most: int = MOST) -> None:
        self._reader, self._most, self._lock = reader, most, threading.Lock()
        self._known: OrderedDict[tuple[bytes, str], tuple[str, str]] = OrderedDict()

    def of(self, ref: InstanceRef) -> tuple[str, str]:
        """Return the digests of an object's pixel data (empty: it has none) and of its header."""
        key = (ref.sha256, ref.transfer_syntax_uid)
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
        made = self._made(ref)
        with self._lock:
            self._known[key] = made
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return made

    def _made(self, ref: InstanceRef) -> tuple[str, str]:
        header = self._reader.received_header(ref)
        if header.bulk is None:
            return "", header_digest(header)
        pixels = hashlib.sha256()
        for piece in self._reader.received_stream(ref, header.bulk[1]):
            pixels.update(piece)
        return pixels.hexdigest(), header_digest(header)
