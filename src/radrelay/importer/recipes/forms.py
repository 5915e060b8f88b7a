"""Bodies of forms, as pages send them: urlencoded, or multipart as scripts do it (RFC 7578)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from email import policy
from email.parser import BytesParser
from urllib.parse import parse_qsl, urlencode

URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


def body_of(fields: Mapping[str, str], *, multipart: bool = False) -> tuple[bytes, str]:
    """Return a form's body and of which type it is."""
    if not multipart:
        return urlencode(fields).encode(), URLENCODED
    boundary = f"form-{secrets.token_hex(16)}"
    made = b""
    for name, value in fields.items():
        quoted = name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{quoted}"\r\n\r\n'
        made += f"{head}{value}\r\n".encode()
    return made + f"--{boundary}--\r\n".encode(), f"{MULTIPART}; boundary={boundary}"


def fields_of(body: bytes, kind: str) -> dict[str, str]:
    """Return the fields of a form's body, files left out; raises `ValueError`."""
    if not kind.lower().startswith(MULTIPART):
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    parser = BytesParser(policy=policy.HTTP)
    told = parser.parsebytes(b"Content-Type: " + kind.encode("latin-1", "replace") + b"\r\n\r\n" + body)
    found: dict[str, str] = {}
    for part in told.iter_parts() if told.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        raw = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(raw, bytes) and part.get_filename() is None:
            found[name] = raw.decode("utf-8", "replace")
    return found
