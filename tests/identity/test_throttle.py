"""The arithmetic of slowing down, and what passwords and devices are made of."""

from __future__ import annotations

import uuid

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from radrelay.identity import PasswordWeak
from radrelay.identity.accounts import fold_username
from radrelay.identity.devices import DeviceCookies
from radrelay.identity.passwords import PasswordRules, Passwords, one_time_password
from radrelay.identity.throttle import ADDRESS, NAME, PAIR, address_key, counters

HASHER = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@given(st.integers(0, 10**9))
def test_the_wait_never_shrinks_and_never_passes_its_cap(failures: int) -> None:
    for limit in (PAIR, ADDRESS, NAME):
        assert limit.wait_s(failures) <= limit.wait_s(failures + 1) <= limit.cap_s


def test_the_first_tries_are_free() -> None:
    assert [PAIR.wait_s(failures) for failures in range(8)] == [0, 0, 0, 0, 0, 2, 4, 8]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("2001:db8::1", "2001:db8::ffff", True), ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
     ("10.0.0.1", "10.0.0.2", False),
     ("::ffff:10.0.0.1", "10.0.0.1", True), ("fe80::1%eth0", "fe80::1%eth1", True)],
)  # fmt: skip
def test_one_subscriber_is_one_address(one: str, other: str, same: bool) -> None:
    assert (address_key(one) == address_key(other)) is same


@given(st.text(max_size=100))
def test_any_text_is_an_address_that_fits(text: str) -> None:
    assert len(counters(text, "name", known=False)[0][0]) <= 200


def test_a_known_device_is_bound_by_its_own_counter_alone() -> None:
    assert len(counters("10.0.0.1", "anna", known=True, device="nonce")) == 1
    assert len(counters("10.0.0.1", "anna", known=False)) == 3


def test_no_name_stands_in_a_counter() -> None:
    assert all("anna" not in key for key, _ in counters("10.0.0.1", "anna", known=False))


@given(st.text())
def test_folding_a_name_twice_changes_nothing_more(name: str) -> None:
    assert fold_username(fold_username(name)) == fold_username(name)


def test_names_that_look_alike_are_one() -> None:
    assert fold_username(" ＡＮＮＡ ") == fold_username("anna")
    assert fold_username("STRASSE") == fold_username("straße")


def test_a_device_cookie_is_for_its_account_and_its_installation() -> None:
    ours, other = DeviceCookies(bytes(32)), DeviceCookies(bytes(31) + b"x")
    anna, bert = uuid.uuid4(), uuid.uuid4()
    cookie = ours.make(anna)
    assert ours.check(cookie, anna)
    for wrong in (cookie[:-1], cookie + "x", "", "a.b", "ä.b.c", cookie.replace(".", "..")):
        assert not ours.check(wrong, anna)
    assert not ours.check(cookie, bert)
    assert not ours.check(cookie, None)
    assert not other.check(cookie, anna)


def test_passwords_are_argon2id_and_nobody_has_none() -> None:
    passwords = Passwords(HASHER)
    encoded = passwords.hash("correct horse battery")
    assert encoded.startswith("$argon2id$")
    assert passwords.matches(encoded, "correct horse battery")
    assert not passwords.matches(encoded, "correct horse")
    assert not passwords.matches(None, "")
    assert not passwords.matches("not a hash", "x")


def test_production_uses_the_parameters_of_the_rfc() -> None:
    assert "$m=65536,t=3,p=4$" in Passwords().hash("x")


def test_nobody_takes_as_long_as_somebody() -> None:
    """The hash that stands in for an unknown account has the costs and lengths of a real one."""
    passwords = Passwords()
    real, stand_in = passwords.hash("x"), passwords._stand_in
    assert [len(part) for part in stand_in.split("$")] == [len(part) for part in real.split("$")]
    assert stand_in.split("$")[:4] == real.split("$")[:4]
    assert not passwords.outdated(stand_in)
    assert not passwords.matches(None, "x")


def test_one_time_passwords_are_strong_and_different() -> None:
    made = {one_time_password() for _ in range(50)}
    assert len(made) == 50
    for password in made:
        PasswordRules().require(password, "admin")


@pytest.mark.parametrize("weak", ["", "eleven char", "passwordpassword", "111111111111", "myadminpassword"])
def test_weak_passwords_are_named(weak: str) -> None:
    with pytest.raises(PasswordWeak):
        PasswordRules().require(weak, "admin")
