"""What a source wants released by hand: nobody else sees it by any way, and released it is as if it came then."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa

from radrelay.access import Right
from radrelay.access.models import Grant
from radrelay.app import waiting_commands
from radrelay.archive.models import Holding
from radrelay.audit.models import AuditEvent
from radrelay.intake import awaiting
from radrelay.intake.errors import AwaitingUnknown
from radrelay.intake.models import Quarantined
from radrelay.storage.models import LandingRecord
from tests.web.conftest import Login, WebSite
from tests.web.test_grants import made
from tests.web.test_pseudonyms import codes, project, settle
from tests.web.test_routing_rules import complete
from tests.web.test_studies import CT, file_bytes

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
STUDY = "1.2.826.0.1.3680043.2.1125.77"


@pytest.fixture
def root(site: WebSite) -> Login:
    return site.login("root")


def image(number: int, name: str = "Wartend^Wanda", study: str = STUDY, number_of_patient: str = "W1") -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    dataset.PatientName, dataset.PatientID, dataset.StudyInstanceUID = name, number_of_patient, study
    dataset.SeriesInstanceUID, dataset.SOPInstanceUID = f"{study}.1", f"{study}.1.{number}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def land(site: WebSite, *contents: bytes, calling: str = "PARTNER") -> None:
    origin = site.services.sources.resolve("dicom").origin(peer="10.0.0.1:1", calling_ae=calling, called_ae="RADRELAY")
    for content in contents:
        site.landing.land_file(origin, "", [content])


def send(site: WebSite, *contents: bytes, calling: str = "PARTNER") -> None:
    land(site, *contents, calling=calling)
    site.index()


def by_hand(site: WebSite, root: Login, whose: str = "PARTNER", **changes: object) -> str:
    source = site.services.sources.resolve("dicom")
    body = {"release_by_hand": whose} | changes
    answer = root.http.patch(f"/api/sources/{source.id}", json=body, headers=root.headers)
    assert answer.status_code == 200, answer.text
    return str(source.id)


def waiting(login: Login) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = login.http.get("/api/waiting").json()["waiting"]
    return found


def decide(login: Login, how: str, **body: object) -> list[dict[str, Any]]:
    answer = login.http.post(f"/api/waiting/{how}", json=body, headers=login.headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["decided"]
    return found


def listed(login: Login) -> list[tuple[str, int]]:
    studies = login.http.get("/api/studies").json()["studies"]
    return [(one["study_uid"], one["instance_count"]) for one in studies]


def actions(site: WebSite, family: str) -> Sequence[str]:
    with site.database.read() as session:
        query = sa.select(AuditEvent.action).where(AuditEvent.action.like(f"{family}%")).order_by(AuditEvent.id)
        return session.scalars(query).all()


def test_what_a_partner_sends_waits_is_looked_at_and_released_and_rules_meet_it_then(
    site: WebSite, root: Login
) -> None:
    by_hand(site, root)
    made(root, "routing-rules", name="Holds", when=[], actions=[{"kind": "hold", "days": 3}])
    send(site, image(1), image(2))
    send(site, image(1, "Anders^Anna", f"{STUDY}.9"), calling="SCANNER")
    assert complete(site) == 1, "what did not wait"
    assert listed(root) == [(f"{STUDY}.9", 1)], "another device's is here at once"
    [one] = waiting(root)
    assert (one["objects"], one["here"], one["patient_name"], one["sent_by"]) == (2, 0, "Wartend^Wanda", "PARTNER")
    assert (one["modality"], one["source"]) == ("CT", "DICOM")
    picture = root.http.get(f"/api/waiting/{one['id']}/picture")
    assert picture.content.startswith(b"\xff\xd8")
    assert root.http.get("/api/quarantine").json()["quarantined"] == []
    site.clock.advance(timedelta(days=1, hours=23))
    root = site.login("root")
    assert decide(root, "release", ids=[one["id"]], reason="seen") == [{"id": one["id"], "objects": 2, "aside": 0}]
    assert (STUDY, 2) in listed(root)
    assert complete(site) == 1, "and rules meet it now"
    with site.database.read() as session:
        ends = session.scalars(sa.select(Holding.expires_at).order_by(Holding.id.desc()).limit(1)).one()
        assert ends is not None
        assert ends > site.clock.now() + timedelta(days=1), "its retention begins with its release"
        assert session.scalars(sa.select(Quarantined.id)).all() == []
        event = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "waiting.release")).one()
    detail = json.loads(event.detail)
    assert (detail["objects"], detail["study_uid"], detail["reason_given"]) == (2, STUDY, True)
    assert list(actions(site, "waiting")) == ["waiting.list", "waiting.view", "waiting.release"]


def test_images_that_come_later_wait_again_and_who_is_slower_releases_nothing_twice(site: WebSite, root: Login) -> None:
    by_hand(site, root, "*")
    send(site, image(1), image(2))
    land(site, image(3))  # acknowledged, but in no row yet
    [first] = waiting(root)
    seen = root.http.get("/api/waiting").json()["seen"]
    site.index()
    assert decide(root, "release", ids=[first["id"]], seen=seen)[0]["objects"] == 2
    assert listed(root) == [(STUDY, 2)], "what was not seen is not released with it"
    [later] = waiting(root)
    assert (later["id"], later["objects"], later["here"]) == (first["id"], 1, 2)
    assert decide(root, "release", source_id=later["source_id"])[0]["objects"] == 1
    slower = root.http.post("/api/waiting/release", json={"ids": [first["id"]]}, headers=root.headers)
    assert (slower.status_code, slower.json()["code"]) == (404, "awaiting-unknown")
    assert listed(root) == [(STUDY, 3)]


def test_what_two_release_at_once_is_let_in_once(site: WebSite, root: Login) -> None:
    by_hand(site, root, "*")
    send(site, image(1), image(2))
    room, organisation = site.services.waiting_room, site.organisation_id
    [one], seen = room.waiting(organisation, lambda source: True, restricted=False)
    items = list(room._items(organisation, one, seen))  # both have read before either writes
    done = room.release(organisation, one, seen, lambda session, done: None)
    with site.database.write() as session:
        assert (done.objects, room._let_in(session, one, items)) == (2, (0, 0))
    assert listed(root) == [(STUDY, 2)]


def test_what_is_rejected_goes_to_the_quarantine_and_may_still_be_let_in_from_there(site: WebSite, root: Login) -> None:
    by_hand(site, root, "*")
    send(site, image(1))
    [one] = waiting(root)
    assert decide(root, "reject", ids=[one["id"]])[0]["aside"] == 1
    assert (waiting(root), listed(root)) == ([], [])
    [kept] = root.http.get("/api/quarantine").json()["quarantined"]
    assert (kept["code"], kept["releasable"]) == ("release-rejected", True)
    body = {"as": "as-received", "reason": "it was theirs after all"}
    assert root.http.post(f"/api/quarantine/{kept['id']}/release", json=body, headers=root.headers).status_code == 200
    assert listed(root) == [(STUDY, 1)]


def test_what_is_pseudonymised_waits_as_the_copy_and_never_comes_in_as_it_was_received(
    site: WebSite, root: Login
) -> None:
    by_hand(site, root, "*")
    send(site, image(1))
    [one] = waiting(root)
    by_hand(site, root, "*", project_id=project(root)["id"])
    assert decide(root, "release", ids=[one["id"]]) == [{"id": one["id"], "objects": 0, "aside": 1}]
    assert (listed(root), waiting(root), codes(root)) == ([], [], ["pseudonym-waits"])
    seen = root.http.get("/api/waiting").json()["seen"]
    send(site, image(2))
    assert codes(root) == ["pseudonym-waits"] * 2, "written anew first, whatever waits for a person then"
    assert settle(site) == 2
    assert (listed(root), codes(root)) == ([], [])
    [copy] = waiting(root)
    assert (copy["objects"], copy["patient_name"]) == (2, "LUNG-0001J")
    assert decide(root, "release", ids=[copy["id"]], seen=seen)[0]["objects"] == 0, "nobody had seen these"
    assert decide(root, "release", ids=[copy["id"]])[0]["objects"] == 2
    [study] = root.http.get("/api/studies").json()["studies"]
    assert (study["patient"]["id"], study["instance_count"]) == ("LUNG-0001J", 2)
    with site.database.read() as session:
        assert session.scalars(sa.select(Quarantined.id)).all() == []


def test_one_that_cannot_be_read_goes_to_the_quarantine_and_the_rest_is_released_in_parts(
    site: WebSite, root: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "BATCH", 2)
    by_hand(site, root, "*")
    send(site, *(image(number) for number in range(1, 6)))
    with site.database.read() as session:
        second = session.scalars(sa.select(LandingRecord).order_by(LandingRecord.offset)).all()[1]
    [segment] = site.settings.landing_dir.rglob(f"*{second.segment:010}.seg")
    with segment.open("r+b") as file:  # the disk gives back other bytes than were written
        file.seek(second.offset + 200)
        file.write(bytes(8))
    [one] = waiting(root)
    [done] = decide(root, "release", ids=[one["id"]])
    assert (done["objects"], done["aside"]) == (4, 1)
    assert (waiting(root), listed(root), codes(root)) == ([], [(STUDY, 4)], ["not-read"])
    assert list(actions(site, "waiting.release")) == ["waiting.release"] * 3, "each part is on record with it"


def test_what_contradicts_the_study_here_goes_to_the_quarantine_when_it_is_released(site: WebSite, root: Login) -> None:
    send(site, image(1))
    by_hand(site, root, "*")
    send(site, image(2, "Fremd^Franz", number_of_patient="W2"), image(3))
    [one] = waiting(root)
    [done] = decide(root, "release", ids=[one["id"]])
    assert (done["objects"], done["aside"]) == (1, 1)
    assert (waiting(root), listed(root)) == ([], [(STUDY, 2)])
    [kept] = root.http.get("/api/quarantine").json()["quarantined"]
    assert kept["code"] == "patient-mismatch"


def test_who_may_do_everything_else_hears_nothing_of_what_waits(site: WebSite, root: Login) -> None:
    by_hand(site, root)
    send(site, image(1))
    site.account("reader")
    with site.database.read() as session:
        everything = Grant.rights.like(f"%,{Right.ADMIT},%")
        assert session.scalars(sa.select(Grant.grantee_id).where(everything)).all() == ["admin"], "as it began"
    reader = site.login("reader")
    assert reader.http.get("/api/waiting").json()["may"] is False
    [one] = waiting(root)
    assert reader.http.get(f"/api/waiting/{one['id']}/picture").status_code == 404
    for how in ("release", "reject"):
        answer = reader.http.post(f"/api/waiting/{how}", json={"ids": [one["id"]]}, headers=reader.headers)
        assert answer.status_code == 404
    for path in ("/api/studies", "/api/quarantine", "/api/parcels", "/dicom-web/studies", "/api/sources"):
        answer = reader.http.get(path)
        assert not [word for word in (STUDY, "Wartend", "W1", "PARTNER") if word in answer.text], path
    with site.database.read() as session:
        kept = session.scalars(sa.select(Quarantined.id)).one()
    for login in (reader, root):
        for end in ("", "/header", "/picture", "/content"):
            assert login.http.get(f"/api/quarantine/{kept}{end}").status_code == 404, end
        assert login.http.delete(f"/api/quarantine/{kept}", headers=login.headers).status_code == 404
    assert STUDY not in root.http.get("/dicom-web/studies").text, "not even to who may release it"
    assert len(waiting(root)) == 1


def test_only_what_comes_by_dicom_has_calling_titles(site: WebSite, root: Login) -> None:
    source = site.services.sources.resolve("upload")
    for wrong in ("PARTNER", "x" * 17):
        answer = root.http.patch(f"/api/sources/{source.id}", json={"release_by_hand": wrong}, headers=root.headers)
        assert (answer.status_code, answer.json()["field"]) == (400, "release_by_hand")


def test_commands_list_and_release_what_waits_and_say_so_on_record(
    site: WebSite, root: Login, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    by_hand(site, root, "*")
    send(site, image(1), image(2))
    [one] = waiting(root)
    core: Any = site.parts

    @contextmanager
    def opened(settings: object) -> Iterator[tuple[Any, Any]]:
        yield core, SimpleNamespace(organisation_id=site.organisation_id)

    monkeypatch.setattr(waiting_commands, "opened", opened)
    assert waiting_commands.list_command(site.settings) == 0
    told = capsys.readouterr().out
    assert all(word in told for word in (one["id"], "2 objects", "Wartend^Wanda", "PARTNER"))
    assert waiting_commands.decide_command(site.settings, [], "dicom", release=True) == 0
    assert capsys.readouterr().out == f"{one['id']}  2 released  0 to the quarantine\n"
    assert listed(root) == [(STUDY, 2)]
    with pytest.raises(AwaitingUnknown):
        waiting_commands.decide_command(site.settings, [one["id"]], "", release=False)
    assert "waiting.release" in actions(site, "waiting")
