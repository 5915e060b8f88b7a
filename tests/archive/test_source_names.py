"""What a source is called in a language: the name that is given by itself, and every other one as it is."""

import pytest

from radrelay.archive.source_names import source_name


@pytest.mark.parametrize(
    ("name", "german"),
    [("Portals", "Portale"), ("Portals 2", "Portale 2"), ("Portals of Ulm", "Portals of Ulm"), ("Upload", "Upload")],
)
def test_the_name_that_is_given_by_itself_is_read_in_the_reader_s_language(name: str, german: str) -> None:
    assert (source_name(name, "en"), source_name(name, "de")) == (name, german)
