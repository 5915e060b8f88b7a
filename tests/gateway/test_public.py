"""The certificate for outside, and the relay's own: what is taken, what is wrong with what is not, when it is anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from radrelay.gateway import errors
from radrelay.gateway.authority import Authority
from radrelay.gateway.public import checked, facts_of
from radrelay.gateway.standing import Board, LinkState, standing

NOW = datetime.now(UTC)
AUTHORITY = trustme.CA()
BELOW = AUTHORITY.create_child_ca()
GOOD = BELOW.issue_cert("pictures.clinic.example", "*.practice.example")
CHAIN = b"".join(blob.bytes() for blob in GOOD.cert_chain_pems)
KEY = GOOD.private_key_pem.bytes()


def test_a_chain_with_its_key_is_taken_and_says_for_whom_it_is() -> None:
    pem, facts = checked(CHAIN, KEY, NOW)
    assert pem.startswith(b"-----BEGIN PRIVATE KEY")
    assert facts == facts_of(pem)
    assert facts.covers("pictures.clinic.example")
    assert facts.covers("a.practice.example")
    assert not facts.covers("a.b.practice.example")
    assert not facts.covers("practice.example")


def test_what_cannot_be_used_is_refused_by_name() -> None:
    other = AUTHORITY.issue_cert("pictures.clinic.example")
    ended = AUTHORITY.issue_cert("pictures.clinic.example", not_after=NOW - timedelta(days=1))
    nameless = AUTHORITY.issue_cert(common_name="pictures.clinic.example")
    for chain, key, error in (
        (b"rubbish", KEY, errors.CertificateUnusable),
        (CHAIN, b"rubbish", errors.KeyUnusable),
        (CHAIN, other.private_key_pem.bytes(), errors.KeyOfAnother),
        (GOOD.cert_chain_pems[0].bytes() + AUTHORITY.cert_pem.bytes(), KEY, errors.ChainOutOfOrder),
        (ended.cert_chain_pems[0].bytes(), ended.private_key_pem.bytes(), errors.CertificateEnded),
        (nameless.cert_chain_pems[0].bytes(), nameless.private_key_pem.bytes(), errors.CertificateNameless),
    ):
        with pytest.raises(error) as refused:
            checked(chain, key, NOW)
        assert type(refused.value) is error


def test_the_relays_own_certificate_is_made_anew_after_half_its_time(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path, NOW)
    file = tmp_path / "relay.pem"
    ends_at = authority.relay_certificate(file, NOW)
    first = file.read_bytes()
    assert authority.relay_certificate(file, NOW + timedelta(days=44)) == ends_at
    assert file.read_bytes() == first
    assert authority.relay_certificate(file, NOW + timedelta(days=46)) > ends_at
    file.write_bytes(first.replace(first[-200:-150], b"A" * 50))
    assert authority.relay_certificate(file, NOW) == Authority.open(tmp_path, NOW).relay_certificate(file, NOW)


def test_links_go_on_where_their_state_cannot_be_written(tmp_path: Path) -> None:
    board = Board(tmp_path / "gateway")
    (tmp_path / "gateway").rmdir()
    board.show([LinkState("relay.example:45000")], NOW)
    assert standing(tmp_path / "gateway", NOW) is None
