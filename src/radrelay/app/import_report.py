"""What became of an import, told on the command line with the counts that the page Import shows.

The running roles index what has landed and count it in its parcel; this waits for the parcel's end and reads it there.
"""

from __future__ import annotations

import sys
import time
import uuid

from rich.console import Console

from radrelay.app.beats import ALIVE, beats
from radrelay.app.core import Core
from radrelay.intake.imports import ImportProgress
from radrelay.intake.parcels import FindingView, Parcels, ParcelView
from radrelay.intake.rows import NOT_REFUSALS

LOOK_S = 0.5
REASONS = 5


def report_import(core: Core, organisation_id: uuid.UUID, done: ImportProgress) -> int:
    """Wait for the import's end and print its counts; returns the exit code.

    1 if nothing was kept or something failed. Where no role runs that could count, it is said how to go on.
    """
    parcel = _ended(core, organisation_id, done.parcel_id)
    if parcel.finished_at is None:
        print(  # noqa: T201
            f"{done.files} files, {done.bytes / 1e6:.1f} MB: {done.kept} landed, {done.skipped} refused. "
            "They are counted and checked once `radrelay serve` runs; the page Import shows what became of them."
        )
        return 0 if done.kept else 1
    for line in lines_of(parcel, Parcels(core.database, core.clock).findings(organisation_id, parcel.id)):
        print(line)  # noqa: T201
    kept = parcel.objects + parcel.duplicates + parcel.attachments + parcel.quarantined
    if parcel.state == "failed":
        print(f"failed: {parcel.error}", file=sys.stderr)  # noqa: T201
    elif not kept:
        print("nothing was kept", file=sys.stderr)  # noqa: T201
    return 0 if kept and parcel.state == "done" else 1


def lines_of(parcel: ParcelView, findings: list[FindingView]) -> list[str]:
    """Return a parcel's counts in words, a line each, the first reasons below what was refused."""
    lines = [
        f"{parcel.files} files, {parcel.bytes_received / 1e6:.1f} MB",
        f"  {parcel.objects} images and objects new",
        f"  {parcel.duplicates} already here",
        f"  {parcel.attachments} other files kept as attachments",
    ]
    aside = f"  {parcel.quarantined} in quarantine"
    lines.append(f"{aside}: look at them on the page Quarantine" if parcel.quarantined else aside)
    lines.append(f"  {parcel.refused} refused")
    refusals = [finding for finding in findings if finding.code not in NOT_REFUSALS]
    lines.extend(f"    {finding.file_name}: {finding.text}" for finding in refusals[:REASONS])
    if len(refusals) > REASONS:
        lines.append("    the others stand on the page Import")
    return lines


def _ended(core: Core, organisation_id: uuid.UUID, parcel_id: uuid.UUID) -> ParcelView:
    """Return the parcel once it has ended, or as it is when no role of this node looks after what has landed."""
    parcels = Parcels(core.database, core.clock)
    with Console(stderr=True).status("being checked and counted …"):
        while True:
            parcel = parcels.get(organisation_id, parcel_id)
            if parcel.finished_at is not None or not _looked_after(core):
                return parcel
            time.sleep(LOOK_S)


def _looked_after(core: Core) -> bool:
    now = core.clock.now()
    return any(beat.data == core.node and now - beat.at < ALIVE for beat in beats(core.database))
