"""SMART Health Links as they are written: `shlink:/…`, alone or after a viewer's address (FHIR IG, 1.0.0 STU1).

Only read here: the manifest, its passcode and its encrypted files are asked for by `health_link_errand`. A viewer's
address before the `#` is nothing that is asked.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from radrelay.importer.connectors.ports import Lead
from radrelay.importer.errors import LinkExpiredThere, PortalUnclear
from radrelay.importer.json_read import read_json, text_of
from radrelay.importer.places import target_of
from radrelay.importer.secret import Secret

VERSION = 1
KEY_BYTES, MOST_LABEL = 32, 80
_WRITTEN = re.compile(r"(?:^|#)shlink:/(?P<payload>[A-Za-z0-9_-]+)=*$", re.IGNORECASE)
OWN_LABEL = "Medical images"
_OWN = re.compile(r"/shl/[A-Za-z0-9_-]{43}")
_DAY = re.compile(r"(\d{1,2})\s*[./ -]\s*(\d{1,2})\s*[./ -]\s*(\d{4})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})\s*[./ -]\s*(\d{1,2})\s*[./ -]\s*(\d{1,2})", re.ASCII)
_ANY = re.compile(r"(?:^|#)shlink:/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HealthLink:
    """A SMART Health Link. `passcode`: it asks for one; `direct`: the address is the file and no manifest."""

    host: str
    manifest: Secret
    key: Secret
    expires_at: datetime | None = None
    passcode: bool = False
    direct: bool = False
    long_term: bool = False
    label: str = field(default="", repr=False)

    @property
    def lead(self) -> Lead:
        """Return it as connectors do; the key is what opens it."""
        return Lead("shl", self.host, self.key, self.manifest)

    @property
    def is_own(self) -> bool:
        """Tell whether it is of the kind that Radrelay gives out, here or elsewhere: its passcode may be a day."""
        return self.label == OWN_LABEL and _OWN.search(self.manifest.value) is not None

    def require_not_over(self, now: datetime) -> None:
        """Raise `LinkExpiredThere` if its time is over."""
        if self.expires_at is not None and now >= self.expires_at:
            raise LinkExpiredThere(host=self.host)


def is_health_link(link: str) -> bool:
    """Tell whether a link says that it is one."""
    return _ANY.search(link) is not None


def is_whole(link: str) -> bool:
    """Tell whether all of what a health link says is there."""
    found = _WRITTEN.search(link)
    return found is not None and _payload(found["payload"]) is not None


def health_link(link: str, *, clear_loopback: bool = False) -> HealthLink:
    """Return what a `shlink:/` says; raises `PortalUnclear`, `NotEncrypted`, `AddressRefused`."""
    found = _WRITTEN.search(link)
    told = _payload(found["payload"]) if found is not None else None
    if told is None:
        raise PortalUnclear("This SMART Health Link cannot be read.", reason="payload")
    version, url, key = told.get("v", VERSION), told.get("url"), told.get("key")
    if version != VERSION:
        raise PortalUnclear("This SMART Health Link is of a later version.", reason="version")
    if not isinstance(url, str) or not isinstance(key, str) or not _is_key(key):
        raise PortalUnclear("This SMART Health Link cannot be read.", reason="address or key")
    flags = text_of(told.get("flag"))
    if "P" in flags and "U" in flags:
        raise PortalUnclear("This SMART Health Link contradicts itself.", reason="flags P and U")
    target = target_of(url, clear_loopback=clear_loopback)
    label = "".join(c if c.isprintable() else " " for c in text_of(told.get("label")))[:MOST_LABEL]
    return HealthLink(
        target.name, Secret(url), Secret(key), _moment(told.get("exp")), "P" in flags, "U" in flags, "L" in flags, label
    )


def day_in(text: str) -> str:
    """Return a day as ISO 8601, however it is typed; nothing for what is none, or may be either of two."""
    first, year = _DAY.fullmatch(text), _YEAR_FIRST.fullmatch(text)
    if first is not None:
        day, month, told = (int(one) for one in first.groups())
        if "/" in text and day <= 12:  # a month is written first with slashes, too
            month = month if month == day else 0
    elif year is not None:
        told, month, day = (int(one) for one in year.groups())
    else:
        return ""
    try:
        return date(told, month, day).isoformat()
    except ValueError:
        return ""


def _payload(text: str) -> dict[str, Any] | None:
    try:
        told = read_json(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def _is_key(text: str) -> bool:
    """Tell whether a text is 32 bytes in base64url without padding."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}", text):
        return False
    return len(base64.urlsafe_b64decode(f"{text}=")) == KEY_BYTES


def _moment(seconds: object) -> datetime | None:
    """Return a moment of Unix time; some write milliseconds, against the standard."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    try:
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
