"""The directory as slapd serves it: pages, rings of groups, names of all scripts, people who move, both ways to TLS."""

from __future__ import annotations

import uuid
from pathlib import Path

import bonsai
import pytest

from radrelay.identity.directory.mapping import DirectoryGroup, Snapshot
from tests.identity.directory.conftest import MANY, MANY_COUNT, Opener
from tests.slapd import PASSWORD, SAMPLE, SITE, SIZE_LIMIT, Branch, Slapd


def _members(snapshot: Snapshot, name: str) -> set[str]:
    group = snapshot.group(name)
    assert isinstance(group, DirectoryGroup)
    by_id = {person.entry_id: person.login for person in snapshot.people}
    return {by_id[entry] for entry in snapshot.members(group)}


def test_more_people_than_one_answer_holds_are_read_page_by_page(server: Slapd, opened: Opener) -> None:
    snapshot, address = opened(MANY).read()
    assert (len(snapshot.people), address) == (MANY_COUNT, server.ldaps)
    assert len({person.entry_id for person in snapshot.people}) == MANY_COUNT
    client = bonsai.LDAPClient(server.ldaps)
    client.set_cert_policy("demand")
    client.set_ca_cert(str(server.ca_file))
    client.set_credentials("SIMPLE", f"cn=reader,{SITE}", "reader-secret")
    with client.connect(timeout=5) as connection, pytest.raises(bonsai.SizeLimitError):
        connection.search(MANY, 2, "(uid=*)")
    assert SIZE_LIMIT < MANY_COUNT


@pytest.mark.parametrize("number", [1, 2])
def test_several_servers_are_tried_in_turn(server: Slapd, opened: Opener, number: int) -> None:
    gone = ["ldaps://127.0.0.1:1"] * number
    _, address = opened(MANY, urls=[*gone, server.ldaps]).read()
    assert address == server.ldaps


def test_tls_can_begin_on_the_plain_port(server: Slapd, branch: Branch, opened: Opener) -> None:
    branch.person("anna")
    directory = opened(branch, urls=[server.ldap], start_tls=True)
    snapshot, _ = directory.read()
    assert directory.try_password(snapshot.people[0].entry_id, PASSWORD) == "right"


def test_names_of_all_scripts_and_with_signs_of_their_own(branch: Branch, opened: Opener) -> None:
    names = ['Müller, Anna "Nana"', "田中 太郎", "Иванов+Пётр", r"back\slash", "#hash", "a=b;c<d>", " space "]
    dns = []
    for number, name in enumerate(names):
        escaped = "".join(f"\\{ord(char):02x}" if char in ',"+\\#=;<> ' else char for char in name)
        dns.append(branch.person(f"p{number}", rdn=f"cn={escaped}", cn=name, displayName=name))
    branch.group("all", dns)
    directory = opened(branch, groups={"all": "All"})
    snapshot, _ = directory.read()
    assert [person.name for person in snapshot.people] == [name.strip() for name in names]
    assert _members(snapshot, "all") == {f"p{number}" for number in range(len(names))}
    for person in snapshot.people:
        assert directory.try_password(person.entry_id, PASSWORD) == "right", person.dn


def test_nested_groups_and_a_ring_of_them(branch: Branch, opened: Opener) -> None:
    anna, ben = branch.person("anna"), branch.person("ben")
    ring = f"cn=ring,{branch.dn}"
    inner = branch.group("inner", [ben, ring])
    branch.group("ring", [anna, inner])
    snapshot, _ = opened(branch, groups={"inner": "I", "ring": "R"}).read()
    assert _members(snapshot, "inner") == _members(snapshot, "ring") == {"anna", "ben"}


def test_whoever_is_renamed_or_moved_stays_who_they_are(branch: Branch, opened: Opener) -> None:
    for ward in ("here", "elsewhere"):
        branch.add(f"ou={ward}", ["organizationalUnit"], {})
    dn = branch.person("anna", below="ou=here")
    before, _ = opened(branch).read()
    branch.rename(dn, f"uid=anna.meier,ou=elsewhere,{branch.dn}")
    directory = opened(branch)
    after, _ = directory.read()
    assert after.people[0].entry_id == before.people[0].entry_id
    assert after.people[0].login == "anna.meier"
    assert directory.try_password(before.people[0].entry_id, PASSWORD) == "right"


def test_people_who_match_the_suspended_filter_are_suspended(branch: Branch, opened: Opener) -> None:
    branch.person("anna", employeeStatus="active")
    branch.person("ben", employeeStatus="left")
    directory = opened(branch, suspended_filter="(employeeStatus=left)")
    snapshot, _ = directory.read()
    found = {person.login: person for person in snapshot.people}
    assert [found[login].suspended for login in ("anna", "ben")] == [False, True]
    assert directory.try_password(found["ben"].entry_id, PASSWORD) == "wrong", "from then on, not from the next run"
    assert directory.try_password(found["anna"].entry_id, PASSWORD) == "right"


def test_an_account_that_the_server_has_locked_for_good_is_suspended(branch: Branch, opened: Opener) -> None:
    dn = branch.person("anna")
    branch.set(dn, pwdAccountLockedTime="000001010000Z")
    directory = opened(branch)
    snapshot, _ = directory.read()
    assert snapshot.people[0].suspended
    assert directory.try_password(snapshot.people[0].entry_id, PASSWORD) == "wrong"


