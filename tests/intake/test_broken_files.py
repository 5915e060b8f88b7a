"""Every broken file by the file door: the process lives, and each ends as something a person can find."""

from __future__ import annotations

import resource
from collections import Counter
from pathlib import Path

import pytest

from radrelay.errors import RadrelayError
from radrelay.intake.stow import StowIntake
from radrelay.intake.zip_members import MemberDamaged
from tests.intake.conftest import Site


def broken_files(shared_data: Path) -> list[Path]:
    return sorted(path for path in (shared_data / "broken").rglob("*") if path.is_file())


def test_every_broken_file_ends_in_its_place(site: Site, shared_data: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    files = broken_files(shared_data)
    origin = site.parcel()
    outcomes = Counter(site.landing().land_file(origin, path.name, iter([path.read_bytes()])).outcome for path in files)
    site.parcels.seal(site.landing(), origin)
    site.index()
    assert origin.parcel_id is not None
    parcel = site.parcels.get(site.organisation_id, origin.parcel_id)
    findings = site.parcels.findings(site.organisation_id, parcel.id)
    assert parcel.state == "done"
    assert parcel.files == len(files) == outcomes.total()
    kept = parcel.objects + parcel.duplicates + parcel.attachments + parcel.quarantined
    assert kept + sum(finding.code != "missing-on-disc" for finding in findings) == len(files)
    assert all(finding.text and finding.code for finding in findings)
    assert set(site.codes()) <= {
        "malformed", "no-identity", "other-content", "patient-mismatch", "series-elsewhere", "instance-elsewhere"
    }  # fmt: skip
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


def test_every_broken_file_by_stow_is_taken_or_refused_with_a_reason(site: Site, shared_data: Path) -> None:
    intake = StowIntake(site.landing(), site.origin("stow"))
    taken = 0
    for path in broken_files(shared_data):
        outcome = intake.take_file(iter([path.read_bytes()]))
        if outcome.landed is None:
            assert outcome.failure_reason in (0xC000, 0xA900, 0xA700, 0x0110), path
            assert outcome.error
            assert outcome.http_status >= 400
        else:
            taken += 1
            assert outcome.study_uid
            assert outcome.sop_uid
    assert site.index() == taken


def test_a_stream_that_breaks_off_leaves_nothing(site: Site) -> None:
    def stream() -> object:
        yield bytes(128) + b"DICM" + bytes(10)
        raise MemberDamaged

    with pytest.raises(RadrelayError):
        site.landing().land_file(site.parcel(), "x.dcm", stream())  # type: ignore[arg-type]
    assert site.index() == 0
