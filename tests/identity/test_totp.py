"""Codes of an app: RFC 6238's vectors, the clocks that it forgives, the address that apps read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import pytest

from radrelay.identity.factors import totp

SEED = b"12345678901234567890123456789012345678901234567890123456789012345678901234567890"
VECTORS = [  # RFC 6238, appendix B
    (59, "94287082", "46119246", "90693936"),
    (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
]


@pytest.mark.parametrize(("seconds", "sha1", "sha256", "sha512"), VECTORS)
def test_codes_are_those_of_rfc_6238(seconds: int, sha1: str, sha256: str, sha512: str) -> None:
    digests: tuple[tuple[Literal["sha1", "sha256", "sha512"], int, str], ...] = (
        ("sha1", 20, sha1), ("sha256", 32, sha256), ("sha512", 64, sha512),
    )  # fmt: skip
    for digest, length, expected in digests:
        assert totp.code_at(SEED[:length], seconds // 30, 8, digest) == expected
    assert totp.code_at(SEED[:20], seconds // 30) == sha1[-6:]


def test_a_clock_may_be_one_step_off_and_no_more() -> None:
    secret, now = totp.new_secret(), datetime(2026, 3, 1, 12, 0, 15, tzinfo=UTC)
    step = totp.step_at(now)
    for shift in (-1, 0, 1):
        assert totp.step_of(secret, totp.code_at(secret, step + shift), now) == step + shift
    for wrong in (totp.code_at(secret, step - 2), totp.code_at(secret, step + 2), "", "12345", "٣٣٣٣٣٣"):
        assert totp.step_of(secret, wrong, now) is None
    assert totp.step_of(secret, totp.code_at(secret, step), now + timedelta(seconds=14)) == step


def test_the_address_and_its_qr_code_are_what_apps_read() -> None:
    address = totp.address(SEED[:20], "Klinik & Söhne", "anna:weber")
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == "/Klinik%20%26%20S%C3%B6hne%3Aanna%3Aweber"
    assert parse_qs(parts.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"], "issuer": ["Klinik & Söhne"], "algorithm": ["SHA1"],
        "digits": ["6"], "period": ["30"],
    }  # fmt: skip
    drawn = totp.qr_code(address)
    assert drawn.startswith("<svg xmlns=")
    assert "style" not in drawn, "the policy allows none"
