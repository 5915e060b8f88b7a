"""Objects that are cut off behind what the survey looks at: files are kept aside, senders are refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import RLELossless

from radrelay.archive.models import Instance
from radrelay.dicom import phantoms
from radrelay.dicom.errors import CutOff
from radrelay.dicom.part10 import parse_preamble
from radrelay.intake.quarantine import Quarantine, QuarantinedView
from radrelay.intake.stow import StowIntake
from tests.intake.conftest import MakeSite, Site

SLICE = next(iter(phantoms.study("ct-head", slices=1, size=64)))


def written(change: Callable[[Dataset], None]) -> bytes:
    one, out = dcmread(io.BytesIO(SLICE)), io.BytesIO()
    change(one)
    one.save_as(out)
    return out.getvalue()


def with_movie(one: Dataset) -> None:
    """Put behind the pixel data what some ultrasound devices do."""
    inner = Dataset()
    inner.ImageComments = "a loop of its own"
    block = one.private_block(0x7FE1, "VENDOR MOVIES", create=True)
    block.add_new(0x01, "SQ", Sequence([inner]))
    block.add_new(0x60, "OB", b"m" * 60_000)


def compressed(one: Dataset) -> None:
    one.compress(RLELossless)


def with_contours(one: Dataset) -> None:
    """Make a head that is larger than what the index needs."""
    del one.PixelData
    contours = []
    for number in range(800):
        contour = Dataset()
        contour.ContourData = [number] * 200
        contours.append(contour)
    roi = Dataset()
    roi.ContourSequence = Sequence(contours)
    one.ROIContourSequence = Sequence([roi])
    one["ROIContourSequence"].is_undefined_length = True


CUT = {
    "movie": (written(with_movie)[:-59_500], r"(7FE1,1060) at byte"),
    "its header": (written(with_movie)[:-60_002], "within the header of an element"),
    "fragment": (written(compressed)[:-40], "(FFFE,E000) in (7FE0,0010) at byte"),
    "contours": (written(with_contours)[:-20_000], "(FFFE,E000) in (3006,0039) at byte"),
}
WHOLE = {
    "movie": written(with_movie), "fragments": written(compressed), "contours": written(with_contours),
    "padded": written(with_movie) + bytes(100), "no mark of the end": written(compressed)[:-8],
}  # fmt: skip


def kept(site: Site) -> QuarantinedView:
    (found,) = Quarantine(site.database, site.reader, site.clock).list(site.organisation_id)
    return found


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.fixture(params=["small", "large"])
def any_site(request: pytest.FixtureRequest, make_site: MakeSite) -> Site:
    """Return an installation to which the objects are small, and one in which they land in files of their own."""
    return make_site() if request.param == "small" else make_site(large_object_bytes=6000)


@pytest.mark.parametrize("size", [1000, 1 << 30])
@pytest.mark.parametrize("case", list(CUT))
def test_a_file_that_is_cut_off_is_kept_aside_and_said_where(any_site: Site, case: str, size: int) -> None:
    data, words = CUT[case]
    origin = any_site.parcel()
    landed = any_site.landing().land_file(origin, "a.dcm", pieces(data, size))
    any_site.index()
    assert (landed.outcome, landed.code) == ("quarantine", "cut-off")
    found = kept(any_site)
    assert (found.code, found.releasable) == ("cut-off", True)
    assert words in found.reason
    assert any_site.rows(Instance) == 0
    content = b"".join(Quarantine(any_site.database, any_site.reader, any_site.clock).content(
        any_site.organisation_id, found.id
    ))  # fmt: skip
    assert data.endswith(content)
    assert len(content) == len(data) - parse_preamble(data).dataset_offset


@pytest.mark.parametrize("size", [1000, 1 << 30])
@pytest.mark.parametrize("case", list(WHOLE))
def test_a_file_that_is_whole_is_taken(any_site: Site, case: str, size: int) -> None:
    landed = any_site.landing().land_file(any_site.parcel(), "a.dcm", pieces(WHOLE[case], size))
    any_site.index()
    assert (landed.outcome, any_site.rows(Instance)) == ("object", 1)


def test_a_person_may_let_it_in_for_its_images_may_be_all_there(site: Site) -> None:
    site.take(("a.dcm", CUT["movie"][0]))
    quarantine = Quarantine(site.database, site.reader, site.clock)
    with site.database.write() as session:
        released = quarantine.release(session, site.organisation_id, kept(site).id)
    assert released.instance_id is not None
    assert quarantine.list(site.organisation_id) == []
    assert site.rows(Instance) == 1


def test_without_a_preamble_it_is_kept_as_well(site: Site) -> None:
    data = CUT["movie"][0]
    bare = data[parse_preamble(data).dataset_offset :]
    assert site.landing().land_file(site.parcel(), "a.dcm", [bare]).outcome == "quarantine"


@pytest.mark.parametrize("case", ["movie", "its header"])
def test_a_sender_is_refused_for_it_still_has_the_object(any_site: Site, case: str) -> None:
    data, words = CUT[case]
    outcome = StowIntake(any_site.landing(), any_site.origin("stow")).take_file(pieces(data, 1000))
    assert (outcome.landed, outcome.failure_reason) == (None, 0xC000)
    assert words in outcome.error
    head = parse_preamble(data)
    writer = any_site.landing("listen").open_object(
        any_site.origin(), transfer_syntax=head.transfer_syntax_uid, cut_offs="refuse"
    )
    writer.write(memoryview(data)[head.dataset_offset :])
    with pytest.raises(CutOff):
        writer.finish()
    assert any_site.index() == 0


@pytest.mark.parametrize("case", [*WHOLE, "fragment", "contours"])
def test_a_sender_of_anything_else_does_not_wait_for_a_look_at_it(any_site: Site, case: str) -> None:
    data = WHOLE[case] if case in WHOLE else CUT[case][0]
    intake = StowIntake(any_site.landing(), any_site.origin("stow"))
    assert intake.take_file(pieces(data, 1000)).landed is not None


def test_what_is_written_anew_here_is_taken_as_it_is(site: Site) -> None:
    data, _ = CUT["movie"]
    head = parse_preamble(data)
    writer = site.landing().open_object(site.origin(), transfer_syntax=head.transfer_syntax_uid)
    writer.write(memoryview(data)[head.dataset_offset :])
    assert writer.finish().survey is not None


def test_no_real_file_is_taken_for_cut_off(site: Site, shared_data: Path) -> None:
    landing, parcel = site.landing(), site.parcel()
    files = [one for one in sorted(shared_data.rglob("*")) if one.is_file() and "broken" not in one.parts]
    landed = [(one, landing.land_file(parcel, one.name, iter([one.read_bytes()]))) for one in files]
    assert sum(one.outcome == "object" for _, one in landed) > 300
    assert [file for file, one in landed if one.code == CutOff.code] == []
