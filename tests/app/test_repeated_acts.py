"""What was restricted, corrected, withdrawn or taken away after a backup is so again before the backup is served."""

from __future__ import annotations

import io
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pydicom
import sqlalchemy as sa

from radrelay import access, audit
from radrelay.access import Grantee, Principal, Right, Target, WantedBar, WantedLink
from radrelay.access.link_keys import LinkKeys
from radrelay.access.models import Grant, Group, Member, Restricted, Restriction, ShareLink, SuspendedDevice
from radrelay.app.backup import write_backup
from radrelay.app.restore import restore
from radrelay.app.restored import lacks_acts
from radrelay.app.spent_acts import Act, spend_acts, spent
from radrelay.archive import corrections, indexing
from radrelay.archive.models import Correction, Holding, Study
from radrelay.archive.naming import study_named
from radrelay.identity.models import Account, ApiToken
from radrelay.identity.models import Session as Login
from radrelay.privacy import requests, transfers, withdrawing
from radrelay.privacy.consent_models import PrivacyTransfer
from radrelay.privacy.models import PrivacyRequest
from radrelay.privacy.requests import RequestChange, RequestDraft, Subject
from radrelay.privacy.transfers import TransferDraft
from radrelay.privacy.withdrawing import Hands
from radrelay.storage.models import RememberedAct
from radrelay.storage.remembering import remember
from tests.app.house import House, house, settings_in
from tests.app.test_backup import lose
from tests.intake.samples import ct_file

PATIENTS = ("RESTRICTED", "CORRECTED", "WITHDRAWN", "FREED")


def study_of(patient_id: str) -> bytes:
    one = pydicom.dcmread(io.BytesIO(ct_file(patient_id=patient_id)))
    for uid in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(one, uid, pydicom.uid.generate_uid())
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    written = io.BytesIO()
    one.save_as(written)
    return written.getvalue()


