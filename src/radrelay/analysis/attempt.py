"""One attempt at a run: its images laid out, its process run and watched, what it has written checked and landed."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import uuid
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.analysis import service
from radrelay.analysis.errors import AnalysisFailed
from radrelay.analysis.folders import Folders
from radrelay.analysis.models import AnalysisRun
from radrelay.analysis.outputs import Output, Whose, read_output
from radrelay.analysis.running import Place, Stopped, run
from radrelay.analysis.service import Result
from radrelay.analysis.switching import Switched
from radrelay.archive.instances import InstanceRef
from radrelay.archive.models import Holding
from radrelay.archive.reader import InstanceReader
from radrelay.archive.tables import INSTANCE
from radrelay.clock import Clock
from radrelay.dicom.part10 import file_meta
from radrelay.errors import Unavailable
from radrelay.intake.envelope import Origin
from radrelay.intake.files import FileLander
from radrelay.intake.landing import Landing
from radrelay.intake.models import Quarantined
from radrelay.intake.sources import get_source
from radrelay.settings import AnalysisSettings
from radrelay.storage.database import Database

log = structlog.get_logger(__name__)

TOLD_S = 1.0
INDEXED_S = 120.0
SETTLED_S = 3.0
LOOK_S = 0.1


class Interrupted(Exception):
    """This process ends."""


class LostRun(Exception):
    """The run is over, or somebody else's by now."""


class Begun(NamedTuple):
    """A run that an attempt has taken on; `attempt` tells it from those before and after."""

    run_id: uuid.UUID
    attempt: int
    organisation_id: uuid.UUID
    study_id: uuid.UUID
    here: Switched
    parameters: str
    correlation_id: str
    refs: list[InstanceRef]

    def mine(self, session: Session, *, hold: bool = False) -> AnalysisRun | None:
        """Return the run's row while it is still this attempt's, with `hold` so that nobody else changes it."""
        row = session.get(AnalysisRun, self.run_id, with_for_update=hold, populate_existing=hold)
        return row if row is not None and (row.state, row.attempts) == ("running", self.attempt) else None


