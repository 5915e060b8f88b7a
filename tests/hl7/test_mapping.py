"""A site's mapping: where attributes come from, on which conditions, and slips that are told of."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from radrelay.hl7 import Mapping, load_mapping, parse, read_mapping, shipped, try_text
from radrelay.hl7.content import read
from radrelay.hl7.errors import MappingInvalid
from tests.hl7.samples import adt, order

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def mapping(text: str) -> Mapping:
    return read_mapping(text, shipped())


def test_site_says_where_attributes_come_from_and_the_rest_stays() -> None:
    site = mapping(
        """
        [patient]
        identifier = { from = "PID-3", where = { 5 = "KV" } }
        [order]
        accession_number = [{ from = "OBR-3", when = { "MSH-3" = "KI*" } }, "IPC-1"]
        modality = { from = "IPC-5", table = { CT = "MR", "*" = "OT" } }
        station_name = { value = "Knie", unless = { "ORC-1" = ["CA", "DC"] } }
        location = { value = "nie", when = { "ORC-1" = "CA" } }
        [issuers]
        HOSPITAL = "KLINIK"
        "" = "UNBEKANNT"
        """
    )
    raw = order().replace(b"PID|||4711^^^HOSPITAL|", b"PID|||4711^^^HOSPITAL^PI~K1^^^^KV|")
    content = read(parse(raw), site)
    assert content.patient is not None
    assert content.patient.key == ("UNBEKANNT", "K1")
    one = content.orders[0]
    assert (one.accession_number, one.modality, one.station_name, one.location) == ("FI1", "MR", "Knie", "")
    assert one.requested_procedure_id == "RP1"
    places = {one.attribute: one.place for one in content.found}
    assert (places["order.accession_number"], places["order.station_name"]) == ("OBR-3", "")


def test_messages_may_be_ignored_and_others_taken_without_effect() -> None:
    site = mapping('[messages]\nothers = "ignore"\n[[ignore]]\nwhen = { "MSH-11" = "T" }\n')
    assert read(parse(adt().replace(b"|P|2.5", b"|T|2.5")), site).change is None
    assert read(parse(adt()), site).change == "patient"
    assert read(parse(adt().replace(b"ADT^A01", b"SIU^S12")), site).change is None


def test_times_without_zone_are_the_sites() -> None:
    site = mapping('[messages]\nzone = "Europe/Berlin"\n')
    raw = adt().replace(b"|||||||||", b"|") + b"PV1|1|I|CHI" + b"|" * 41 + b"20260701120000"
    content = read(parse(raw.replace(b"PV1|1|I|CHI^302^2^IN\r", b"")), site)
    assert content.adt is not None
    assert content.adt.visit.admitted_at == datetime(2026, 7, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[patient", "TOML"), ("[patients]\nname = 'PID-5'", "patients"), ("[patient]\nnom = 'PID-5'", "nom"),
        ("[patient]\nname = 'PID5'", "PID5"), ("[patient]\nname = 'PID-0'", "PID-0"), ("[patient]\nname = 5", "place"),
        ("[patient]\nname = {}", "from"), ("[patient]\nname = {from = 'PID-5', value = 'x'}", "either"),
        ("[patient]\nname = {from = 'PID-5', wen = {}}", "wen"), ("[messages]\nothers = 'drop'", "others"),
        ("[messages]\nzone = 'Mars/Olympus'", "zone"), ("[messages]\nzone = '../../etc/passwd'", "zone"),
        ("[issuers]\nA = 1", "issuers"), ("[[ignore]]\n", "ignore"), ("ignore = 3", "ignore"),
        ("[patient]\nname = {from = 'PID-5', where = {x = 'y'}}", "component"), ("patient = 3", "table"),
        ("[patient]\nsex = {from = 'PID-8', table = {a = 1}}", "table"),
        ("[patient]\nsex = {from = 'PID-8', when = {'MSH-3' = []}}", "text"),
    ],
)  # fmt: skip
def test_slips_are_told_of(text: str, word: str) -> None:
    with pytest.raises(MappingInvalid, match=word):
        mapping(text)


def test_file_that_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    assert load_mapping(None) is shipped()
    with pytest.raises(MappingInvalid, match="cannot be read"):
        load_mapping(tmp_path / "none.toml")
    (tmp_path / "site.toml").write_bytes(b"[patient]\n# \xfc")
    with pytest.raises(MappingInvalid, match="UTF-8"):
        load_mapping(tmp_path / "site.toml")


def test_pasted_message_tells_what_would_come_of_it() -> None:
    pasted = adt(charset="8859/1").decode("latin-1").replace("\r", "\n") + "\nMSH|^~\\&|X\nPID|1"
    good, bad = try_text(pasted, shipped(), AT)
    assert good.content is not None
    assert good.content.patient is not None
    assert good.content.patient.name == "Müller^Anna"
    assert [one.split("\r")[1] for one in good.answers] == ["MSA|AA|1"]
    assert bad.trouble is not None
    assert (bad.trouble.code, bad.at, bad.content) == ("hl7-field-missing", "MSH-9", None)
    (nothing,) = try_text("hallo", shipped(), AT)
    assert nothing.trouble is not None
    assert nothing.trouble.code == "hl7-no-header"