def test_active_directory_by_its_own_names(ad_branch: Branch, opened: Opener) -> None:
    guid = uuid.uuid4()
    dn = ad_branch.ad_person("ivan", guid, displayName="Иван Иванов")
    ad_branch.ad_person("gone", userAccountControl="514")
    ad_branch.ad_person("workstation$", sAMAccountType="805306369")
    ad_branch.group("Röntgen", [dn], kind="group")
    directory = opened(ad_branch, groups={"Röntgen": "X-ray"})
    snapshot, _ = directory.read()
    found = {person.login: person for person in snapshot.people}
    assert (found["ivan"].entry_id, found["ivan"].name) == (str(guid), "Иван Иванов")
    assert found["gone"].suspended
    assert set(found) == {"ivan", "gone"}, "a computer is nobody"
    assert _members(snapshot, "röntgen") == {"ivan"}
    assert directory.try_password(str(guid), PASSWORD) == "right"
    assert directory.try_password(str(uuid.uuid4()), PASSWORD) == "wrong"


@pytest.mark.shared
def test_the_sample_of_an_active_directory_in_cyrillic(server: Slapd, opened: Opener) -> None:
    directory = opened(SAMPLE, SAMPLE, id_attribute="entryUUID", admin_groups=["Domain Admins"])
    snapshot, _ = directory.read()
    found = {person.login: person for person in snapshot.people}
    assert {login: person.name for login, person in found.items()} == {
        "Administrator": "Administrator", "ivan": "Иван Иванов", "maria": "Мария Петрова",
        "disabled_user": "disabled_user",
    }  # fmt: skip
    assert [login for login, person in found.items() if person.suspended] == ["disabled_user"]
    assert _members(snapshot, "Domain Users") == {"Administrator", "ivan", "maria"}
    assert _members(snapshot, f"cn=domain admins, cn=users, {SAMPLE}") == {"Administrator"}


@pytest.mark.shared
def test_devices_that_dcm4che_keeps_in_the_same_tree_are_nobody(branch: Branch, opened: Opener) -> None:
    branch.person("anna")
    branch.add("cn=Devices", ["dicomDevicesRoot"], {"cn": "Devices"})
    values = {"dicomDeviceName": "ct", "dicomInstalled": "TRUE"}
    branch.add("dicomDeviceName=ct", ["dicomDevice"], values, below="cn=Devices")
    snapshot, _ = opened(branch).read()
    assert ([person.login for person in snapshot.people], snapshot.problems) == (["anna"], [])


def test_the_password_of_the_reading_account_may_lie_in_a_file(branch: Branch, opened: Opener, tmp_path: Path) -> None:
    branch.person("anna")
    file = tmp_path / "password"
    file.write_text("reader-secret\n")
    assert len(opened(branch, bind_password=None, bind_password_file=file).read()[0].people) == 1


def test_what_is_typed_as_a_password_is_never_no_password(branch: Branch, opened: Opener) -> None:
    branch.person("anna")
    directory = opened(branch)
    entry = directory.read()[0].people[0].entry_id
    for password in ("", "\0", f"\0{PASSWORD}", f"{PASSWORD}\0", "\ud800", "x", PASSWORD.upper(), "*"):
        assert directory.try_password(entry, password) == "wrong", password
    assert directory.try_password(entry, PASSWORD) == "right"


def test_an_entry_without_a_password_lets_nobody_in(branch: Branch, opened: Opener) -> None:
    branch.add("uid=empty", ["inetOrgPerson"], {"uid": "empty", "cn": "e", "sn": "e"})
    directory = opened(branch)
    entry = directory.read()[0].people[0].entry_id
    assert [directory.try_password(entry, password) for password in ("", "x")] == ["wrong", "wrong"]


def test_nobody_costs_a_search_and_a_bind_too(server: Slapd, branch: Branch, opened: Opener) -> None:
    branch.person("anna")
    directory = opened(branch)
    entry = directory.read()[0].people[0].entry_id
    counts = [_operations(server, lambda who=who: directory.try_password(who, "x")) for who in (entry, None)]
    assert counts[0] == counts[1]


def _operations(server: Slapd, act: object) -> tuple[int, int]:
    """Return how many binds and searches the server has begun by an act."""

    def counted() -> tuple[int, int]:
        with server.as_root("cn=Monitor") as connection:
            found = connection.search("cn=Operations,cn=Monitor", 1, "(objectClass=*)", ["monitorOpInitiated"])
        held = {str(entry.dn).split(",")[0]: int(entry["monitorOpInitiated"][0]) for entry in found}
        return held["cn=Bind"], held["cn=Search"]

    before = counted()
    assert callable(act)
    act()
    after = counted()
    return after[0] - before[0], after[1] - before[1]


def test_no_user_is_made_a_filter(branch: Branch, opened: Opener) -> None:
    branch.person("anna")
    directory = opened(branch)
    for entry in ("*", "*)(uid=anna", "*)(|(uid=*", "\0", "a" * 64):
        assert directory.try_password(entry, PASSWORD) == "wrong"