class Site:
    """A house with people, a machine, a link, grants, a consent and a request in it."""

    def __init__(self, there: House) -> None:
        self.there, self.core = there, there.core
        self.identity, self.org = there.prepared.identity, there.prepared.organisation_id
        self.now = there.core.clock.now()

    def filled(self) -> dict[str, Any]:
        """Fill the house and return what is in it, by name."""
        self.there.land(*(study_of(one) for one in PATIENTS))
        self.there.compact()
        with self.core.database.write() as session:
            indexing.complete_quiet(session, self.now + timedelta(hours=1))
            studies = {row.patient_id_value: row for row in session.scalars(sa.select(Study))}
            made: dict[str, Any] = {f"{name} study": row.id for name, row in studies.items()}
            made["issuer"] = studies["FREED"].patient_issuer
            for name, role in (("anna", "user"), ("bert", "admin"), ("cora", "user"), ("fritz", "admin")):
                made[name] = self.identity.create_account(
                    session, self.org, username=name, full_name="", role=role, encoded="x", must_change_password=False
                ).id  # fmt: skip
            others = sa.update(Account).where(Account.role == "admin", Account.id.not_in([made["bert"], made["fritz"]]))
            session.execute(others.values(disabled_at=self.now))
            made["token"] = self.identity.create_token(session, self.org, name="a machine").token.id
            maker = Principal("account", str(made["anna"]), "anna", self.org)
            wanted = WantedLink((Target("study", made["FREED study"]),), self.now + timedelta(days=7))
            made["link"] = access.make_link(session, LinkKeys(bytes(32)), maker, wanted, self.now).link.id
            made["group"] = access.create_group(session, self.org, "Ward 3", now=self.now).id
            made["other group"] = access.create_group(session, self.org, "Ward 4", now=self.now).id
            given = Grantee("group", str(made["other group"]))
            everything = Target("organisation")
            made["group grant"] = access.grant(session, self.org, given, everything, [Right.SEE], now=self.now)
            access.suspend_device(session, self.org, "VIEWER", self.now)
            access.add_member(session, self.org, made["group"], "account", str(made["cora"]))
            whom, target = Grantee("account", str(made["cora"])), Target("study", made["FREED study"])
            made["grant"] = access.grant(session, self.org, whom, target, [Right.SEE], now=self.now)
            made["bar"] = self.barred(session, "FREED", made["issuer"])
            source = session.scalars(
                sa.select(Holding.source_id).where(Holding.study_id == made["WITHDRAWN study"])
            ).one()
            draft = TransferDraft(
                made["issuer"], "WITHDRAWN", "The patient", "patient", "written", "version 1", "", self.now,
                [(made["WITHDRAWN study"], source)],
            )  # fmt: skip
            made["consent"] = transfers.enter(session, self.org, draft, by="dora", now=self.now).id
            opened = Login(
                id=made["cora"], organisation_id=self.org, account_id=made["cora"], secret_hash=bytes(32),
                csrf_token="", user_agent="", peer="", created_at=self.now, used_at=self.now,
                expires_at=self.now + timedelta(days=1), proven_at=self.now,
            )  # fmt: skip
            session.add(opened)
        return made

    def barred(self, session: Any, patient_id: str, issuer: str) -> Any:
        wanted = WantedBar(issuer, patient_id, "accuracy", "it is not hers", None, self.org)
        return access.bar(session, self.org, wanted, "dora", self.now)[0].id

    def taken(self, made: dict[str, Any]) -> None:
        """Do after the backup what may not be undone by it."""
        core = self.core
        audit.install(core.database, "web", core.clock, core.keyring.metadata_key, study_named)
        with core.database.write() as session:
            identity, org, now = self.identity, self.org, self.now
            self.barred(session, "RESTRICTED", made["issuer"])
            access.unbar(session, org, made["bar"])
            values = {"patient_name": "Richtig^Rita"}
            corrections.correct(
                session, org, [made["CORRECTED study"]], values, by="dora", reason="a slip", request_id=None, now=now
            )
            hands = Hands("dora", self.note, lambda *_: None)
            withdrawing.withdraw(session, org, made["consent"], hands, how="by letter", revision=1, now=now)
            draft = RequestDraft("objection", Subject("patient", made["issuer"], "FREED", None), "She", "", "", now)
            one = requests.enter(session, org, draft, by="dora", now=now)
            change = RequestChange("", "", "", "card", "done", "we stop", "by post", "no training of models")
            requests.change(session, org, one.id, change, revision=1, by="dora", now=now)
            identity.change_account(session, org, made["anna"], disabled=True)
            identity.create_account(session, org, username="eve", full_name="", role="admin", encoded="x")
            for name in ("fritz", "bert"):
                identity.change_account(session, org, made[name], role="user")
            identity.report_lost(session, org, made["cora"])
            identity.suspend_token(session, org, made["token"], suspended=True)
            access.revoke_link(session, org, made["link"], now)
            access.revoke(session, org, made["grant"])
            access.remove_member(session, org, made["group"], "account", str(made["cora"]))
            access.suspend_device(session, org, "SCANNER", now)
            access.suspend_device(session, org, "VIEWER", None)
            access.delete_group(session, org, made["other group"])

    def note(self, action: str, study_id: Any, patient: tuple[str, str, str], detail: dict[str, object]) -> Any:
        who = Principal("system", "test", "test", self.org, role="system")
        return audit.AuditRecord(action, who, "study", study_id, detail, patient=patient)

    def undone(self, made: dict[str, Any]) -> list[str]:
        """Return what of that does not hold."""
        with self.core.database.read() as session:
            anna, bert, cora, fritz = (
                session.get_one(Account, made[name]) for name in ("anna", "bert", "cora", "fritz")
            )
            bars = session.scalars(sa.select(Restriction.value).where(Restriction.barred.is_(True))).all()
            hidden = set(session.scalars(sa.select(Restricted.study_id).where(Restricted.barred.is_(True))))
            consent = session.get_one(PrivacyTransfer, made["consent"])
            request = session.scalar(sa.select(PrivacyRequest))
            corrected = session.get_one(Study, made["CORRECTED study"])
            seen = {
                "restricted": bars == ["RESTRICTED"] and hidden == {made["RESTRICTED study"]},
                "corrected": corrected.patient_name == "Richtig^Rita"
                and session.scalar(sa.select(sa.func.count()).select_from(Correction)) == 1,
                "withdrawn": consent.withdrawn_at is not None and session.get(Study, made["WITHDRAWN study"]) is None,
                "objection": request is not None
                and (request.state, request.stops) == ("done", "no training of models"),
                "disabled": anna.disabled_at is not None,
                "no administrator any more": fritz.role == "user",
                "nor the last one": bert.role == "user",
                "lost": cora.lost_at is not None,
                "token": session.get_one(ApiToken, made["token"]).suspended_at is not None,
                "link": session.get_one(ShareLink, made["link"]).revoked_at is not None,
                "grant": session.get(Grant, made["grant"]) is None,
                "member": session.get(Member, (str(made["group"]), "account", str(made["cora"]))) is None,
                "group": session.get(Grant, made["group grant"]) is None
                and session.get(Group, made["other group"]) is None,
                "let in": session.get(SuspendedDevice, (self.org, "VIEWER")) is None,
                "device": session.get(SuspendedDevice, (self.org, "SCANNER")) is not None,
                "logged out": session.scalar(sa.select(Login.id).where(Login.ended_at.is_(None))) is None,
            }
        return [name for name, holds in seen.items() if not holds]


