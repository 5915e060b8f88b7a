"""Passwords from breaches: found by bisection in a file of hashes, as the browser asks for them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from radrelay.errors import Misconfigured
from radrelay.identity.breaches import BreachList
from radrelay.identity.errors import PasswordCommon, PasswordWeak
from radrelay.identity.passwords import PasswordRules
from radrelay.settings import IdentitySettings
from tests.web.conftest import close_site, open_site

WORDS = [f"password number {number}" for number in range(3000)]


def sha1(word: str) -> str:
    return hashlib.sha1(word.encode()).hexdigest().upper()


@pytest.fixture(params=["counted", "small letters", "plain words", "last line cut"])
def listed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "breaches.txt"
    hashes = sorted(map(sha1, WORDS))
    path.write_bytes(
        {
            "counted": "\r\n".join(f"{one}:{place + 1}" for place, one in enumerate(hashes)) + "\r\n",
            "small letters": "\n".join(hashes).lower() + "\n",
            "plain words": "\n".join(WORDS),
            "last line cut": "\n".join(hashes),
        }[request.param].encode()
    )
    return path


def test_every_password_of_the_list_is_found_and_no_other(listed: Path) -> None:
    found = BreachList(listed)
    for word in (min(WORDS, key=sha1), max(WORDS, key=sha1), *WORDS[::50]):
        assert found.holds(word)
    assert not any(found.holds(f"another {number}") for number in range(50))
    prefix = sha1(WORDS[7])[:5]
    expected = sorted(sha1(word)[5:] for word in WORDS if sha1(word).startswith(prefix))
    assert found.suffixes(prefix.lower()) == expected
    assert len(found.suffixes("")) == len(WORDS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"{'F' * 40}:1\n{'0' * 40}:2\n" * 50, "order"),
        (f"{'0' * 40}\n" + "no hash at all\n" * 50, "no SHA-1 hash"),
    ],
)
def test_a_list_that_would_find_nothing_is_refused_at_start(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "breaches.txt"
    path.write_text(content)
    with pytest.raises(Misconfigured, match=said):
        BreachList(path)
    with pytest.raises(Misconfigured, match="cannot be read"):
        BreachList(tmp_path / "elsewhere")


def test_an_empty_list_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "none").touch()
    assert not BreachList(tmp_path / "none").holds("")


def test_a_site_says_its_rules_and_answers_five_digits_to_anybody(tmp_path: Path) -> None:
    path = tmp_path / "breaches.txt"
    path.write_text("\n".join(sorted(map(sha1, WORDS))))
    site = open_site(tmp_path, rules={"password_shortest": 14, "breach_file": path})
    try:
        nobody = site.client()
        assert nobody.get("/api/password-rules").json() == {"shortest": 14, "longest": 256, "breach_list": True}
        hashed = sha1(WORDS[5])
        assert hashed[5:] in nobody.get(f"/api/password-breaches/{hashed[:5]}").json()["suffixes"]
        for wrong in ("123", "12345678", "xxxxx"):
            assert nobody.get(f"/api/password-breaches/{wrong}").status_code == 404
    finally:
        close_site(site)


def test_the_command_line_keeps_to_the_rules(tmp_path: Path) -> None:
    path = tmp_path / "breaches.txt"
    path.write_text("\n".join(WORDS))
    rules = PasswordRules.of(IdentitySettings(password_shortest=14, breach_file=path))
    with pytest.raises(PasswordWeak):
        rules.require("thirteen char", "anna")
    with pytest.raises(PasswordCommon, match="breach"):
        rules.require(WORDS[3], "anna")
    rules.require("a password of nobody's", "anna")
