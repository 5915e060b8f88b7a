"""The certificate for outside: what is taken, and what is wrong with what is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trustme

from radrelay.gateway import errors
from radrelay.gateway.public import checked, facts_of

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
