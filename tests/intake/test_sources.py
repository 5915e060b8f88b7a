"""Sources: defaults, checks, and which one a caller comes in by."""

from __future__ import annotations

import pytest

from radrelay.archive.models import Source
from radrelay.intake.callers import allows, check_callers
from radrelay.intake.errors import SourceInUse, SourceInvalid, SourceUnknown
from radrelay.intake.sources import (
    SourceSpec,
    add_source,
    change_source,
    ensure_defaults,
    get_source,
    list_sources,
    remove_source,
)
from radrelay.storage.database import DatabaseUnavailable
from radrelay.storage.ids import new_id
from tests.intake.conftest import Site
from tests.intake.samples import ct_file


def test_a_new_installation_has_a_source_for_each_door_with_its_retention(site: Site) -> None:
    with site.database.read() as session:
        found = {source.kind: source.retention_s for source in list_sources(session, site.organisation_id)}
    brought = dict.fromkeys(("upload", "import", "portal"), 168 * 3600)
    assert found == {"dicom": 48 * 3600, "stow": 48 * 3600, **brought}


def test_defaults_are_made_once(site: Site) -> None:
    with site.database.write() as session:
        ensure_defaults(session, site.organisation_id, site.settings, site.clock.now())
    assert site.rows(Source) == 5


@pytest.mark.parametrize(
    "wrong",
    [
        SourceSpec("", "dicom"),
        SourceSpec("x" * 101, "dicom"),
        SourceSpec("DICOM", "dicom"),
        SourceSpec("x", "fax"),
        SourceSpec("x", "dicom", ae_title="SEVENTEEN_LETTERS"),
        SourceSpec("x", "dicom", ae_title="A\\B"),
        SourceSpec("x", "dicom", retention_s=1),
        SourceSpec("x", "dicom", retention_s=7200, max_age_s=3600),
        SourceSpec("x", "dicom", duplicate_policy="overwrite"),
        SourceSpec("x", "dicom", quiet_s=0),
        SourceSpec("x", "dicom", quota_bytes=-1),
        SourceSpec("x", "dicom", callers="CT@nowhere"),
        SourceSpec("x", "folder", folder="relative"),
    ],
)
def test_a_wrong_source_is_refused_with_the_reason(site: Site, wrong: SourceSpec) -> None:
    with pytest.raises(SourceInvalid) as refused, site.database.write() as session:
        add_source(session, site.organisation_id, wrong, site.clock.now())
    assert len(refused.value.message) > 10


def test_the_called_ae_title_chooses_the_source(site: Site) -> None:
    with site.database.write() as session:
        ward = add_source(
            session, site.organisation_id, SourceSpec("Ward", "dicom", ae_title="WARD", callers="CT1,MR1@10.0.0.0/8"),
            site.clock.now(),
        )  # fmt: skip
    site.book.refresh()
    assert site.book.resolve("dicom", "WARD").id == ward.id
    assert site.book.resolve("dicom", "RADRELAY").name == "DICOM"
    assert site.book.resolve("dicom", "ANYTHING").name == "DICOM"
    assert site.book.admits(ward, "CT1", "192.168.1.1")
    assert site.book.admits(ward, "MR1", "10.9.8.7")
    assert not site.book.admits(ward, "MR1", "192.168.1.1")
    assert not site.book.admits(ward, "US1", "10.9.8.7")


def test_an_unknown_called_ae_title_leads_nowhere_when_only_known_ones_are_answered(site: Site) -> None:
    site.settings.dicom.__dict__["accept_any_called"] = False
    site.book.refresh()
    assert site.book.resolve("dicom", "RADRELAY").name == "DICOM"
    with pytest.raises(SourceUnknown):
        site.book.resolve("dicom", "OTHER")


def test_a_source_that_is_switched_off_takes_nothing(site: Site) -> None:
    stow = site.book.resolve("stow")
    with site.database.write() as session:
        change_source(session, site.organisation_id, stow.id, {"enabled": False})
    site.book.refresh()
    with pytest.raises(SourceUnknown):
        site.book.resolve("stow")


def test_sources_stay_known_while_the_database_is_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.book.refresh()

    def away() -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(site.database, "read", away)
    site.book._read_at = -100.0
    assert site.book.resolve("dicom").name == "DICOM"


def test_a_source_in_use_is_not_removed(site: Site) -> None:
    site.take(("a.dcm", ct_file()))
    used, unused = site.book.resolve("upload"), site.book.resolve("stow")
    with pytest.raises(SourceInUse), site.database.write() as session:
        remove_source(session, site.organisation_id, used.id)
    with site.database.write() as session:
        remove_source(session, site.organisation_id, unused.id)
    with pytest.raises(SourceUnknown), site.database.read() as session:
        get_source(session, site.organisation_id, unused.id)
    with pytest.raises(SourceUnknown), site.database.read() as session:
        get_source(session, new_id(), used.id)


def test_lists_of_callers_are_kept_in_one_form() -> None:
    assert check_callers(" CT1 , *@10.0.0.0/8,,MR1@::1") == "CT1,*@10.0.0.0/8,MR1@::1"
    assert check_callers("") == "*"
    assert allows("*", "ANY", "not an address")
    assert allows("MR1@10.0.0.1", "MR1", "::ffff:10.0.0.1")
    assert not allows("MR1@10.0.0.1", "MR1", "tunnel")