class _Watch:
    """Times the parts of an attempt."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def done(self, part: str) -> None:
        now = time.monotonic()
        self.seconds[part], self._since = round(now - self._since, 1), now


class Attempt:
    """An attempt at a run."""

    def __init__(
        self, begun: Begun, settings: AnalysisSettings, database: Database, clock: Clock, reader: InstanceReader,
        landing: Landing, folders: Folders, closing: threading.Event,
    ) -> None:  # fmt: skip
        self._begun = begun
        self._settings = settings
        self._database = database
        self._clock = clock
        self._reader = reader
        self._landing = landing
        self._folders = folders
        self._closing = closing
        self._told = ("", 0.0)
        self._written = ("", 0.0)
        self._written_at = 0.0
        self._landed_from = clock.now()

    def run(self) -> list[Result]:
        """Carry it out; returns what it has made, which is in the archive. Raises what `jobs` sorts out."""
        before = self._made_before()
        if before and self._settled(before):
            return before
        limits = self._begun.here.limits
        size = sum(ref.size for ref in self._begun.refs)
        values = json.loads(self._begun.parameters)
        watch = _Watch()
        with self._folders.one(self._begun.run_id, size, limits.output_bytes, values) as place:
            whose = self._lay_out(place)
            watch.done("laid_out_s")
            run(
                self._command(place), place, limits, self._settings.nice, self._wanted, self._progress,
                self._environment(place), self._readable(),
            )  # fmt: skip
            watch.done("ran_s")
            self._require_wanted()
            output = read_output(place.output, self._begun.run_id, whose)
            self._write_down(output)
            self._land(output)
            watch.done("landed_s")
        self._require_indexed(output.results)
        watch.done("indexed_s")
        log.info("a run has its results", run_id=str(self._begun.run_id), objects=len(output.results), **watch.seconds)
        return list(output.results)

    def _made_before(self) -> list[Result]:
        with self._database.read() as session:
            row = self._begun.mine(session)
            return service.results_from(row.results) if row is not None else []

    def _settled(self, results: list[Result]) -> bool:
        """Say whether all that an attempt before was about to land is here, once no more of it arrives."""
        count, since = self._here(results), time.monotonic()
        while count < len(results) and time.monotonic() - since < SETTLED_S:
            self._require_wanted()
            time.sleep(LOOK_S)
            if (now := self._here(results)) != count:
                count, since = now, time.monotonic()
        return count == len(results)

    def _lay_out(self, place: Place) -> Whose:
        """Write the images into the folder of those; returns whose they are."""
        first: Path | None = None
        for number, ref in enumerate(self._begun.refs):
            path = place.images / f"{number:06}.dcm"
            with path.open("wb") as file:
                file.write(file_meta(ref.sop_class_uid, ref.sop_uid, ref.transfer_syntax_uid))
                for piece in self._reader.stream(ref):
                    file.write(piece)
            first = first or path
            if number % 50 == 0:
                self._require_wanted()
        assert first is not None  # noqa: S101 -- there is no run without images
        return Whose.of(first)

    def _command(self, place: Place) -> list[str]:
        kind = self._begun.here.kind
        given, made = str(place.images), str(place.output)
        if not kind.built_in:
            return [*kind.command, given, made]
        if kind.command[0] == "model":
            return [sys.executable, "-m", "radrelay.analysis.model", *kind.command[1:], given, made]
        told = ["--parameters", str(place.parameters), "--progress"]
        if self._settings.rules is not None:
            told += ["--rules", str(self._settings.rules)]
        return [sys.executable, "-m", "radrelay", *kind.command, given, "-o", made, *told]

    def _environment(self, place: Place) -> dict[str, str]:
        """Return what the process is told besides: nothing of ours, above all no secret."""
        said = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
        if self._begun.here.kind.built_in and "PYTHONPATH" in os.environ:
            said["PYTHONPATH"] = os.environ["PYTHONPATH"]
        one_thread = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        return said | dict.fromkeys(one_thread, "1") | {
            "HOME": str(place.root), "TMPDIR": str(place.root / "tmp"), "PYTHONDONTWRITEBYTECODE": "1",
            "RADRELAY_ANALYSIS_PARAMETERS": str(place.parameters),
            "RADRELAY_ANALYSIS_RUN": str(self._begun.run_id),
            "RADRELAY_ANALYSIS_CORES": str(self._begun.here.cores),
        }  # fmt: skip

    def _readable(self) -> list[Path]:
        """Return what a program is made of, which it may read wherever it lies."""
        own = [self._begun.here.kind.folder, self._settings.rules, Path(sys.prefix), Path(sys.base_prefix)]
        if self._begun.here.kind.built_in:
            own += [Path(one) for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
        return [one for one in own if one is not None]

    def _progress(self, step: str, share: float) -> None:
        self._told = ("" if step == service.FILING else step, share)  # a program must not say that its results land

    def _wanted(self) -> bool:
        """Say whether the run is still this attempt's; meanwhile write down how far it is."""
        if self._closing.is_set():
            raise Interrupted
        told = self._told
        if told != self._written and time.monotonic() - self._written_at > TOLD_S:
            self._written, self._written_at = told, time.monotonic()
            with self._database.write() as session:
                row = self._begun.mine(session, hold=True)
                if row is None:
                    return False
                row.step, row.share = told
                row.changed_at = self._clock.now()
                return True
        with self._database.read() as session:
            return self._begun.mine(session) is not None

    def _require_wanted(self) -> None:
        if not self._wanted():
            raise Stopped

    def _write_down(self, output: Output) -> None:
        """Write down what is about to land: from here on the run is not cancelled any more."""
        with self._database.write() as session:
            row = self._begun.mine(session, hold=True)
            if row is None:
                raise LostRun
            row.results, row.findings = service.results_text(output.results), output.findings
            row.step, row.share, row.changed_at = service.FILING, 1.0, self._clock.now()

    def _land(self, output: Output) -> None:
        """Land what is not here yet through the intake, as part of the holding of most of its images."""
        with self._database.read() as session:
            origin = self._origin(session)
            there = set(session.scalars(self._instances(output.results)))
        lander = FileLander(self._landing, origin)
        self._landed_from = self._clock.now()
        for result, content in output.objects(lambda one: one not in there):
            landed = lander.land(f"{result.sop_uid}.dcm", [content])
            if landed.outcome != "object":
                log.error("an object of an analysis was not taken", run_id=str(self._begun.run_id), code=landed.code)
                raise AnalysisFailed(f"a result was not taken: {landed.code or landed.outcome}")

    def _origin(self, session: Session) -> Origin:
        """Return where results come from: the source of the holding that they join; raises `LostRun` without one."""
        holding_id, _ = Counter(ref.holding_id for ref in self._begun.refs).most_common(1)[0]
        holding = session.get(Holding, holding_id)
        if holding is None:
            raise LostRun
        source = get_source(session, self._begun.organisation_id, holding.source_id)
        origin = source.origin(
            calling_ae=self._begun.here.kind.name.upper()[:16], correlation_id=self._begun.correlation_id,
            account_id=holding.account_id,
        )  # fmt: skip
        return msgspec.structs.replace(origin, joins=holding_id, scan=False)

    def _instances(self, results: tuple[Result, ...] | list[Result]) -> sa.Select[str]:
        mine = (
            INSTANCE.c.organisation_id == self._begun.organisation_id, INSTANCE.c.study_id == self._begun.study_id,
            INSTANCE.c.current.is_(True),
        )  # fmt: skip
        return sa.select(INSTANCE.c.sop_uid).where(*mine, INSTANCE.c.sop_uid.in_([one.sop_uid for one in results]))

    def _here(self, results: tuple[Result, ...] | list[Result]) -> int:
        with self._database.read() as session:
            return len(set(session.scalars(self._instances(results))))

    def _require_indexed(self, results: tuple[Result, ...]) -> None:
        """Wait until all that has landed is in the archive; raises `AnalysisFailed`, `Unavailable`."""
        until = self._clock.now() + timedelta(seconds=INDEXED_S)
        while self._here(results) < len(results):
            with self._database.read() as session:
                if self._begun.mine(session) is None:
                    raise LostRun
                aside = sa.select(Quarantined.sop_uid).where(
                    Quarantined.organisation_id == self._begun.organisation_id,
                    Quarantined.received_at >= self._landed_from,  # what an attempt before met says nothing of this one
                    Quarantined.sop_uid.in_([one.sop_uid for one in results]),
                )
                if session.scalar(aside.limit(1)) is not None:
                    raise AnalysisFailed("a result was put in quarantine")
            if self._closing.is_set():
                raise Interrupted
            if self._clock.now() > until:
                raise Unavailable("results have landed, but are not in the index yet")
            time.sleep(LOOK_S)
