"""Whose account is whose: bound by the provider's issuer and subject, never by a name; groups and roles that follow."""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa

from radrelay.identity.models import Account
from tests.oidc.conftest import Clinic, Enter
from tests.oidc.forging import Forger


def of_directory(clinic: Clinic, username: str, entry_id: str) -> uuid.UUID:
    made = clinic.site.account(username)
    with clinic.site.database.write() as session:
        session.execute(
            sa.update(Account).where(Account.id == made).values(directory_id=entry_id, password_hash=None)
        )  # fmt: skip
    return made


def people(clinic: Clinic) -> dict[str, dict[str, Any]]:
    root = clinic.site.login("root")
    return {one["subject"]: one for one in root.http.get("/api/oidc/people").json()["people"]}


def test_a_name_that_somebody_has_is_not_taken_over_but_linked_by_an_administrator(
    clinic: Clinic, forged: Forger, enter: Enter
) -> None:
    anna = clinic.site.account("anna")
    of_directory(clinic, "root2", "e-1")
    for name in ("anna", "ANNA", "root2", "root"):
        assert enter(sub="s-anna", preferred_username=name, email="anna@klinik.example") == "/login?sso=oidc-name-taken"
    assert clinic.told("login")[-1][1]["subject"] == "s-anna"
    assert people(clinic)["s-anna"]["account_id"] is None
    waiting = people(clinic)["s-anna"]["id"]
    root = clinic.site.login("root")
    wanted = {"account_id": str(anna)}
    linked = root.http.put(f"/api/oidc/people/{waiting}", json=wanted, headers=root.headers)
    assert (linked.status_code, linked.json()["account_name"]) == (200, "anna")
    assert enter(sub="s-anna", preferred_username="root") == "/"
    client = clinic.site.clients[-1]
    assert client.get("/api/session").json()["account"]["username"] == "anna", "no name from there, but the link counts"
    clinic.site.login("anna")  # her own password goes on
    again = root.http.post("/api/oidc/people", json={"subject": "s-2", **wanted}, headers=root.headers)
    assert (again.status_code, again.json()["code"]) == (409, "oidc-already-linked")
    again = root.http.put(f"/api/oidc/people/{waiting}", json=wanted, headers=root.headers)
    assert (again.status_code, again.json()["code"]) == (409, "oidc-already-linked")
    nobody = {"account_id": str(uuid.uuid4())}
    assert root.http.post("/api/oidc/people", json={"subject": "s", **nobody}, headers=root.headers).status_code == 404
    gone = root.http.delete(f"/api/oidc/people/{waiting}", headers=root.headers)
    assert gone.status_code == 204
    assert client.get("/api/session").status_code == 401, "and the login ends with the link"
    assert enter(sub="s-anna", preferred_username="anna") == "/login?sso=oidc-name-taken"
    assert [one for one, _ in clinic.told("account.link")] == ["success"]
    assert [detail["subject"] for _, detail in clinic.told("account.unlink")] == ["s-anna"]


def test_an_account_with_a_one_time_password_that_is_linked_needs_none(
    clinic: Clinic, forged: Forger, enter: Enter
) -> None:
    root = clinic.site.login("root")
    made = root.http.post("/api/accounts", json={"username": "otto"}, headers=root.headers).json()
    link = {"subject": "s-otto", "account_id": clinic.accounts()["otto"].id.hex}
    assert made
    assert root.http.post("/api/oidc/people", json=link, headers=root.headers).status_code == 201
    assert enter(sub="s-otto", preferred_username="whatever") == "/"
    assert clinic.site.clients[-1].get("/api/session").json()["account"]["must_change_password"] is False


def test_accounts_of_the_directory_are_found_by_the_claim_that_the_settings_name(
    clinic: Clinic, forged: Forger, enter: Enter
) -> None:
    of_directory(clinic, "meier", "5f2b-77")
    clinic.set(forged.settings(link_claim="ids.guid", create_accounts=False, admin_groups=("Chefs",)))
    assert enter(sub="s-m", preferred_username="m@x", ids={"guid": "another"}) == "/login?sso=oidc-no-account"
    assert enter(sub="s-m", preferred_username="m@x", ids={"guid": "5F2B-77"}, groups=["Chefs"]) == "/"
    account = clinic.accounts()["meier"]
    assert (account.role, account.full_name) == ("user", ""), "the directory says what it is called and may"
    assert enter(sub="s-other", preferred_username="x", ids={"guid": "5f2b-77"}) == "/login?sso=oidc-already-linked"
    assert enter(sub="s-m", preferred_username="m@x") == "/", "it is bound from then on"
    of_directory(clinic, "Huber", "e-2")
    clinic.site.account("own")
    clinic.set(forged.settings(link_claim="preferred_username", link_to="login", create_accounts=False))
    assert enter(sub="s-h", preferred_username="huber") == "/"
    assert enter(sub="s-o", preferred_username="own") == "/login?sso=oidc-name-taken", "Radrelay's own are not linked"


