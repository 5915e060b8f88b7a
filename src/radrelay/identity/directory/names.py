"""Distinguished names in one form to compare them by (RFC 4514), and values made safe in filters (RFC 4515).

Servers write one name in several ways: with a comma escaped by itself or as digits, quotes, capitals, spaces.
"""

from __future__ import annotations

import unicodedata

ESCAPED = ' "#+,;<=>\\'
HEX = frozenset("0123456789abcdefABCDEF")


def folded(dn: str) -> str:
    """Return the form that names are compared in; raises `ValueError` for what is no distinguished name."""
    if not dn.strip():
        return ""
    parts = []
    for relative in _split(dn, ",;"):
        pairs = sorted(_pair(part) for part in _split(relative, "+"))
        parts.append("+".join(f"{name}={_guarded(value)}" for name, value in pairs))
    return ",".join(parts)


def same_form(dn: str) -> str:
    """Return `folded`, or for what is no distinguished name a form that equals nothing else."""
    try:
        return folded(dn)
    except ValueError:
        return "\0" + dn


def filter_value(value: str | bytes) -> str:
    """Return a value as it may stand in a filter: every octet that is no plain letter or digit as a pair of digits."""
    octets = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return "".join(chr(octet) if chr(octet).isalnum() and octet < 128 else f"\\{octet:02x}" for octet in octets)


def value_in_dn(value: str) -> str:
    """Return a value as it may stand in a distinguished name."""
    return "".join(f"\\{char}" if char in ESCAPED else char for char in value)


def domains_of(base: str) -> set[str]:
    """Return what the domain of a base is called: its DNS name (RFC 2247), and the first part of that."""
    parts = [part.partition("=")[2] for part in same_form(base).split(",") if part.startswith("dc=")]
    return {".".join(parts), parts[0]} if parts else set()


def without_domain(typed: str, domains: set[str]) -> str | None:
    r"""Return the login name in DOMAIN\name or name@domain; None where there is none, or of another domain."""
    typed = typed.strip()
    domain, back, name = typed.partition("\\")
    if not back:
        name, _, domain = typed.rpartition("@")
    return name if name and domain.casefold() in domains else None


def _split(text: str, separators: str) -> list[str]:
    parts, start, at, quoted = [], 0, 0, False
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == '"':
            quoted = not quoted
        elif char in separators and not quoted:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    if quoted:
        raise ValueError("a quote in a distinguished name is not closed")
    return [*parts, text[start:]]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    name = name.strip().lower()
    if not equals or not name or not all(char.isalnum() or char in "-." for char in name):
        raise ValueError(f"{text!r} is no part of a distinguished name")
    return name.removeprefix("oid."), _plain(value)


def _plain(value: str) -> str:
    """Return a value without escapes, outer spaces and quotes, and folded as directories compare names."""
    value = value.lstrip(" ")
    octets, at, kept = bytearray(), 0, 0
    if value.startswith("#") and len(value) > 1 and len(value) % 2 and HEX.issuperset(value[1:]):
        return value.lower()
    while at < len(value):
        char = value[at]
        if char == "\\":
            pair = value[at + 1 : at + 3]
            if len(pair) == 2 and HEX.issuperset(pair):
                octets.append(int(pair, 16))
                at += 3
            elif pair:
                octets += pair[0].encode("utf-8", "surrogatepass")
                at += 2
            else:
                raise ValueError("a distinguished name ends in an escape")
            kept = len(octets)
            continue
        if char != '"':
            octets += char.encode("utf-8", "surrogatepass")
            if char != " ":
                kept = len(octets)
        at += 1
    text = bytes(octets[:kept]).decode("utf-8", "replace")
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _guarded(value: str) -> str:
    return "".join(f"\\{char}" if char in ",+=\\" else char for char in value)
