"""Consents to transfers: given, shown, withdrawn; what came by them goes, what another source holds too stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.app.consent_keeping import carry_on_withdrawals
from radrelay.archive.models import Holding, Instance, InstanceHolding, Source
from radrelay.intake.models import Quarantined
from radrelay.storage.ids import new_id
from tests.web.conftest import Login, WebSite
from tests.web.test_data_subjects import carry_out, compact
from tests.web.test_incidents import asked
from tests.web.test_studies import CT, of_another_person, only_study, upload, upload_bytes


@pytest.fixture
def root(site: WebSite) -> Login:
    login = site.login("root")
    upload(site, login, CT)
    return login


@pytest.fixture
def officer(site: WebSite) -> Login:
    site.account("dora", "dpo")
    return site.login("dora")


def entered(officer: Login, status: int = 201, **more: object) -> Any:
    found = asked(officer, "POST", "transfers/find", {"patient_id": "1CT1"})["found"]
    body = {
        "patient_id": "1CT1", "patient_issuer": found[0]["patient_issuer"], "giver": "Cora Compressed",
        "capacity": "patient", "shown_by": "written", "text_version": "Consent to transfer, version 3",
        "studies": [{"study_id": one["study_id"], "source_id": one["source_id"]} for one in found[:1]],
    }  # fmt: skip
    return asked(officer, "POST", "transfers", body | more, status)


def withdrawn(officer: Login, one: Any, status: int = 200, **more: object) -> Any:
    body = {"how": "letter of the patient", "revision": one["revision"]} | more
    return asked(officer, "POST", f"transfers/{one['id']}/withdrawal", body, status)


def held_too(site: WebSite) -> str:
    """Let the DICOM node have brought the same object, too."""
    with site.database.write() as session:
        instance = session.scalars(sa.select(Instance)).one()
        source = session.scalars(sa.select(Source).where(Source.name == "DICOM")).one()
        now = site.clock.now()
        further = Holding(
            id=new_id(), organisation_id=instance.organisation_id, study_id=instance.study_id, source_id=source.id,
            received_at=now, last_received_at=now, expires_at=now + timedelta(days=2), ceiling_at=None,
            hold_until=None, hold_reason="", ends_at=now + timedelta(days=2),
            patient_id=session.scalars(sa.select(Holding.patient_id)).one(),
        )  # fmt: skip
        session.add(further)
        session.flush()
        session.add(InstanceHolding(instance_id=instance.id, holding_id=further.id))
        return str(further.source_id)


def test_a_withdrawn_consent_deletes_what_came_by_it_with_its_keys_and_on_record(
    site: WebSite, root: Login, officer: Login
) -> None:
    compact(site)
    study = only_study(root)["id"]
    one = entered(officer)
    (covered,) = one["studies"]
    assert (covered["study_id"], covered["source_name"], covered["state"]) == (study, "Upload", "standing")
    assert (one["entered_by"], one["proof"], one["withdrawn_at"]) == ("dora", None, None)
    assert entered(officer, 409)["code"] == "transfer-stands", "one consent stands for one thing"
    assert asked(root, "GET", "transfers")["transfers"] == [one]
    assert withdrawn(officer, one, 409, revision=9)["code"] == "transfer-changed"
    assert withdrawn(officer, one, 400, how=" ")["code"] == "withdrawal-unsaid"
    assert only_study(root)["id"] == study
    gone = withdrawn(officer, one)
    assert root.http.get(f"/api/studies/{study}").status_code == 404
    (erased,) = gone["proof"]["studies"]
    assert (erased["id"], erased["objects"], bool(erased["keys"])) == (study, 1, True)
    assert (gone["proof"]["destroyed_at"], gone["studies"][0]["state"]) == (None, "gone")
    assert withdrawn(officer, gone, 409)["code"] == "transfer-withdrawn"
    carry_out(site)
    (proven,) = asked(officer, "GET", "transfers")["transfers"]
    assert proven["proof"]["destroyed_at"] is not None
    assert (proven["withdrawn_how"], proven["withdrawn_by"]) == ("letter of the patient", "dora")
    told = root.http.get("/api/audit").json()["events"]
    actions = {event["action"]: event for event in told}
    assert {"consent.enter", "consent.find", "consent.withdraw", "study.delete"} <= set(actions)
    assert actions["study.delete"]["detail"]["reason"] == "withdrawn"
    assert root.http.get("/api/audit/proof").json()["intact"] is True


def test_what_another_source_holds_too_stays_with_that_source(site: WebSite, root: Login, officer: Login) -> None:
    study = only_study(root)["id"]
    dicom = held_too(site)
    found = asked(officer, "POST", "transfers/find", {"patient_id": "1CT1"})["found"]
    upload_row = next(one for one in found if one["source_name"] == "Upload")
    assert upload_row["others"] == ["DICOM"]
    one = entered(officer, studies=[{"study_id": study, "source_id": upload_row["source_id"]}])
    assert one["studies"][0]["others"] == ["DICOM"]
    gone = withdrawn(officer, one)
    assert (gone["proof"]["studies"][0]["objects"], gone["proof"]["studies"][0]["keys"]) == (0, [])
    assert only_study(root)["id"] == study
    with site.database.read() as session:
        (left,) = session.scalars(sa.select(Holding)).all()
        assert (str(left.source_id), session.scalars(sa.select(Instance.holding_id)).one()) == (dicom, left.id)
    actions = {event["action"] for event in root.http.get("/api/audit").json()["events"]}
    assert "consent.erase" in actions
    assert "study.delete" not in actions


def test_a_hold_keeps_it_by_name_and_it_goes_when_the_hold_ends_also_what_came_into_the_list_later(
    site: WebSite, root: Login, officer: Login
) -> None:
    study = only_study(root)["id"]
    one = entered(officer)
    root.http.post(f"/api/studies/{study}/hold", json={"reason": "§ 85 StrlSchG"}, headers=root.headers)
    held = withdrawn(officer, one)
    assert [kept["reason"] for kept in held["proof"]["kept"]] == ["§ 85 StrlSchG"]
    assert held["studies"][0]["state"] == "held"
    carry_on_withdrawals(site.parts)  # type: ignore[arg-type]  # what it needs of a role's process
    assert only_study(root)["id"] == study
    root.http.delete(f"/api/studies/{study}/hold", headers=root.headers)
    carry_on_withdrawals(site.parts)  # type: ignore[arg-type]
    assert root.http.get(f"/api/studies/{study}").status_code == 404
    (proven,) = asked(officer, "GET", "transfers")["transfers"]
    assert (proven["studies"][0]["state"], proven["proof"]["kept"]) == ("gone", [])
    assert [erased["id"] for erased in proven["proof"]["studies"]] == [study]

    upload(site, root, CT)  # the same moment: it had landed before the withdrawal and is in the list only now
    carry_on_withdrawals(site.parts)  # type: ignore[arg-type]
    assert root.http.get("/api/studies").json()["studies"] == []
    site.clock.advance(timedelta(minutes=5))
    upload(site, site.login("root"), CT)
    carry_on_withdrawals(site.parts)  # type: ignore[arg-type]
    assert only_study(site.login("root"))["id"], "what is brought anew is not touched"


def test_what_is_kept_aside_goes_too_unless_it_names_another_patient(
    site: WebSite, root: Login, officer: Login
) -> None:
    one = entered(officer)
    with site.database.write() as session:
        instance = session.scalars(sa.select(Instance)).one()
        for patient_id in ("1CT1", "OTHER"):
            session.add(
                Quarantined(
                    id=new_id(), organisation_id=instance.organisation_id, record_id=new_id(), code="malformed",
                    source_id=session.scalars(sa.select(Holding.source_id)).one(), reason="", sop_uid="1.2.3",
                    study_uid=one["studies"][0]["study_uid"], patient_id_value=patient_id, size=1,
                    received_at=site.clock.now(),
                )
            )  # fmt: skip
    assert withdrawn(officer, one)["proof"]["aside"] == 1
    with site.database.read() as session:
        assert session.scalars(sa.select(Quarantined.patient_id_value)).all() == ["OTHER"]


def test_a_consent_says_who_agreed_to_what_and_is_the_officers(site: WebSite, root: Login, officer: Login) -> None:
    assert entered(officer, 400, giver=" ")["field"] == "giver"
    assert entered(officer, 400, text_version="")["field"] == "text_version"
    assert entered(officer, 400, studies=[])["field"] == "studies"
    assert entered(officer, 400, given_at="2999-01-01T00:00:00Z")["field"] == "given_at"
    assert entered(officer, 422, given_at="2026-02-01T10:00:00")["code"] == "invalid", "a moment has a zone"
    assert entered(officer, 404, patient_issuer="another")["code"] == "not-found"
    assert asked(root, "POST", "transfers/find", {"patient_id": "1CT1"}, 403)["code"] == "officer-only"
    assert asked(officer, "POST", "transfers/find", {"patient_id": "nobody"})["found"] == []


def test_nobody_agrees_for_somebody_else_who_has_the_same_id(site: WebSite, root: Login, officer: Login) -> None:
    upload_bytes(site, root, {"stranger.dcm": of_another_person()})
    found = asked(officer, "POST", "transfers/find", {"patient_id": "1CT1"})["found"]
    assert len({one["person"] for one in found}) == 2
    both = [{"study_id": one["study_id"], "source_id": one["source_id"]} for one in found]
    assert entered(officer, 409, studies=both)["code"] == "several-people"
    for one in both:
        entered(officer, studies=[one])
