"""The vault: one alias for a patient, nothing readable without its key, and what is forgotten stays so."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

import radrelay.app.rows  # noqa: F401 -- names every room with tables
from radrelay.clock import FixedClock
from radrelay.dicom.deidentify import Alias, Deidentified, Option, Subject, Vault, turn_back
from radrelay.dicom.reidentify import Modification
from radrelay.dicom.syntaxes import EXPLICIT_LE
from radrelay.errors import Invalid
from radrelay.pseudonyms import (
    AliasesNotAscii,
    ProjectSpec,
    Run,
    Settings,
    StoredVault,
    VaultDamaged,
    VaultSeal,
    add_project,
    change_project,
    engine_project,
    forget_unused,
)
from radrelay.pseudonyms.vault import NAME, PATIENT_ID
from radrelay.storage.columns import Base
from radrelay.storage.database import Database
from radrelay.storage.models import RememberedAct
from tests.backends import settings_for
from tests.dicom.deidentify.made import a_study, encoded, read
from tests.dicom.objects import through_pydicom
from tests.schema import lay

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSPITAL, OTHER = uuid.UUID(int=7), uuid.UUID(int=8)
ANNA = Subject("KLINIKUM", "PK-774411")
WHO = {NAME: "Quastenflosser^Zyprian", PATIENT_ID: "PK-774411"}
STUDY = ("1.3.6.1.4.1.99.1", "2.25.1234567890")
LUNG = ProjectSpec("LUNG", "{project}-{number:03}", Settings((Option.MODIFIED_DATES,)), keep_days=30)


@dataclass
class House:
    """A database with a project in it."""

    database: Database
    clock: FixedClock
    seal: VaultSeal
    project_id: uuid.UUID

    def vault(self, organisation_id: uuid.UUID = HOSPITAL, key: bytes | None = None) -> StoredVault:
        seal = self.seal if key is None else VaultSeal(key)
        return StoredVault(self.database, self.clock, seal, organisation_id)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    settings = settings_for(tmp_path)
    database = Database.open(settings.database, tmp_path, bytes(32))
    lay(database)
    seal = VaultSeal(bytes(range(32)))
    with database.write() as session:
        project = add_project(session, seal, HOSPITAL, LUNG, NOW)
    yield House(database, FixedClock(NOW), seal, project.id)
    database.close()


def test_two_at_once_give_one_alias(house: House) -> None:
    vault = house.vault()
    people = [Subject("KLINIKUM", str(number % 3)) for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        aliases = list(pool.map(lambda one: (one, vault.alias_of("LUNG", one, WHO).patient_id), people))
    assert len(set(aliases)) == 3
    assert {alias for _, alias in aliases} == {"LUNG-001", "LUNG-002", "LUNG-003"}


def test_the_vault_is_what_the_engine_asks_for(house: House) -> None:
    vault: Vault = house.vault()
    alias = vault.alias_of("LUNG", ANNA)
    vault.remember("LUNG", alias, {"1.2.3": "2.25.9"})
    found = vault.original_of("LUNG", alias.patient_id)
    assert found is not None
    assert (found.values[PATIENT_ID], found.uids["2.25.9"]) == ("PK-774411", "1.2.3")
    assert found.days is not None
    assert vault.original_of("LUNG", "LUNG-999") is None


def test_nothing_in_its_rows_is_readable_or_leads_to_a_patient(house: House) -> None:
    vault = house.vault()
    alias = vault.alias_of("LUNG", ANNA, WHO)
    row = vault.hand_out("LUNG", alias, STUDY, {0x00081030: "Thorax Quastenflosser"})
    vault.keep_uids(row, {"1.3.6.1.4.1.99.1.2": "2.25.77"})
    with house.database.read() as session:
        for name, table in Base.metadata.tables.items():
            if name.startswith("pseudonym_"):
                for found in session.execute(sa.select(table)):
                    told = b" ".join(one if isinstance(one, bytes) else str(one).encode() for one in found)
                    assert not [one for one in (b"PK-77", b"Quasten", b"1.3.6.1.4.1.99", b"2.25.") if one in told], name
        alias_id = vault.search(session, None, "", "", 10)[0].id
        assert vault.identity_of(session, alias_id).study_uids == (STUDY[0],)
        with pytest.raises(VaultDamaged):
            house.vault(key=bytes(32)).identity_of(session, alias_id)
    assert house.vault(key=bytes(32)).original_of_study(STUDY[1], alias.patient_id) is None


def test_results_are_known_by_study_and_alias_together(house: House) -> None:
    vault = house.vault()
    alias = vault.alias_of("LUNG", ANNA, WHO)
    vault.hand_out("LUNG", alias, STUDY, {})
    inward = ("1.3.6.1.4.1.99.5", "2.25.5")
    vault.hand_out("LUNG", alias, inward, {}, inward=True)
    asked = {(STUDY[1], "LUNG-001"), (STUDY[1], "LUNG-002"), (STUDY[0], "LUNG-001"), (inward[1], "LUNG-001")}
    with house.database.read() as session:
        assert vault.returned(session, asked) == {(STUDY[1], "LUNG-001")}
        assert house.vault(OTHER).returned(session, asked) == set()
    found = vault.original_of_study(STUDY[1], "LUNG-001")
    assert found is not None
    assert (found.values[NAME], found.uids[STUDY[1]]) == (WHO[NAME], STUDY[0])


def test_an_alias_is_forgotten_when_its_time_is_over_and_in_old_backups_too(house: House) -> None:
    vault = house.vault()
    vault.hand_out("LUNG", vault.alias_of("LUNG", ANNA, WHO), STUDY, {})
    house.clock.advance(timedelta(days=20))
    assert vault.alias_of("LUNG", ANNA, WHO) == Alias("LUNG-001")
    house.clock.advance(timedelta(days=30))
    with house.database.write() as session:
        assert forget_unused(session, house.clock.now().date()) == 0
    house.clock.advance(timedelta(days=1))
    with house.database.write() as session:
        assert forget_unused(session, house.clock.now().date()) == 1
        assert set(session.scalars(sa.select(RememberedAct.act))) == {"gone"}
    assert vault.original_of_study(STUDY[1], "LUNG-001") is None
    assert vault.alias_of("LUNG", ANNA, WHO) == Alias("LUNG-002")


def test_what_ties_copies_to_the_vault_stays(house: House) -> None:
    house.vault().alias_of("LUNG", ANNA, WHO)
    kept = ProjectSpec("LUNG", LUNG.pattern, Settings((Option.MODIFIED_DATES, Option.DEVICE)), keep_days=90)
    with house.database.write() as session:
        changed = change_project(session, house.seal, HOSPITAL, house.project_id, kept)
        assert (changed.keep_days, changed.settings.options) == (90, (Option.MODIFIED_DATES, Option.DEVICE))
        for pattern, settings in (("X{number}", LUNG.settings), (LUNG.pattern, Settings((Option.UIDS,)))):
            with pytest.raises(Invalid):
                change_project(session, house.seal, HOSPITAL, house.project_id, ProjectSpec("LUNG", pattern, settings))


CHANGE = Modification(NOW, "RADRELAY", "", "COERCE")
NAMES = [
    ("ISO_IR 192", "Schön^Käthe"),
    ("ISO_IR 192", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ("ISO_IR 100", "Müller^Jörg"),
    ("ISO_IR 101", "Wałęsa^Zofia"),
    ("ISO_IR 144", "Люкceмбypг"),
    ("ISO_IR 126", "Διονυσιος"),
    ("ISO_IR 13", "ﾔﾏﾀﾞ"),
    ("GB18030", "Wang^XiaoDong=王^小东"),
    ("GB18030", "丂^乗"),  # whose second bytes are a backslash and a letter
    (["", "ISO 2022 IR 87"], "Suzuki^Tarou=鈴木^太郎=すずき^たろう"),
    (["", "ISO 2022 IR 87"], "Mabuchi^Makoto=馬渕^真"),  # two bytes that are question marks each
    (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ｽｽﾞｷ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
]


def handed_out(house: House, source: bytes, subject: Subject | None = None) -> Deidentified:
    with house.database.read() as session:
        project = engine_project(session, house.seal, HOSPITAL, house.project_id)
    run = Run(project, house.vault(), person=subject)
    made = run.made(source, EXPLICIT_LE)
    assert isinstance(made, Deidentified), made
    run.remember()
    return made


def told_by(house: House, made: Deidentified) -> tuple[str, str]:
    """Return name and ID that *Who is it?* tells."""
    with house.database.read() as session:
        (listed,) = house.vault().search(session, None, made.alias.patient_id, "", 10)
        who = house.vault().identity_of(session, listed.id)
    return who.patient_name, who.patient_id


def test_a_name_in_any_character_set_comes_back_as_the_same_name(house: House) -> None:
    for number, (terms, name) in enumerate(NAMES):
        letters = name.split("^")[0].split("=")[0][:8]
        source = a_study(
            SpecificCharacterSet=terms, PatientName=name, PatientID=letters, IssuerOfPatientID=letters,
            ReferringPhysicianName=name, StudyDescription=letters, StudyInstanceUID=f"1.3.6.1.4.1.99.{number + 100}",
        )  # fmt: skip
        made = handed_out(house, encoded(source))
        assert told_by(house, made) == (name, letters)
        with house.database.read() as session:
            found = house.vault().aliases_of(session, letters, letters)
        assert [one.alias for one in found] == [made.alias.patient_id], name
        for said in (terms, "ISO_IR 192", None):
            result = read(made)
            result.SpecificCharacterSet = said
            if said is None:
                del result.SpecificCharacterSet
            original = house.vault().original_of_study(str(result.StudyInstanceUID), made.alias.patient_id)
            assert original is not None
            back = through_pydicom(*turn_back(encoded(result), EXPLICIT_LE, original, CHANGE))
            wanted = (source.PatientName, source.PatientID, source.ReferringPhysicianName, source.StudyDescription)
            got = (back.PatientName, back.PatientID, back.ReferringPhysicianName, back.StudyDescription)
            assert [str(one) for one in got] == [str(one) for one in wanted], (said, terms)


def test_a_name_whose_character_set_nobody_said_is_what_the_study_list_shows(house: House) -> None:
    for number, codec in enumerate(("utf-8", "latin-1")):
        name = "Schön^Jörg".encode(codec)
        source = encoded(a_study(PatientName="x" * len(name), PatientID=f"T-{number}"))
        made = handed_out(house, source.replace(b"x" * len(name), name))
        assert told_by(house, made) == ("Schön^Jörg", f"T-{number}")


def test_a_result_whose_character_set_lacks_the_names_letters_becomes_utf8_in_all_its_texts(house: House) -> None:
    source = a_study(SpecificCharacterSet="ISO_IR 192", PatientName="Łoś^Who?")
    made = handed_out(house, encoded(source))
    result = read(made)
    result.SpecificCharacterSet = "ISO_IR 100"
    result.SeriesDescription = "Größe"
    original = house.vault().original_of_study(str(result.StudyInstanceUID), made.alias.patient_id)
    assert original is not None
    back = through_pydicom(*turn_back(encoded(result), EXPLICIT_LE, original, CHANGE))
    said = (back.SpecificCharacterSet, back.PatientName, back.SeriesDescription)
    assert [str(one) for one in said] == ["ISO_IR 192", "Łoś^Who?", "Größe"]


def test_results_come_back_whatever_letters_the_projects_name_has(house: House) -> None:
    specs = (("Studie Größe é", "{project}-{number:03}", "Studie Groesse e-001"), ("山田", "K-{number:03}", "K-001"))
    for name, pattern, alias in specs:
        with house.database.write() as session:
            house.project_id = add_project(session, house.seal, HOSPITAL, ProjectSpec(name, pattern), NOW).id
        for terms in ("ISO_IR 6", "ISO_IR 144", ["", "ISO 2022 IR 87"]):
            made = handed_out(house, encoded(a_study(SpecificCharacterSet=terms)))
            result = read(made)
            assert (made.alias.patient_id, result.PatientID) == (alias, alias)
            asked = {(str(result.StudyInstanceUID), str(result.PatientID))}
            with house.database.read() as session:
                assert house.vault().returned(session, asked) == asked
            original = house.vault().original_of_study(*asked.pop())
            assert original is not None
            back = through_pydicom(*turn_back(encoded(result), EXPLICIT_LE, original, CHANGE))
            assert (back.PatientID, back.PatientName) == ("PK-774411", "Quastenflosser^Zyprian")


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("山田", LUNG.pattern), ("LUNG", "ä{number}"), ("LUNG", "{number} "), ("LUNG", "\x7f{number}")],
)
def test_a_pattern_whose_aliases_not_every_image_can_hold_is_refused(house: House, name: str, pattern: str) -> None:
    with house.database.write() as session, pytest.raises(AliasesNotAscii) as refused:
        change_project(session, house.seal, HOSPITAL, house.project_id, ProjectSpec(name, pattern))
    assert (refused.value.code, refused.value.facts["field"]) == ("aliases-not-ascii", "pattern")
