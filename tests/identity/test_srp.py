"""SRP-6a by RFC 5054's vectors, and what must not get through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radrelay.errors import Invalid
from radrelay.identity.srp import GROUP_2048, SRP, Group, Srp
from radrelay.identity.verifiers import decode, make, stretch, taken, to_text


def test_every_value_of_the_standards_example_comes_out(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "srp" / "rfc5054-appendix-b.json").read_text())
    number = {name: int(vectors[name], 16) for name in ("N", "g", "k", "x", "v", "a", "b", "A", "B", "u", "premaster")}
    srp = Srp(Group(number["N"], number["g"]), "sha1")
    x = srp.private_key(vectors["I"], vectors["P"].encode(), bytes.fromhex(vectors["s"]))
    client, server = srp.client_public(number["a"]), srp.server_public(number["v"], number["b"])
    assert (srp.multiplier, x, srp.verifier(x)) == (number["k"], number["x"], number["v"])
    assert (client, server, srp.scrambling(client, server)) == (number["A"], number["B"], number["u"])
    assert srp.server_premaster(client, server, number["b"], number["v"]) == number["premaster"]
    assert srp.client_premaster(server, client, number["a"], x) == number["premaster"]


def test_the_group_is_the_standards_with_2048_bits() -> None:
    assert (GROUP_2048.n.bit_length(), GROUP_2048.g, GROUP_2048.width) == (2048, 2, 256)
    for safe in (GROUP_2048.n, (GROUP_2048.n - 1) // 2):
        assert all(pow(base, safe - 1, safe) == 1 for base in (2, 3, 5, 7, 11))


@settings(max_examples=10, deadline=None)
@given(st.text(min_size=1, max_size=40), st.text(max_size=60), st.text(max_size=60))
def test_the_right_password_is_proven_and_another_is_not(identity: str, password: str, other: str) -> None:
    kept = decode(make(identity, password, 10).encoded())
    a, b = 0x1234_5678 << 200, 0x9ABC_DEF0 << 200
    client, server = SRP.client_public(a), SRP.server_public(kept.value, b)
    key = SRP.session_key(SRP.server_premaster(client, server, b, kept.value))
    for typed in (password, other):
        x = SRP.private_key(identity, stretch(typed, kept.salt, kept.iterations), kept.salt)
        tried = SRP.session_key(SRP.client_premaster(server, client, a, x))
        same = stretch(typed, kept.salt, 10) == stretch(password, kept.salt, 10)
        assert (tried == key) == same
        proofs = [SRP.client_proof(identity, kept.salt, client, server, one) for one in (tried, key)]
        assert (proofs[0] == proofs[1]) == same


@pytest.mark.parametrize("times", [0, 1, 2, -1])
def test_a_public_value_that_is_nothing_in_the_group_is_refused(times: int) -> None:
    kept = make("anna", "ein langes Kennwort", 10)
    server = SRP.server_public(kept.value, 5)
    with pytest.raises(Invalid):
        SRP.server_premaster(times * GROUP_2048.n, server, 5, kept.value)
    with pytest.raises(Invalid):
        SRP.client_premaster(times * GROUP_2048.n, 5, 5, 5)


def test_an_umlaut_counts_the_same_however_it_was_typed() -> None:
    assert stretch("Kr\u00e4henf\u00fc\u00dfe", b"s" * 64, 10) == stretch("Kra\u0308henfu\u0308\u00dfe", b"s" * 64, 10)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"salt": b"s" * 63}, "salt"), ({"iterations": 9}, "iterations"), ({"value": 1}, "verifier"),
     ({"value": GROUP_2048.n - 1}, "verifier"), ({"value": 0}, "verifier")],
)  # fmt: skip
def test_a_weak_verifier_is_not_taken(change: dict[str, object], field: str) -> None:
    made = {"salt": b"s" * 64, "iterations": 10, "value": 1 << 2000, **change}
    salt, value = to_text(bytes(made["salt"])), to_text(GROUP_2048.pad(int(str(made["value"]))))  # type: ignore[call-overload]
    with pytest.raises(Invalid) as refused:
        taken(salt, int(str(made["iterations"])), value, least=10)
    assert refused.value.facts["field"] == field
