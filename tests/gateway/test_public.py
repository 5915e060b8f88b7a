"""The certificate for outside, and the relay's own: what is taken, what is wrong with what is not, when it is anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID

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
    pem, facts = checked(CHAIN, KEY, NOW, b"secret")
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY")
    assert facts == facts_of(pem)
    assert facts.covers("pictures.clinic.example")
    assert facts.covers("a.practice.example")
    assert not facts.covers("a.b.practice.example")
    assert not facts.covers("practice.example")
    assert not facts.is_alone


def test_a_certificate_that_comes_without_who_has_signed_it_is_told_of() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    where = x509.AccessDescription(
        AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca.example/between.crt")
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Between")]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("pictures.clinic.example")]), critical=False)
        .add_extension(x509.AuthorityInformationAccess([where]), critical=False)
    )
    alone = builder.sign(key, hashes.SHA256())
    assert facts_of(alone.public_bytes(Encoding.PEM)).is_alone
    first = Path(certifi.where()).read_bytes().partition(b"-----END")[0] + b"-----END CERTIFICATE-----\n"
    root = x509.load_pem_x509_certificate(first).subject
    known = (
        x509.CertificateBuilder(
            root, x509.Name([]), key.public_key(), 2, NOW, NOW + timedelta(days=9), list(alone.extensions)
        )
    ).sign(key, hashes.SHA256())
    assert not facts_of(known.public_bytes(Encoding.PEM)).is_alone


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
            checked(chain, key, NOW, b"secret")
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
