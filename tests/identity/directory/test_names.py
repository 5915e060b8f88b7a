"""Distinguished names compared, and values in filters: what servers write in many ways, and what strangers type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radrelay.identity.directory.names import filter_value, folded, same_form, value_in_dn


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=Anna,OU=A,DC=x", "cn=anna, ou=a ,dc=X"),
        (r"cn=M\C3\BCller\, Anna,dc=x", r"CN=Müller\2C Anna,DC=x"),
        ('cn="Müller, Anna",dc=x', r"cn=Müller\, Anna,dc=x"),
        (r"cn=Anna \"Nana\" M,dc=x", r"cn=Anna \22Nana\22 M,dc=x"),
        ("cn=Anna   M,dc=x", "cn=Anna M,dc=x"),
        ("uid=a+cn=b,dc=x", "CN=b+UID=a,dc=x"),
        ("2.5.4.3=a,dc=x", "OID.2.5.4.3=a,dc=x"),
        ("cn=田中　太郎,dc=x", "cn=田中 太郎,dc=x"),
    ],
)
def test_one_name_written_in_two_ways_is_one(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"cn=a\,dc=x", "cn=a,dc=x"),
        ("cn=a,dc=x", "cn=a,dc=x,dc=x"),
        (r"cn=a\+b=c,dc=x", "cn=a+b=c,dc=x"),
        (r"cn=x\5C2Cuid=v,dc=x", r"cn=x\\,uid=v,dc=x"),
        ("cn=a", "sn=a"),
    ],
)
def test_different_names_stay_different(one: str, other: str) -> None:
    assert same_form(one) != same_form(other)


@pytest.mark.parametrize("nonsense", ["anna", "=a", 'cn="a', "cn=a\\", "c n=a", ",", "cn=a,,dc=x"])
def test_nonsense_is_no_name_and_equals_nothing_else(nonsense: str) -> None:
    with pytest.raises(ValueError, match="distinguished name"):
        folded(nonsense)
    assert same_form(nonsense).startswith("\0")


@given(st.text())
def test_whatever_a_server_sends_is_compared(text: str) -> None:
    assert same_form(text) == same_form(text)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_a_value_stands_in_a_name_as_one_value(value: str) -> None:
    parts = folded(f"cn=a{value_in_dn(value)}a,dc=x").split(",dc=x")
    assert parts[-1] == ""
    assert folded(f"cn=a{value_in_dn(value)}a").count("=") - folded(f"cn=a{value_in_dn(value)}a").count("\\=") == 1


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.binary())
def test_nothing_that_is_typed_ends_a_filter(value: str | bytes) -> None:
    octets = value.encode() if isinstance(value, str) else value
    safe = filter_value(value)
    assert not set(safe) & set("()*&|!=\0")
    pairs = safe.replace("\\", "\\x").encode().decode("unicode_escape").encode("latin-1")
    assert pairs == octets
