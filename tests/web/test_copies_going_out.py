"""A study delivered by a project of pseudonyms: copies alone go, what is kept back waits, results find back."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.uid import UID

from radrelay.app.stored import ArchiveSource
from radrelay.archive.models import Study
from radrelay.audit.models import AuditEvent
from radrelay.dicom.part10 import file_meta
from radrelay.network.errors import PeerAborted
from radrelay.network.ports import CommitmentReport, Reference
from radrelay.routing import committing
from radrelay.routing.carriers import Answer, Carrier, DeliveryItem, Errand
from radrelay.routing.copies import Copies
from radrelay.routing.errors import Interrupted
from radrelay.routing.folder import FolderCarrier
from radrelay.routing.jobs import DeliveryWork
from radrelay.routing.models import DeliveryReceipt, Destination
from tests.web.conftest import Login, WebSite
from tests.web.test_destinations import attempt, enter
from tests.web.test_pseudonyms import project, written
from tests.web.test_studies import CT, file_bytes, only_study, upload_bytes


class Node:
    """A DICOM node that keeps what it gets as files, and commits when it is told to."""

    carries = True

    def __init__(self) -> None:
        self.files: list[pydicom.Dataset] = []
        self.breaks_after: int | None = None
        self.asked: list[tuple[str, list[str]]] = []

    @contextmanager
    def open(self, errand: Errand, portion: Sequence[DeliveryItem]) -> Iterator[Node]:
        yield self

    def portions(self, items: Sequence[DeliveryItem]) -> Iterator[Sequence[DeliveryItem]]:
        yield items

    def send(self, item: DeliveryItem) -> Answer:
        if self.breaks_after is not None and len(self.files) >= self.breaks_after:
            raise Interrupted(PeerAborted("the association was aborted"))
        syntax, pieces = item.open([item.transfer_syntax])
        content = file_meta(item.sop_class_uid, item.sop_uid, syntax) + b"".join(pieces)
        self.files.append(pydicom.dcmread(io.BytesIO(content)))
        assert self.files[-1].SOPInstanceUID == item.sop_uid
        return Answer(0, "", syntax)

    def finish(self, errand: Errand) -> None:
        """Nothing is left to do."""

    def ask(
        self, destination: Destination, transaction_uid: str, references: Sequence[Reference]
    ) -> CommitmentReport | None:
        self.asked.append((transaction_uid, [one.sop_uid for one in references]))
        return None


@pytest.fixture
def root(site: WebSite) -> Login:
    return site.login("root")


def head_ct(site: WebSite, root: Login, count: int = 3) -> dict[str, Any]:
    """Send a study of `count` slices of a head, one of which has text burned in."""
    files = {}
    for number in range(count):
        one = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
        one.SOPInstanceUID = UID(f"{one.SOPInstanceUID}.{number}")
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        if number == 1:
            one.BurnedInAnnotation = "YES"
        files[f"{number}.dcm"] = written(one)
    upload_bytes(site, root, files)
    return only_study(root)


def worker(site: WebSite, node: Node, folder: Path | None = None) -> DeliveryWork:
    source = ArchiveSource(site.database, site.clock, site.services.reader)
    copies = Copies(site.database, site.clock, site.services.copies, site.services.vault_seal)
    carriers: dict[str, Carrier] = {"dicom": node, "folder": FolderCarrier([folder] if folder else [])}
    return DeliveryWork(site.database, site.clock, site.settings.work, source, carriers, node, copies)


def ordered(root: Login, study: object, destination: object, **more: object) -> Any:
    wanted = {"study_id": study, "destination_id": destination, **more}
    return root.http.post("/api/deliveries", json=wanted, headers=root.headers).json()


def listed(root: Login) -> dict[str, Any]:
    (one,) = root.http.get("/api/deliveries").json()["deliveries"]
    found: dict[str, Any] = one
    return found


def release(root: Login) -> None:
    (held,) = root.http.get("/api/pseudonyms/held").json()["held"]
    address, wanted = f"/api/pseudonyms/held/{held['id']}/release", {"note": "There is no text."}
    assert root.http.post(address, json=wanted, headers=root.headers).status_code == 200


def test_copies_alone_go_once_and_what_was_kept_back_follows_when_it_is_released(site: WebSite, root: Login) -> None:
    study, made, node = head_ct(site, root), project(root), Node()
    there = enter(
        root, name="Trial", ae_title="TRIAL", host="127.0.0.1", port=104, project_id=made["id"], commitment=True
    )
    ordered(root, study["id"], there["id"])
    work = worker(site, node)
    node.breaks_after = 1
    assert attempt(site, work) == [("waiting", 1, "peer-aborted")]
    node.breaks_after = None
    assert root.http.post(f"/api/deliveries/{listed(root)['id']}/retry", headers=root.headers).status_code == 200
    assert attempt(site, work) == [("held", 2, "objects-kept-back")]
    told = listed(root)
    assert (told["project"], told["kept_back"], told["kept_reasons"]) == ("LUNG", 1, ["burned-in-text"])
    refused = root.http.delete(f"/api/pseudonyms/projects/{made['id']}", headers=root.headers)
    assert refused.json()["code"] == "project-in-use"
    release(root)
    assert attempt(site, work) == [("confirming", 3, "")]
    assert listed(root)["kept_back"] == 0
    uids = [file.SOPInstanceUID for file in node.files]
    assert len(uids) == len(set(uids)) == 3, "none twice"
    source = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    for file in node.files:
        assert (file.PatientID, file.PatientIdentityRemoved) == ("LUNG-0001J", "YES")
        assert str(source.PatientName).encode() not in file.to_json().encode()
        assert source.StudyInstanceUID not in file.to_json()
    ((transaction, asked),) = node.asked
    assert sorted(asked) == sorted(uids)
    with site.database.write() as session:
        kept = session.scalars(sa.select(DeliveryReceipt.sop_uid)).all()
        assert {one.rpartition(".")[0] for one in kept} == {source.SOPInstanceUID}, (
            "no new UID stands beside its original"
        )
        report = CommitmentReport(transaction, frozenset(uids), {})
        assert not committing.take_report(session, site.clock, site.settings.work, report)
        copies = Copies(site.database, site.clock, site.services.copies, site.services.vault_seal)
        assert committing.take_report(session, site.clock, site.settings.work, report, copies.translated)
    assert (listed(root)["state"], listed(root)["committed"]) == ("done", 3)
    with site.database.read() as session:
        (event,) = session.query(AuditEvent).filter(AuditEvent.action == "study.forward").all()
        assert made["id"] in event.detail


def test_a_folder_gets_a_file_set_of_copies(site: WebSite, root: Login, tmp_path: Path) -> None:
    study, made = head_ct(site, root, 1), project(root)
    folder = tmp_path / "out"
    folder.mkdir()
    with site.database.write() as session:
        session.add(
            Destination(
                id=uuid.uuid4(), organisation_id=site.organisation_id, name="Out", ae_title="", host="", port=0,
                kind="folder", address=str(folder), created_at=site.clock.now(), project_id=uuid.UUID(made["id"]),
            )
        )  # fmt: skip
    (there,) = root.http.get("/api/destinations").json()["destinations"]
    ordered(root, study["id"], there["id"])
    assert attempt(site, worker(site, Node(), folder)) == [("done", 1, "")]
    (made_set,) = folder.iterdir()
    source = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    assert source.StudyInstanceUID not in made_set.name
    for path in made_set.rglob("*"):
        assert path.is_dir() or source.PatientID.encode() + b" " not in path.read_bytes()
        assert path.is_dir() or source.SOPInstanceUID.encode() not in path.read_bytes()


def test_a_destination_that_takes_copies_never_gets_an_original(site: WebSite, root: Login) -> None:
    study, node = head_ct(site, root, 1), Node()
    first, other = project(root)["id"], project(root, name="HEART")["id"]
    there = enter(root, name="Trial", ae_title="TRIAL", host="127.0.0.1", port=104)
    ordered(root, study["id"], there["id"])
    address = f"/api/destinations/{there['id']}"
    turned = root.http.patch(address, json={"project_id": first}, headers=root.headers)
    assert turned.json()["code"] == "destination-in-use"
    with site.database.write() as session:
        session.execute(sa.update(Destination).values(project_id=uuid.UUID(first)))
    work = worker(site, node)
    assert attempt(site, work) == [("failed", 0, "project-differs")]
    assert ordered(root, study["id"], there["id"], project_id=other)["code"] == "project-differs"
    root.http.put(
        f"/api/pseudonyms/projects/{first}",
        json={"name": "LUNG", "pattern": "{project}-{number:04}{check}", "options": ["modified-dates"],
              "enabled": False, "revision": 1},
        headers=root.headers,
    )  # fmt: skip
    ordered(root, study["id"], there["id"])
    assert attempt(site, work)[-1] == ("waiting", 0, "project-disabled")
    assert node.files == []
    unknown = root.http.post(
        "/api/destinations", json={"name": "X", "kind": "mail", "address": "a@b.example", "project_id": first},
        headers=root.headers,
    )  # fmt: skip
    assert unknown.json()["code"] == "destination-invalid"


def test_what_nobody_may_let_pass_is_told_and_the_rest_goes(site: WebSite, root: Login) -> None:
    odd = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    odd.SOPInstanceUID = odd.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    odd.SOPClassUID = odd.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.9.4.1")
    odd.Modality = "AU"
    upload_bytes(site, root, {"a": written(odd), "b": file_bytes(CT)})
    study, made, node = only_study(root), project(root), Node()
    there = enter(root, name="Trial", ae_title="TRIAL", host="127.0.0.1", port=104)
    ordered(root, study["id"], there["id"], project_id=made["id"])
    assert attempt(site, worker(site, node)) == [("done", 1, "")]
    told = listed(root)
    assert (told["kept_back"], told["total"]) == (1, 2)
    assert told["kept_reasons"]


def test_a_rule_that_forwards_copies_shows_what_would_be_another_and_takes_no_strangers_project(
    site: WebSite, root: Login
) -> None:
    study, made = head_ct(site, root, 1), project(root)
    there = enter(root, name="Trial", ae_title="TRIAL", host="127.0.0.1", port=104)
    forward = {"kind": "forward", "destination_id": there["id"], "priority": 0}
    rule = {"name": "To the trial", "when": [], "actions": [forward | {"project_id": made["id"]}]}
    with site.database.write() as session:
        session.execute(sa.update(Study).values(state="complete"))
    tried = root.http.post("/api/routing-rules/try", json=rule, headers=root.headers)
    assert tried.status_code == 200, tried.text
    ((effect,),) = [one["effects"] for one in tried.json()["studies"]]
    changed = {one["name"]: (one["before"], one["after"]) for one in effect["differences"]}
    assert changed["PatientID"] == (study["patient"]["id"], "ALIAS")
    assert changed["StudyInstanceUID"][0] != changed["StudyInstanceUID"][1]
    assert root.http.get("/api/pseudonyms/aliases").json()["aliases"] == []
    for stranger in ({"actions": [forward | {"project_id": str(uuid.uuid4())}]},):
        refused = root.http.post("/api/routing-rules", json=rule | stranger, headers=root.headers)
        assert refused.json()["code"] == "project-unknown"
