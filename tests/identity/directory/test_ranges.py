"""Groups of more than 1,500 members come in parts from Active Directory; slapd gives all: these answers are made up."""

from __future__ import annotations

from typing import Any

import pytest

from radrelay.identity.directory.ldap import Fault, _entry


class Parts:
    """A connection to a server that gives `step` values at once."""

    def __init__(self, members: list[str], step: int, *, skips: bool = False) -> None:
        self.members, self.step, self.skips = members, step, skips

    def part(self, start: int) -> dict[str, list[str]]:
        given = self.members[start : start + self.step]
        end = "*" if start + self.step >= len(self.members) else str(start + len(given) - 1)
        return {f"member;range={start + self.skips}-{end}": given}

    def search(
        self, base: str, scope: int, filter_exp: str, attributes: list[str], **more: Any
    ) -> list[dict[str, Any]]:
        del base, scope, filter_exp, more
        return [self.part(int(attributes[0].partition("=")[2].partition("-")[0]))]


class Found(dict[str, Any]):
    dn = "cn=all,dc=x"


@pytest.mark.parametrize("count", [1500, 1501, 3000, 4321])
def test_all_parts_of_a_large_group_are_read(count: int) -> None:
    members = [f"cn=p{number},dc=x" for number in range(count)]
    server = Parts(members, 1500)
    found = Found(cn=["all"], member=[], **server.part(0))
    assert _entry(server, found, 5).values["member"] == members  # type: ignore[arg-type]  # the one method it asks


def test_a_part_that_is_missing_is_no_smaller_group() -> None:
    members = [f"cn=p{number},dc=x" for number in range(4000)]
    found = Found(cn=["all"], **Parts(members, 1500).part(0))
    with pytest.raises(Fault, match="all values of member"):
        _entry(Parts(members, 1500, skips=True), found, 5)  # type: ignore[arg-type]
