"""Sealed files of health links, against RFC 7516's example and another implementation of JOSE."""

from __future__ import annotations

import base64
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey

from radrelay.importer.connectors.jwe import Unsealing
from radrelay.importer.errors import ParcelTooLarge, PortalTrouble, WrongContent
from tests.importer.portal import Kept

KEY = bytes(range(32))
HEADER = {"alg": "dir", "enc": "A256GCM", "cty": "application/fhir+json"}
RFC_7516_A1 = (
    "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ..48V1_ALb6US04U3b."
    "5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A.XFBoMYUZodetZdvTiFvSkQ"
)
RFC_7516_KEY = bytes([
    177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212, 246, 138, 7, 110, 91, 112, 46, 34, 105, 47,
    130, 203, 46, 122, 234, 64, 252,
])  # fmt: skip


def sealed(content: bytes, header: dict[str, str] | None = None, key: bytes = KEY) -> str:
    """Return a file as another implementation seals it."""
    return str(
        jwe.encrypt_compact(header or HEADER, content, OctKey.import_key(key), algorithms=["dir", "A256GCM", "DEF"])
    )


def unsealed(text: str, step: int = 7, most: int = 1 << 30, key: bytes = KEY) -> bytes:
    kept = Kept()
    made = Unsealing(key, kept, "portal.test", most)
    raw = text.encode()
    for at in range(0, len(raw), step):
        made.write(raw[at : at + step])
    made.finish()
    return kept.bytes


def test_the_example_of_the_standard(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongContent):  # its key is wrapped, and no health link's is
        unsealed(RFC_7516_A1, key=RFC_7516_KEY)
    monkeypatch.setattr(Unsealing, "_read_header", lambda self, raw: None)
    found = unsealed(RFC_7516_A1, key=RFC_7516_KEY)
    assert found == b"The true sign of intelligence is not knowledge but imagination."


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 600), st.booleans())
def test_what_another_implementation_seals_is_unsealed_in_pieces_of_any_size(
    content: bytes,
    step: int,
    packed: bool,  # hypothesis gives it
) -> None:
    header = HEADER | {"zip": "DEF"} if packed else HEADER
    assert unsealed(sealed(content, header), step) == content


@pytest.mark.parametrize(
    "text",
    [
        "", "abc", "a.b.c.d.e", "....", sealed(b"x") + ".", sealed(b"x")[:-2], sealed(b"x")[:-1] + "!",
        sealed(b"x").replace("..", ".AA."), sealed(b"x", key=bytes(32)), RFC_7516_A1, "e30..48V1_ALb6US04U3b.AA.AA",
        sealed(b"x" * 60)[:-40] + "A" + sealed(b"x" * 60)[-39:], "x" * 20_000,
        sealed(b"x").replace(".", " .", 1),
    ],
)  # fmt: skip
def test_what_is_not_sealed_as_it_should_be_is_refused(text: str) -> None:
    with pytest.raises(WrongContent):
        unsealed(text)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="AbZ09-_.=e {", max_size=80))
def test_rubbish_has_a_name(text: str) -> None:
    with pytest.raises(PortalTrouble):
        unsealed(text)


def test_a_bomb_is_not_inflated() -> None:
    text = sealed(bytes(200_000), HEADER | {"zip": "DEF"})
    assert len(text) < 1000
    with pytest.raises(ParcelTooLarge):
        unsealed(text, most=100_000)
    assert len(unsealed(sealed(os.urandom(50_000)), 4096)) == 50_000


def test_begun_anew_it_forgets() -> None:
    kept, text = Kept(), sealed(b"whole").encode()
    made = Unsealing(KEY, kept, "portal.test", 100)
    made.write(text[:40])
    made.begin()
    made.write(text)
    made.finish()
    assert kept.bytes == b"whole"
    assert base64.urlsafe_b64encode(KEY).decode() not in repr(made)
