"""What values measure: Hounsfield units, uptake, real world values, and the calibrated parts of ultrasound."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.suv import uptake
from radrelay.dicom.ultrasound import regions
from radrelay.dicom.units import real_world, unit_of
from tests.dicom.test_planes import item

PET = "1.2.840.10008.5.1.4.1.1.128"
F18_S = 6586.2


def header_of(dataset: Dataset) -> Header:
    out = io.BytesIO()
    pydicom.filewriter.write_dataset(writer(out), dataset)
    return parse(out.getvalue(), pydicom.uid.ExplicitVRLittleEndian)


def writer(out: io.BytesIO) -> pydicom.filebase.DicomFileLike:
    made = pydicom.filebase.DicomFileLike(out)
    made.is_little_endian, made.is_implicit_VR = True, False
    return made


def pet(drug: Mapping[str, Any] | None = None, **changes: Any) -> Dataset:
    """Return the header of a PET slice: 350 MBq of F-18 an hour before the scan, 70 kg."""
    used = {
        "RadiopharmaceuticalStartTime": "090000", "RadionuclideTotalDose": 350e6, "RadionuclideHalfLife": F18_S,
        **(drug or {}),
    }  # fmt: skip
    made = item(
        SOPClassUID=PET, Units="BQML", DecayCorrection="START", CorrectedImage=["DECY", "ATTN", "SCAT"],
        SeriesDate="20240102", SeriesTime="100000", AcquisitionDate="20240102", AcquisitionTime="100500",
        PatientWeight=70,
        RadiopharmaceuticalInformationSequence=Sequence(
            [item(**{name: value for name, value in used.items() if value is not None})]
        ),
    )  # fmt: skip
    for keyword, value in changes.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    return made


def factor(dataset: Dataset) -> float | None:
    return uptake(header_of(dataset), "").factor


def expected(seconds: float, *, half_life: float = F18_S) -> float:
    return 70_000 / (350e6 * math.exp(-math.log(2) * seconds / half_life))


def test_uptake_is_by_weight_and_the_dose_that_is_left_when_the_scan_begins() -> None:
    assert factor(pet()) == pytest.approx(expected(3600))


def test_values_corrected_to_the_injection_take_the_whole_dose() -> None:
    assert factor(pet(DecayCorrection="ADMIN")) == pytest.approx(70_000 / 350e6)


def test_an_injection_before_midnight_is_an_hour_ago_not_in_the_future() -> None:
    late: dict[str, Any] = {"SeriesTime": "003000", "AcquisitionTime": "003500"}
    assert factor(pet({"RadiopharmaceuticalStartTime": "233000"}, **late)) == pytest.approx(expected(3600))
    dated = {"RadiopharmaceuticalStartTime": None, "RadiopharmaceuticalStartDateTime": "20240101233000"}
    assert factor(pet(dated, **late)) == pytest.approx(expected(3600))


def test_a_date_of_injection_that_does_not_fit_the_scan_gives_way_to_the_time_of_day() -> None:
    shifted = {"RadiopharmaceuticalStartDateTime": "20240103090000"}  # as in anonymised data, whose dates were moved
    assert factor(pet(shifted)) == pytest.approx(expected(3600))


def test_a_scan_that_begins_just_before_the_injection_is_a_dynamic_one() -> None:
    assert factor(pet({"RadiopharmaceuticalStartTime": "100030"})) == pytest.approx(expected(-30))


def test_of_long_lived_nuclides_the_day_of_injection_must_be_known() -> None:
    zirconium = {"RadionuclideHalfLife": 282_240.0}
    assert uptake(header_of(pet(zirconium)), "").missing == "injection-time"
    dated = {**zirconium, "RadiopharmaceuticalStartDateTime": "20231230090000"}
    assert factor(pet(dated)) == pytest.approx(expected(3 * 86400 + 3600, half_life=282_240))


def test_a_time_with_another_zone_than_the_scan_is_not_taken_for_local() -> None:
    zoned = {"RadiopharmaceuticalStartTime": None, "RadiopharmaceuticalStartDateTime": "20240102080000+0000"}
    assert uptake(header_of(pet(zoned)), "").missing == "injection-time"
    assert factor(pet(zoned, TimezoneOffsetFromUTC="+0000")) == pytest.approx(expected(7200))


def test_a_series_made_after_the_scan_is_dated_by_what_its_pictures_say() -> None:
    later: dict[str, Any] = {"SeriesTime": "180000", "AcquisitionTime": "101000"}
    assert uptake(header_of(pet(**later)), "").missing == "scan-time"
    reference, duration = 690_000.0, 180_000.0  # ms: from the scan's beginning to the frame's mean; the frame's length
    found = factor(pet(**later, FrameReferenceTime=reference, ActualFrameDuration=duration))
    constant = math.log(2) / F18_S
    mean = math.log(constant * 180 / (1 - math.exp(-constant * 180))) / constant
    assert found == pytest.approx(expected(4200 - 690 + mean))
    scanned = pet(**later)
    block = scanned.private_block(0x0009, "GEMS_PETD_01", create=True)
    block.add_new(0x0D, "DT", "20240102095500.00")
    assert factor(scanned) == pytest.approx(expected(3300))


def test_values_that_are_uptake_already_are_taken_as_they_are() -> None:
    made = pet(Units="GML", DecayCorrection="ADMIN")
    assert (factor(made), unit_of(header_of(made), 0)) == (1, "{SUVbw}g/ml")
    made.SUVType = "LBM"
    assert uptake(header_of(made), "").missing == "suv-type"
    assert unit_of(header_of(made), 0) == "{SUVlbm}g/ml"


def test_counts_of_philips_have_a_factor_of_their_own() -> None:
    counts = pet(Units="CNTS")
    assert uptake(header_of(counts), "").missing == "philips-factor"
    block = counts.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x09, "DS", "2.5")
    assert factor(counts) == pytest.approx(2.5 * expected(3600))
    block.add_new(0x00, "DS", "0.000551")
    assert factor(counts) == pytest.approx(0.000551)


@pytest.mark.parametrize(
    ("made", "missing"),
    [
        (lambda: pet(Units="CPS"), "units"),
        (lambda: pet(Units=None), "units"),
        (lambda: pet(PatientWeight=None), "weight"),
        (lambda: pet(PatientWeight=0), "weight"),
        (lambda: pet(PatientWeight=70_000), "weight"),
        (lambda: pet({"RadionuclideTotalDose": None}), "dose"),
        (lambda: pet({"RadionuclideTotalDose": 350}), "dose"),
        (lambda: pet(RadiopharmaceuticalInformationSequence=Sequence([])), "dose"),
        (lambda: pet({"RadionuclideHalfLife": None}), "half-life"),
        (lambda: pet({"RadiopharmaceuticalStartTime": None}), "injection-time"),
        (lambda: pet({"RadiopharmaceuticalStartTime": "110000"}), "injection-time"),
        (lambda: pet(AcquisitionTime=None), "scan-time"),
        (lambda: pet(DecayCorrection="NONE"), "decay-correction"),
        (lambda: pet(CorrectedImage=["ATTN"]), "decay-correction"),
        (lambda: pet(CorrectedImage=["DECY"]), "attenuation-correction"),
    ],
)
def test_without_one_thing_that_it_needs_there_is_no_uptake_and_it_says_which(
    made: Callable[[], Dataset], missing: str
) -> None:
    found = uptake(header_of(made()), "")
    assert (found.factor, found.missing) == (None, missing)


def test_what_is_no_pet_has_no_uptake_and_lacks_nothing() -> None:
    found = uptake(header_of(item(SOPClassUID="1.2.840.10008.5.1.4.1.1.2", PatientWeight=70)), "")
    assert (found.factor, found.missing) == (None, "")


def test_enhanced_pet_is_corrected_to_the_moment_that_it_names() -> None:
    drug = item(RadiopharmaceuticalStartDateTime="20240102090000", RadionuclideTotalDose=350e6,
                RadionuclideHalfLife=F18_S)  # fmt: skip
    made = item(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.130", PatientWeight=70, DecayCorrected="YES", AttenuationCorrected="YES",
        DecayCorrectionDateTime="20240102100000", RadiopharmaceuticalInformationSequence=Sequence([drug]),
    )  # fmt: skip
    assert uptake(header_of(made), "Bq/ml").factor == pytest.approx(expected(3600))
    assert uptake(header_of(made), "{SUVbw}g/ml").factor == 1
    assert uptake(header_of(made), "").missing == "units"


@pytest.mark.filterwarnings("ignore::UserWarning")  # its code values are longer than SH allows
def test_a_real_pet_of_uptake_and_the_same_as_activity_agree_with_an_independent_computation(shared_data: Path) -> None:
    path = min((shared_data / "rt/ibsi-sts").rglob("PET/image/*.dcm"))
    whole = path.read_bytes()
    head = parse_preamble(whole)
    real = parse(whole[head.dataset_offset :], head.transfer_syntax_uid)
    assert (uptake(real, "").factor, unit_of(real, 0)) == (1, "{SUVbw}g/ml")  # GE writes GML by body weight
    data = pydicom.dcmread(path, stop_before_pixels=True)
    data.remove_private_tags()
    data.Units, data.DecayCorrection = "BQML", "START"
    drug = data.RadiopharmaceuticalInformationSequence[0]
    scan = datetime.strptime(data.SeriesTime, "%H%M%S")  # noqa: DTZ007 - DICOM's local time
    injected = datetime.strptime(drug.RadiopharmaceuticalStartTime, "%H%M%S")  # noqa: DTZ007
    left = float(drug.RadionuclideTotalDose) * 0.5 ** ((scan - injected) / timedelta(seconds=6588))
    out = io.BytesIO()
    pydicom.filewriter.write_dataset(writer(out), data)
    found = uptake(parse(out.getvalue(), pydicom.uid.ExplicitVRLittleEndian), "").factor
    assert found == pytest.approx(99.0 * 1000 / left)


CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize(
    ("attributes", "unit"),
    [
        ({"SOPClassUID": CT, "RescaleSlope": 1, "RescaleIntercept": -1024}, "[hnsf'U]"),
        ({"SOPClassUID": CT, "RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"}, "[hnsf'U]"),
        ({"SOPClassUID": CT, "RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "US"}, ""),
        ({"SOPClassUID": CT, "RescaleSlope": 1, "RescaleType": "MGML"}, "mg/ml"),
        ({"SOPClassUID": CT}, ""),
        ({"SOPClassUID": CT, "RescaleSlope": 1, "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, ""),
        (
            {
                "SOPClassUID": CT,
                "RescaleSlope": 1,
                "RescaleType": "HU",
                "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
            },
            "",
        ),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "RescaleSlope": 1}, ""),
        ({"SOPClassUID": PET, "Units": "BQML"}, "Bq/ml"),
    ],
)
def test_values_have_the_unit_that_the_object_gives_them_and_none_by_guess(
    attributes: dict[str, Any], unit: str
) -> None:
    assert unit_of(header_of(item(**attributes)), 0) == unit


def mapping(first: int, last: int, unit: str = "mm2/s", **how: Any) -> Dataset:
    code = item(CodeValue=unit, CodingSchemeDesignator="UCUM", CodeMeaning="a unit")
    made = item(LUTLabel="ADC", MeasurementUnitsCodeSequence=Sequence([code]), **how)
    made.add_new(0x00409216, "US", first)
    made.add_new(0x00409211, "US", last)
    return made


def test_real_world_values_are_told_with_their_unit_and_a_frame_s_own_before_all_others() -> None:
    line: dict[str, Any] = {"RealWorldValueSlope": 1e-6, "RealWorldValueIntercept": 0.0}
    own = item(RealWorldValueMappingSequence=Sequence([mapping(0, 4095, **line)]))
    shared = item(RealWorldValueMappingSequence=Sequence([mapping(0, 9, "s", **line)]))
    header = header_of(
        item(
            SharedFunctionalGroupsSequence=Sequence([shared]),
            PerFrameFunctionalGroupsSequence=Sequence([own, item()]),
        )
    )
    (found,) = real_world(header, 0)
    assert (found.unit, found.label, found.slope, found.first, found.last) == ("mm2/s", "ADC", 1e-6, 0, 4095)
    assert real_world(header, 1)[0].unit == "s"


def test_a_small_table_of_real_world_values_is_told_and_one_that_is_wrong_is_not() -> None:
    table = item(RealWorldValueMappingSequence=Sequence([mapping(10, 12, RealWorldValueLUTData=[0.5, 1.5, 4.0])]))
    assert real_world(header_of(table), 0)[0].table == (0.5, 1.5, 4.0)
    for wrong in (mapping(10, 13, RealWorldValueLUTData=[0.5, 1.5]), mapping(9, 1), mapping(0, 1)):
        assert real_world(header_of(item(RealWorldValueMappingSequence=Sequence([wrong]))), 0) == []


def region(**changes: Any) -> Dataset:
    return item(**{
        "RegionSpatialFormat": 1, "RegionDataType": 1, "RegionFlags": 0, "RegionLocationMinX0": 10,
        "RegionLocationMinY0": 20, "RegionLocationMaxX1": 110, "RegionLocationMaxY1": 220, "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3, "PhysicalDeltaX": 0.05, "PhysicalDeltaY": 0.06, **changes,
    })  # fmt: skip


def test_each_calibrated_region_of_an_ultrasound_picture_says_what_a_pixel_s_step_is() -> None:
    doppler = region(PhysicalUnitsXDirection=4, PhysicalUnitsYDirection=7, PhysicalDeltaY=-1.5, RegionSpatialFormat=3,
                     ReferencePixelX0=0, ReferencePixelY0=50, ReferencePixelPhysicalValueX=0.0,
                     ReferencePixelPhysicalValueY=0.0)  # fmt: skip
    broken = [region(PhysicalDeltaX=0), region(RegionLocationMaxX1=5), item()]
    found = regions(header_of(item(SequenceOfUltrasoundRegions=Sequence([region(), *broken, doppler]))))
    assert [one.units for one in found] == [("cm", "cm"), ("s", "cm/s")]
    assert (found[0].box, found[0].delta, found[0].reference) == ((10, 20, 110, 220), (0.05, 0.06), None)
    assert (found[1].format, found[1].reference, found[1].at_reference) == (3, (0, 50), (0, 0))
    many = Sequence([region() for _ in range(500)])
    assert len(regions(header_of(item(SequenceOfUltrasoundRegions=many)))) == 16