def test_groups_and_roles_follow_at_each_login(clinic: Clinic, forged: Forger, enter: Enter) -> None:
    clinic.set(
        forged.settings(
            groups_claim="realm_access.roles", groups={"rad": "Radiology", "RAD": "Radiology", "ward": "Ward  3"},
            allowed_groups=("staff",), admin_groups=("chiefs",),
        )
    )  # fmt: skip

    def with_groups(*groups: object) -> str:
        return enter(groups=None, realm_access={"roles": list(groups)})

    assert with_groups("other") == "/login?sso=oidc-not-allowed"
    assert people(clinic) == {}, "who may not come in is not kept"
    assert with_groups("Staff", "rad", "Ward", 7, None) == "/"
    assert clinic.groups("ida") == {"Radiology": "sign-on", "Ward 3": "sign-on"}
    root = clinic.site.login("root")
    groups = {one["name"]: one["id"] for one in root.http.get("/api/groups").json()["groups"]}
    ida = clinic.accounts()["ida"].id
    by_hand = f"/api/groups/{groups['Ward 3']}/members/account/{ida}"
    assert root.http.put(by_hand, headers=root.headers).status_code == 204
    assert with_groups("staff", "chiefs") == "/"
    assert clinic.groups("ida") == {"Ward 3": "hand"}, "who was put in by hand stays"
    assert clinic.accounts()["ida"].role == "admin"
    assert with_groups("staff", "rad") == "/"
    assert (clinic.accounts()["ida"].role, len(clinic.groups("ida"))) == ("user", 2)
    open_login = clinic.site.clients[-1]
    assert with_groups("rad") == "/login?sso=oidc-not-allowed"
    assert open_login.get("/api/session").status_code == 401
    assert clinic.groups("ida") == {"Ward 3": "hand"}
    assert enter(groups=None) == "/login?sso=oidc-not-allowed", "no groups are no groups"
    many = {"_claim_names": {"realm_access.roles": "src1"}}
    assert enter(groups=None, **many) == "/login?sso=oidc-groups-not-given"
    assert len(clinic.told("group.leave")) == 2


def test_the_last_administrator_stays_one_and_who_is_suspended_stays_out(
    clinic: Clinic, forged: Forger, enter: Enter
) -> None:
    clinic.set(forged.settings(admin_groups=("chiefs",)))
    assert enter(groups=["chiefs"]) == "/"
    root = clinic.site.login("root")
    ida = clinic.accounts()["ida"].id
    own = clinic.accounts()["root"].id
    assert root.http.patch(f"/api/accounts/{own}", json={"role": "user"}, headers=root.headers).status_code == 200
    assert enter(groups=[]) == "/"
    assert clinic.accounts()["ida"].role == "admin"
    with clinic.site.database.write() as session:
        clinic.site.identity.change_account(session, clinic.site.organisation_id, own, role="admin")
        clinic.site.identity.change_account(session, clinic.site.organisation_id, ida, disabled=True)
    assert enter(groups=["chiefs"]) == "/login?sso=oidc-suspended"
    assert clinic.refused() == ["oidc-suspended"]


def test_names_from_the_provider_are_taken_with_care(clinic: Clinic, forged: Forger, enter: Enter) -> None:
    assert enter(sub="s-0", preferred_username=None) == "/login?sso=oidc-no-name"
    assert enter(sub="s-0", preferred_username=["ida"]) == "/login?sso=oidc-no-name"
    assert enter(sub="s-0", preferred_username="x" * 201) == "/login?sso=oidc-no-name"
    assert enter(sub="s-1", preferred_username="i\x00da\n", name="Ida\u202e\r\nBeck") == "/"
    assert enter(sub="S-1", preferred_username="ida2") == "/", "subjects differ by case"
    assert set(clinic.accounts()) == {"root", "ida", "ida2"}
    assert enter(sub="s-1", preferred_username="ida2") == "/"
    assert set(clinic.accounts()) == {"root", "ida", "ida2"}, "a name that another has is not taken"
    offer = clinic.site.client().get("/api/oidc").json()
    assert offer == {"set": True, "name": "Single sign-on", "hide_password": False, "at_once": False}
    challenge = clinic.site.client().post("/api/session/challenge", json={"username": "ida"}).json()
    assert challenge["salt"], "asked like any other name; there is no password"