def test_an_act_says_nothing_any_more_once_doing_it_again_would_change_nothing() -> None:
    ids = [uuid.UUID(int=number) for number in range(1, 12)]
    study, other, bar = (str(uuid.UUID(int=number)) for number in (101, 102, 103))
    row = {"id": "r", "organisation_id": "o", "requester": "Rita Richtig"}
    key = {"table": "api_token", "key": {"id": "t"}}
    said: list[tuple[str, dict[str, Any]]] = [
        ("put", {"table": "privacy_request", "rows": [row]}),
        ("set", key | {"values": {"revoked_at": 1}}),
        ("set", key | {"values": {"suspended_at": 1}}),
        ("restrict", {"id": bar, "value": "4711"}),
        ("correct", {"studies": [study], "values": {"patient_name": "Richtig^Rita"}}),
        ("correct", {"studies": [study, other], "values": {"patient_name": "Richtig^Rita"}}),
        ("put", {"table": "privacy_request", "rows": [row, row | {"id": "s"}]}),
        ("lift", {"id": bar}),
        ("set", key | {"values": {"revoked_at": 2, "name": "x"}}),
        ("put", {"table": "privacy_request", "rows": [row]}),
        ("account", {"id": "a"}),
    ]
    acts = [Act(own_id, name, told) for own_id, (name, told) in zip(ids, said, strict=True)]
    gone = spent(acts, [uuid.UUID(study)])
    assert sorted(one.int for one in gone) == [1, 2, 4, 5]


def test_nobody_sees_again_what_was_taken_from_them_after_the_backup(tmp_path: Path, capsys: Any) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        site = Site(there)
        made = site.filled()
        write_backup(there.core, tmp_path / "backup")
        site.taken(made)
        with there.core.database.write() as session:  # the table will not take it
            half = {"table": "access_suspended_device", "rows": [{"organisation_id": site.org, "ae_title": "HALF"}]}
            remember(session, site.org, "put", half)
        there.retention.expire()  # as `work` does every few seconds
        assert site.undone(made) == []
        with there.core.database.read() as session:
            kept = session.scalars(sa.select(RememberedAct.detail)).all()
        assert len(kept) > 10
        assert not any(kept), "whom they are about is told in the ledger alone, sealed"
        assert all(b"RESTRICTED" not in (act.detail or b"") for act in there.core.keys.acts())
        before = len(list(there.core.keys.acts()))
        assert spend_acts(there.core.keys) >= 2, "the restriction that was lifted, the request as it was entered"
        assert spend_acts(there.core.keys) == 0
        assert len(list(there.core.keys.acts())) == before, "that they were done is known for good"
    lose(tmp_path)
    assert restore(settings, tmp_path / "backup", check=False) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "acts since then are done again" in told
    assert "2 could not be (account, put)" in told, "eve came after the backup: without bert nobody could administer"
    with house(settings) as there:
        assert Site(there).undone(made) == ["nor the last one"]
        assert not lacks_acts(there.core)
        with there.core.database.read() as session:
            acts = session.scalar(sa.select(sa.func.count()).select_from(RememberedAct))
    with house(settings) as there:
        with there.core.database.read() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(RememberedAct)) == acts
        assert Site(there).undone(made) == ["nor the last one"], "the next start does nothing twice"
