"""Whole slides: which frame is which tile, whichever way the slide was written."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from radrelay.dicom.header import parse
from radrelay.dicom.slides import Level, read_level
from tests.collection import COLLECTION
from tests.dicom.objects import opened, wheel_file
from tests.dicom.test_report_text import header_of


def level_of(frames: int, **more: object) -> Level | None:
    dataset = Dataset()
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.TotalPixelMatrixColumns, dataset.TotalPixelMatrixRows = 500, 300
    dataset.Columns, dataset.Rows = 256, 256
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    return read_level(header_of(dataset), frames)


def place(column: int, row: int) -> Dataset:
    group, position = Dataset(), Dataset()
    position.ColumnPositionInTotalImagePixelMatrix, position.RowPositionInTotalImagePixelMatrix = column, row
    group.PlanePositionSlideSequence = [position]
    return group


def test_a_full_level_needs_no_list_of_its_tiles() -> None:
    level = level_of(4, DimensionOrganizationType="TILED_FULL", ImagedVolumeWidth=5.0, ImagedVolumeHeight=3.0)
    assert level is not None
    assert (level.tiles, level.tile_columns, level.pixel_mm, level.labelled) == (None, 256, [0.01, 0.01], False)


def test_a_sparse_level_says_where_its_tiles_are_and_a_second_plane_is_left_out() -> None:
    groups = [place(257, 1), place(1, 257), place(257, 1), place(0, -5)]
    level = level_of(4, DimensionOrganizationType="TILED_SPARSE", PerFrameFunctionalGroupsSequence=groups)
    assert level is not None
    assert level.tiles == [1, 1, 0, 2, 0, 1]


def test_fewer_frames_than_tiles_are_taken_by_their_places() -> None:
    level = level_of(1, PerFrameFunctionalGroupsSequence=[place(1, 1)])
    assert level is not None
    assert level.tiles == [1, 0, 0]


def test_a_label_is_told_however_it_is_named() -> None:
    for more in ({"ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]}, {"SpecimenLabelInImage": "YES"}):
        level = level_of(4, **more)
        assert level is not None
        assert level.labelled


def test_an_image_is_no_level() -> None:
    assert read_level(parse(*wheel_file("CT_small.dcm")), 1) is None


@pytest.mark.shared
def test_a_real_slide_has_its_tiles_and_its_scale() -> None:
    header = parse(*opened(COLLECTION / "seg-sr-wsi" / "highdicom" / "sm_image.dcm"))
    level = read_level(header, 25)
    assert level is not None
    assert (level.columns, level.rows, level.tile_columns, level.tiles) == (50, 50, 10, None)
    assert level.pixel_mm == [0.000499, 0.000499]
