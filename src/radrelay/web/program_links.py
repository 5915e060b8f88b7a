"""A link's addresses for programs: for DICOM Link Exchange, and as a SMART Health Link (`shlink:/…`).

Both are made of its token, and are shown with it, once.
"""

from __future__ import annotations

import base64
import json

from radrelay.access import LinkKeys, LinkView
from radrelay.web.sharing import PAGE

MANIFESTS = "/shl"
LABEL = "Medical images"
PASSCODES = ("pin", "birth-date")


def addresses_for_programs(keys: LinkKeys, site: str, link: LinkView, token: str) -> tuple[str, str]:
    """Return a link's address for DICOM Link Exchange, and it as a SMART Health Link; empty where it hands nothing out.

    A link that asks for a code by e-mail opens in a browser alone.
    """
    if not link.may_download or link.protection == "email":
        return "", ""
    return f"{site}{PAGE}?token={token}", health_link(keys, site, link, token)


def health_link(keys: LinkKeys, site: str, link: LinkView, token: str) -> str:
    """Return a link as a SMART Health Link."""
    address = keys.health_address(token)
    payload = {
        "url": f"{site}{MANIFESTS}/{address}",
        "key": _text(keys.health_key(address)),
        "exp": int(link.ends_at.timestamp()),
        **({"flag": "P"} if link.protection in PASSCODES else {}),
        "label": LABEL,
        "v": 1,
    }
    return f"shlink:/{_text(json.dumps(payload, separators=(',', ':')).encode())}"


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
