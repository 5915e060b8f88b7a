"""A hospital on one installation: its messages come in and are gone through, its devices send images."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pydicom
import sqlalchemy as sa
from pydicom.dataset import Dataset

from radrelay import audit
from radrelay.app.core import open_core
from radrelay.app.hl7 import handlers_of, inboxes
from radrelay.app.work import completing
from radrelay.archive.corrections import CORRECTED
from radrelay.archive.models import Study
from radrelay.archive.naming import study_named
from radrelay.clock import FixedClock
from radrelay.hl7 import Inbox, Keeping, Processor, Seal
from radrelay.hl7.mllp import Received
from radrelay.hl7.models import Hl7Message
from radrelay.intake.correcting import CorrectionLanding
from radrelay.intake.landing import Landing
from radrelay.intake.models import Quarantined
from radrelay.intake.releasing import Rechecking
from radrelay.settings import Hl7Settings
from radrelay.storage import outbox
from tests.app.house import House, settings_in
from tests.archive.house import made

ISSUER = "HOSPITAL"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Hospital:
    """A house with ports for HL7, worked step by step."""

    def __init__(self, house: House, clock: FixedClock) -> None:
        self.house, self.clock = house, clock
        self.core = house.core
        self.database = house.core.database
        self.org: uuid.UUID = house.prepared.organisation_id
        audit.install(self.database, "work", clock, self.core.keyring.metadata_key, study_named)
        self.seal = Seal(self.core.keyring.metadata_key)
        self.inboxes: dict[str, Inbox] = inboxes(self.core, self.org)
        self.keeping = Keeping(self.database, clock, self.seal, self.inboxes)
        self.landing = Landing.open(self.core.settings, "work", self.core.keyring, clock)
        handlers = handlers_of(self.core, self.landing)
        self.processor = Processor(self.database, clock, self.seal, self.inboxes, handlers)
        self._number = 0

    def tell(self, *messages: bytes, port: str = "KIS") -> list[str]:
        """Take messages and go through them; returns how each stands: its state, or its code where it has one."""
        before = self.messages()
        self.keeping.take([Received(port, "x", one) for one in messages])
        self.processor.tick()
        return [row.error_code or row.state for row in self.messages()[len(before) :]]

    def messages(self) -> list[Hl7Message]:
        with self.database.read() as session:
            found = list(session.scalars(sa.select(Hl7Message).order_by(Hl7Message.id)))
            session.expunge_all()
        return found

    def scan(self, patient_id: str = "4711", name: str = "Müller^Anna", study: str = "1.2.3", **changes: Any) -> str:
        """Let a device send one more image; returns its SOP Instance UID."""
        self._number += 1
        uid = f"{study}.9.{self._number}"
        values = {"PatientBirthDate": "19800229", "PatientSex": "F", "IssuerOfPatientID": ISSUER} | changes
        file = made(
            "CT_small.dcm", PatientID=patient_id, PatientName=name, StudyInstanceUID=study,
            SeriesInstanceUID=f"{study}.9", SOPInstanceUID=uid, SpecificCharacterSet="ISO_IR 192", **values,
        )  # fmt: skip
        self.house.land(file)
        return uid

    def recheck(self) -> int:
        """Look again at what was kept aside of studies whose patients were changed; returns how much was let in."""
        with self.database.write() as session:
            events = outbox.open_events(session, [CORRECTED])
            outbox.mark_taken(session, [one.id for one in events], self.clock.now())
        rechecking = Rechecking(self.database, self.core.segments, self.clock)
        return sum(rechecking.of_study(one.subject_id) for one in events)

    def finish(self) -> None:
        """Let studies become complete, and objects be written anew."""
        self.clock.advance(timedelta(minutes=5))
        completing(self.core)()
        landing = CorrectionLanding(self.database, self.house.reader, self.landing, self.clock)
        while landing.run():
            self.house.index()

    def studies(self) -> dict[str, tuple[str, str]]:
        """Return patient ID and name of each study, by its UID."""
        with self.database.read() as session:
            asked = sa.select(Study.study_uid, Study.patient_id_value, Study.patient_name)
            return {row[0]: (row[1], row[2]) for row in session.execute(asked)}

    def objects(self) -> dict[str, Dataset]:
        """Return what is shown, by SOP Instance UID."""
        found = {}
        for ref in self.house.instances():
            data = self.house.reader.data_set(ref)
            implicit = ref.transfer_syntax_uid == "1.2.840.10008.1.2"
            found[ref.sop_uid] = pydicom.filereader.read_dataset(io.BytesIO(data), implicit, True)
        return found

    def quarantined(self) -> int:
        with self.database.read() as session:
            waiting = sa.select(sa.func.count()).select_from(Quarantined).where(Quarantined.released_at.is_(None))
            return session.scalar(waiting) or 0


@contextmanager
def hospital(folder: Path, *, receivers: Sequence[Mapping[str, object]] = (), **port: Any) -> Iterator[Hospital]:
    """Open a hospital, whose port KIS is as told; the port Partner does nothing of itself."""
    clock = FixedClock(START)
    ports = [{"name": "KIS", "port": 0, "character_set": "8859/1", **port}, {"name": "Partner", "port": 0}]
    told = {"ports": ports, "receivers": receivers}
    settings = settings_in(folder).model_copy(update={"hl7": Hl7Settings.model_validate(told)})
    core = open_core(settings, clock)
    opened = House(core)
    there = Hospital(opened, clock)
    try:
        yield there
    finally:
        there.landing.close()
        opened.close()
        core.close()
