"""The index's one way of growing: a batch of landed objects becomes rows, or a reason for quarantine.

Nothing is overwritten in silence. The same SOP instance with the same content is a duplicate: it adds its
source's holding and renews that holding's retention. Other content follows the source's policy. What
contradicts its study (patient, series, place) is quarantined: the study keeps its first patient.
Each batch is written in the caller's transaction, one executemany per table.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive import deletion
from radrelay.archive.arrivals import Arrival, Verdict
from radrelay.archive.folding import identity_keys
from radrelay.archive.holdings import after, end_of
from radrelay.archive.index_rows import (
    flaw_of,
    instance_row,
    patient_identity,
    patient_row,
    record_row,
    series_row,
    study_row,
)
from radrelay.archive.index_state import HoldingState, Known, SeriesState, StudyState, VersionState, load
from radrelay.archive.index_writes import Writes, erasure_row
from radrelay.archive.locking import lock_archive
from radrelay.archive.ownership import own_new
from radrelay.archive.patient_conflict import patient_conflict
from radrelay.archive.rule_facts import release_arrived
from radrelay.archive.senders import NOTHING_NEW, Sent, write_senders
from radrelay.archive.sort_key import sort_key
from radrelay.archive.tables import STUDY
from radrelay.archive.uncorrected import reopen
from radrelay.dicom.errors import Unidentified
from radrelay.storage.ids import new_id
from radrelay.storage.outbox import emit

MODALITY_LENGTH = 16


def upsert_batch(session: Session, arrivals: Sequence[Arrival]) -> list[Verdict]:
    """Take up to a few hundred arrivals into the index; returns one verdict for each, in their order.

    The landing record of every arrival gets its row, a quarantined one's too, for its bytes are kept; a
    duplicate's record is marked as a second copy (`second_copies`). Quarantine rows are the caller's to write.
    """
    if not arrivals:
        return []
    lock_archive(session)
    verdicts: dict[int, Verdict] = {}
    for organisation_id in dict.fromkeys(arrival.source.organisation_id for arrival in arrivals):
        places = [p for p, arrival in enumerate(arrivals) if arrival.source.organisation_id == organisation_id]
        found = _Batch(session, organisation_id, [arrivals[p] for p in places]).take()
        verdicts.update(zip(places, found, strict=True))
    return [verdicts[place] for place in range(len(arrivals))]


def complete_quiet(session: Session, now: datetime, limit: int = 500) -> list[uuid.UUID]:
    """Mark studies complete whose quiet time has passed, with an event `study.completed` each; returns them."""
    lock_archive(session)
    table = STUDY
    quiet = session.execute(
        sa.select(table.c.id, table.c.organisation_id)
        .where(table.c.quiet_at <= now, table.c.state == "arriving")
        .order_by(table.c.quiet_at)
        .limit(limit)
    ).all()
    ids = [row.id for row in quiet]
    if ids:
        session.execute(sa.update(table).where(table.c.id.in_(ids)).values(state="complete", quiet_at=None))
    for study_id, organisation_id in quiet:
        _emit_completed(session, organisation_id, study_id, now)
    return ids


def _emit_completed(session: Session, organisation_id: uuid.UUID, study_id: uuid.UUID, at: datetime) -> None:
    emit(session, organisation_id=organisation_id, kind="study.completed", subject_id=study_id, at=at)


class _Batch:
    """One organisation's part of a batch while it is judged."""

    def __init__(self, session: Session, organisation_id: uuid.UUID, arrivals: Sequence[Arrival]) -> None:
        self.session = session
        self.organisation_id = organisation_id
        self.arrivals = arrivals
        self.known: Known = self._load()
        self.writes = Writes()
        self.grown: set[uuid.UUID] = set()  # complete studies that something of our own making joined
        self.sent: set[Sent] = set()
        self.came: dict[uuid.UUID, int] = {}  # studies that grew: up to which correction all that came is written

    def take(self) -> list[Verdict]:
        """Judge every arrival and write what follows."""
        if self._end_elapsed():
            self.known = self._load()
        verdicts = [self._judge(arrival) for arrival in self.arrivals]
        self.writes.flush(self.session, list(self.known.by_id.values()), list(self.known.series_by_id.values()))
        reopen(self.session, self.came)
        self._restrict()
        at = max(arrival.received_at for arrival in self.arrivals)
        own_new(self.session, self.organisation_id, self.known.by_id.values(), at)
        self._release(write_senders(self.session, self.sent))
        for study_id in self.grown:
            study = self.known.by_id[study_id]
            if study.state == "complete":
                at = max(arrival.received_at for arrival in self.arrivals)
                _emit_completed(self.session, self.organisation_id, study_id, at)
        return verdicts

    def _restrict(self) -> None:
        """Hide what is to be restricted in the transaction that shows it."""
        arrived = [
            access.Arrived(
                study.id, study.study_uid, study.issuer, study.patient_id_value,
                frozenset(holding.source_id for holding in study.holdings),
            )
            for study in self.known.by_id.values()
            if study.changed or study.fresh
        ]  # fmt: skip
        access.fall_under(self.session, self.organisation_id, arrived)

    def _release(self, senders_of: set[uuid.UUID]) -> None:
        """Release by rule what is new, or what rules look at of it: a series, a source's holding, who sent it."""
        held = (study.id for study in self.known.by_id.values() if study.fresh or any(h.fresh for h in study.holdings))
        grown = (series.study_id for series in self.known.series_by_id.values() if series.fresh)
        at = max(arrival.received_at for arrival in self.arrivals)
        release_arrived(self.session, self.organisation_id, sorted({*held, *grown, *senders_of}), at)

    def _load(self) -> Known:
        attributes = [arrival.attributes for arrival in self.arrivals]
        return load(
            self.session,
            self.organisation_id,
            list({a.study_uid for a in attributes}),
            list({a.series_uid for a in attributes}),
            list({a.sop_uid for a in attributes}),
            list({a.patient_id for a in attributes if a.patient_id}),
        )

    def _end_elapsed(self) -> bool:
        """End holdings whose time was over before this batch, so that what comes after it starts afresh."""
        moments: dict[str, tuple[datetime, datetime]] = {}
        for arrival in self.arrivals:
            at = arrival.received_at
            first, last = moments.get(arrival.attributes.study_uid, (at, at))
            moments[arrival.attributes.study_uid] = (min(first, at), max(last, at))
        elapsed = []
        for uid, (first, last) in moments.items():
            study = self.known.studies.get(uid)
            for holding in study.holdings if study else ():
                over = holding.ends_at is not None and holding.ends_at <= first
                if over or (holding.ceiling_at is not None and holding.ceiling_at <= last):
                    elapsed.append(holding.id)
        if elapsed:
            deletion.end_holdings(self.session, elapsed, max(last for _, last in moments.values()))
        return bool(elapsed)

    def _judge(self, arrival: Arrival) -> Verdict:
        attributes = arrival.attributes
        if not arrival.recorded:
            self.writes.records.append(record_row(arrival))
        flaw = flaw_of(arrival)
        if flaw:
            return Verdict("quarantine", Unidentified.code, flaw)
        versions = self.known.versions.get(attributes.sop_uid, [])
        if arrival.joins is not None and self._joined(arrival) is None:
            return self._too_late(arrival)
        for version in versions:
            if version.sha256 == arrival.sha256:
                return self._duplicate(arrival, version)
        if arrival.corrects is not None:
            return self._correct(arrival, versions)
        study = self.known.studies.get(attributes.study_uid)
        contradiction = self._contradiction(arrival, study, versions)
        if contradiction is not None:
            return contradiction
        current = [version for version in versions if version.current]
        policy = arrival.source.duplicate_policy if current else ""
        if policy == "supersede":
            for version in current:
                self._supersede(version, arrival.received_at)
        instance = self._add(arrival, study or self._new_study(arrival))
        kind = {"supersede": "superseded", "keep-both": "kept-both"}.get(policy, "new")
        return Verdict(kind, instance_id=instance.id, study_id=instance.study_id)  # type: ignore[arg-type]  # of the three words above

    def _correct(self, arrival: Arrival, versions: Sequence[VersionState]) -> Verdict:
        """Put an object in the place of the version that it was written of, with all that hold that."""
        version = next((one for one in versions if one.id == arrival.corrects), None)
        study = self.known.studies.get(arrival.attributes.study_uid)
        if version is None or not version.current or study is None or study.id != version.study_id:
            return self._too_late(arrival)
        self._supersede(version, arrival.received_at)
        version.corrected = True
        made = self._add(arrival, study)
        self._hold_too(made, version.holdings)
        self.writes.corrected[version.id] = made.id
        return Verdict("superseded", instance_id=made.id, study_id=study.id)

    def _hold_too(self, version: VersionState, holdings: Iterable[uuid.UUID]) -> None:
        for holding_id in sorted(set(holdings) - version.holdings):
            version.holdings.add(holding_id)
            self.writes.further_holdings.append({"instance_id": version.id, "holding_id": holding_id})

    def _contradiction(
        self, arrival: Arrival, study: StudyState | None, versions: Sequence[VersionState]
    ) -> Verdict | None:
        if study is not None and "patient-mismatch" not in arrival.overlook:
            reason = patient_conflict(self.session, study, arrival)
            if reason:
                return Verdict("quarantine", "patient-mismatch", reason, study_id=study.id)
        here = study.id if study is not None else None
        if any(series.study_id != here for series in self.known.series.get(arrival.attributes.series_uid, ())):
            return Verdict("quarantine", "series-elsewhere", "Its series already belongs to another study.")
        for version in versions:
            if version.study_id != here:
                reason = "Its SOP instance UID already belongs to another study."
                return Verdict("quarantine", "instance-elsewhere", reason, version.id, version.study_id)
            if version.current and arrival.source.duplicate_policy not in ("supersede", "keep-both"):
                reason = "An object with the same SOP instance UID and other content is already here."
                return Verdict("quarantine", "other-content", reason, version.id, version.study_id)
        return None

    def _joined(self, arrival: Arrival) -> HoldingState | None:
        """Return the holding that an arrival joins, none if it is gone, or is not its study's."""
        study = self.known.studies.get(arrival.attributes.study_uid)
        held = study.holdings if study is not None else ()
        return next((holding for holding in held if holding.id == arrival.joins), None)

    def _note_sender(self, arrival: Arrival, study_id: uuid.UUID, series_id: uuid.UUID = NOTHING_NEW) -> None:
        if arrival.joins is None or arrival.calling_ae:  # what Radrelay made itself nobody sent, but an analysis
            who = arrival.source.id, arrival.calling_ae, arrival.called_ae, arrival.host
            self.sent.add(Sent(study_id, *who, series_id))

    def _too_late(self, arrival: Arrival) -> Verdict:
        """Have an object erased that was made of a study which has gone meanwhile: it must not bring that back."""
        record = arrival.location.record_id
        self.writes.erasures.append(erasure_row(record, self.organisation_id, arrival.received_at))
        return Verdict("too-late")

    def _duplicate(self, arrival: Arrival, version: VersionState) -> Verdict:
        study = self.known.by_id[version.study_id]
        holding = self._holding(arrival, study)
        self._note_sender(arrival, study.id)
        self._hold_too(version, [holding.id])
        if version.corrected:  # what is shown instead of it lives as long
            later = [one for one in self.known.versions[version.sop_uid] if one.version > version.version]
            for one in later:
                self._hold_too(one, [holding.id])
        study.changed = True
        record = arrival.location.record_id
        self.writes.erasures.append(erasure_row(record, self.organisation_id, arrival.received_at, version.id))
        return Verdict("duplicate", instance_id=version.id, study_id=study.id)

    def _supersede(self, version: VersionState, at: datetime) -> None:
        version.current = False
        self.writes.supersede(version.id)
        series = self.known.series_by_id[version.series_id]
        series.instance_count -= 1
        series.frame_count -= version.frames
        series.changed_at = at
        self.known.by_id[version.study_id].instance_count -= 1

    def _add(self, arrival: Arrival, study: StudyState) -> VersionState:
        series = self._series(arrival, study)
        holding = self._holding(arrival, study)
        self._note_sender(arrival, study.id, series.id)
        versions = self.known.versions.setdefault(arrival.attributes.sop_uid, [])
        number = max((version.version for version in versions), default=0) + 1
        row = instance_row(arrival, new_id(), study.id, series.id, holding.id, number)
        self.writes.instances.append(row)
        version = VersionState(
            row["id"], study.id, series.id, row["sop_uid"], number, True, arrival.sha256, arrival.size,
            row["frames"], False, {holding.id},
        )  # fmt: skip
        versions.append(version)
        series.instance_count += 1
        series.frame_count += version.frames
        series.bytes += arrival.size
        series.changed_at = arrival.received_at
        self._touch(study, arrival)
        return version

    def _touch(self, study: StudyState, arrival: Arrival) -> None:
        study.changed = True
        if not study.fresh:
            self.came[study.id] = min(self.came.get(study.id, arrival.correction), arrival.correction)
        study.instance_count += 1
        study.bytes += arrival.size
        if arrival.joins is not None:  # nobody sent anything: the study is neither new nor to be waited for
            self.grown.add(study.id)
            return
        study.state = "arriving"
        study.last_received_at = max(study.last_received_at, arrival.received_at)
        quiet_at = arrival.received_at + timedelta(seconds=arrival.source.quiet_s)
        study.quiet_at = max(study.quiet_at or quiet_at, quiet_at)

    def _new_study(self, arrival: Arrival) -> StudyState:
        attributes = arrival.attributes
        issuer = patient_identity(arrival)
        study = StudyState(
            id=new_id(),
            organisation_id=self.organisation_id,
            study_uid=attributes.study_uid,
            sort_key=sort_key(attributes.study_date, attributes.study_time),
            patient_id_value=attributes.patient_id,
            issuer=issuer,
            birth_date=attributes.birth_date,
            name_keys=frozenset(identity_keys(attributes.patient_name)),
            modalities=set(),
            series_count=0,
            instance_count=0,
            bytes=0,
            last_received_at=arrival.received_at,
            quiet_at=None,
            state="arriving",
            fresh=True,
        )
        self.known.add_study(study)
        self.writes.studies.append(study_row(arrival, study, self._patient(arrival, study)))
        return study

    def _patient(self, arrival: Arrival, study: StudyState) -> uuid.UUID:
        """Return the row of the study's patient; without a patient ID the study has a patient of its own."""
        patient_id = arrival.attributes.patient_id
        identity = (study.issuer if patient_id else f"radrelay:study:{study.id.hex}", patient_id)
        known = self.known.patients.get(identity)
        if known is None:
            known = self.known.patients[identity] = new_id()
            self.writes.patients.append(patient_row(arrival, known, *identity))
        return known

    def _series(self, arrival: Arrival, study: StudyState) -> SeriesState:
        attributes = arrival.attributes
        for series in self.known.series.get(attributes.series_uid, ()):
            if series.study_id == study.id:
                return series
        series = SeriesState(new_id(), study.id, attributes.series_uid, 0, 0, 0, arrival.received_at, True)
        self.known.add_series(series)
        self.writes.series.append(series_row(arrival, series))
        study.series_count += 1
        modality = attributes.modality[:MODALITY_LENGTH]
        if modality and modality not in study.modalities:
            study.modalities.add(modality)
            self.writes.modalities.append((study, modality))
        return series

    def _holding(self, arrival: Arrival, study: StudyState) -> HoldingState:
        """Return the living holding of the arrival's source, renewed by it, or a new one."""
        source = arrival.source
        joined = self._joined(arrival) if arrival.joins is not None else None
        if joined is not None:
            return joined
        for holding in study.holdings:
            if holding.source_id == source.id and holding.account_id == arrival.account_id:
                break
        else:
            holding = _new_holding(arrival, study)
            study.holdings.append(holding)
        holding.last_received_at = max(holding.last_received_at, arrival.received_at)
        holding.expires_at = after(holding.last_received_at, source.retention_s)
        holding.ends_at = end_of(holding.expires_at, holding.hold_until, holding.ceiling_at)
        holding.changed = True
        return holding


def _new_holding(arrival: Arrival, study: StudyState) -> HoldingState:
    """Make a holding; a hold that stands on the study is on this one too."""
    held = max((h for h in study.holdings if h.hold_until), key=lambda h: h.hold_until or h.received_at, default=None)
    return HoldingState(
        id=new_id(),
        organisation_id=study.organisation_id,
        study_id=study.id,
        source_id=arrival.source.id,
        account_id=arrival.account_id,
        received_at=arrival.received_at,
        last_received_at=arrival.received_at,
        expires_at=None,
        ceiling_at=after(arrival.received_at, arrival.source.max_age_s),
        hold_until=held.hold_until if held else None,
        hold_reason=held.hold_reason if held else "",
        ends_at=None,
        fresh=True,
    )
