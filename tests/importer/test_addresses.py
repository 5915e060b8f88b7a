"""What people type and scan, and the addresses of others' shares."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.connectors.addresses import shared_by
from radrelay.importer.connectors.dlx import DlxConnector
from radrelay.importer.connectors.entered import link_in
from radrelay.importer.connectors.health_links import day_in, health_link, is_health_link
from radrelay.importer.connectors.recognising import connectors_of, leads_in
from radrelay.importer.errors import AddressRefused, LinkExpiredThere, NotEncrypted, PortalTrouble, PortalUnclear
from radrelay.importer.recipes.tested import TestedFolder
from tests.importer.portal import outgoing

KHEOPS = "B18jTXCzTrQzj1ZednqHUY"
UID = "1.2.276.0.23.60.1.2.148.1713520221786"
KEY = "rxTgYlOaKJPFtcEd0qcceN8wEU4p94SqAwIWQe6uX7Q"


def jwt(told: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip('=')}.sig"


def shlink(**told: object) -> str:
    return "shlink:/" + base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("HTTPS://PORTAL.EXAMPLE/TOKEN/ABC-S1Z", "https://portal.example/TOKEN/ABC-S1Z"),
        ("  https://portal.example/?token=A–B \n", "https://portal.example/?token=A-B"),
        ("\ufeffhttps://portal.\u200bexample/a", "https://portal.example/a"),
        ("Ihre Bilder: https://portal.example/x/A1, gültig bis 1.2.", "https://portal.example/x/A1"),
        ("(see https://portal.example/x?token=A1)", "https://portal.example/x?token=A1"),
        ("<https://portal.example/x>", "https://portal.example/x"),
        ("URL:https://portal.example/x", "https://portal.example/x"),
        ("URLTO:https://portal.example/x", "https://portal.example/x"),
        ("MEBKM:TITLE:Bilder;URL:https\\://Portal.example/x?a=1\\;b;;", "https://portal.example/x?a=1;b"),
        ("https://portal.example/x\nCode: 123", "https://portal.example/x"),
        ("portal.example/x?token=A1", "https://portal.example/x?token=A1"),
        ("Portal.Example:8443/X", "https://portal.example:8443/X"),
        ("https://Portal.example?Token=A1", "https://portal.example?Token=A1"),
        ("SHLINK:/eyJh", "shlink:/eyJh"),
        ("https://Viewer.example#shlink:/eyJh", "https://viewer.example#shlink:/eyJh"),
        ("Code 12345 auf www.Portal.example.", "https://www.portal.example"), ("x@www.portal.example", ""),
        ("www.klinik.example, Ihr Link: portal.example/x?token=A1", "https://portal.example/x?token=A1"),
        ("", ""), ("Max Mustermann", ""), ("max@mail.example/x", ""), ("19.04.1970", ""), ("javascript:alert(1)", ""),
    ],
)  # fmt: skip
def test_the_link_in_what_was_entered(text: str, link: str) -> None:
    assert link_in(text) == link


LETTER = "Klinik Beispiel, https://www.klinik.example/standort\nFragen? datenschutz.klinik.example/x\n"
WHOLE = shlink(url="https://a.example/1", key=KEY)


@pytest.mark.parametrize(
    ("text", "link"),
    [
        (LETTER + "Ihr Link: https://portal.example/?token=ABC-S1Z-98A", "https://portal.example/?token=ABC-S1Z-98A"),
        (LETTER + "Ihr Link: portal.example/?token=ABC-S1Z-98A", "https://portal.example/?token=ABC-S1Z-98A"),
        (LETTER + "https://portal.example/abholen/AB12X9", "https://portal.example/abholen/AB12X9"),
        (LETTER + f"https://demo.example/view/{KHEOPS}", f"https://demo.example/view/{KHEOPS}"),
        (LETTER + f"https://pacs.example/rs/studies/{UID}", f"https://pacs.example/rs/studies/{UID}"),
        (LETTER + "https://portal.example/x?c=7", "https://portal.example/x?c=7"),
        (LETTER + WHOLE, WHOLE),
        ("https://www.klinik.example https://portal.example/x", "https://portal.example/x"),
        (LETTER + "https://www.klinik.example/rechnung", "https://www.klinik.example/standort"),
    ],
)
def test_of_several_addresses_it_is_the_one_to_fetch_with(text: str, link: str) -> None:
    assert link_in(text) == link


OWN = "https://bilder.klinik.example/abholen/Musterfrau"
STARTS = "https://start.example/"


@pytest.mark.parametrize(
    ("text", "link"),
    [
        (f"{LETTER}www.klinik.example/kontakt/2024-11\nIhre Bilder: {OWN}", OWN),
        (f"Portal: https://bilder.klinik.example {OWN}", OWN),
        (f"{LETTER}{OWN} {WHOLE}", OWN),
        (f"{LETTER}Code AB12 auf {STARTS}", STARTS),
        (f"{STARTS} https://portal.example/abholen/AB12X9", "https://portal.example/abholen/AB12X9"),
        (LETTER, "https://www.klinik.example/standort"),
        ("Max Mustermann", ""),
    ],
)
def test_of_several_addresses_it_is_rather_one_that_a_recipe_knows(text: str, link: str, tmp_path: Path) -> None:
    for name, host, path in (("own", "*.klinik.example", "/abholen/{code}"), ("starts", "start.example", "/")):
        told = f'recipe = 1\nname = "x"\nhosts = ["{host}"]\n[[link]]\naddress = "{path}"\n'
        (tmp_path / f"{name}.toml").write_text(f'{told}[[step]]\nname = "bring"\ndownload = "/zip"\n')
    (tmp_path / "broken.toml").write_text("recipe = 2")
    folder = TestedFolder(tmp_path)
    assert folder.link_in(text) == link
    assert folder.link_in(link) == link


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("https://portal.example/f?token=ABC-\nS1Z-98A\nDanke", "https://portal.example/f?token=ABC-S1Z-98A"),
        ("> https://portal.example/f?token=ABC \r\n> -S1Z-\r\n> 98A", "https://portal.example/f?token=ABC-S1Z-98A"),
        ("https://portal.example/f?token=\nABC-S1Z-98A.", "https://portal.example/f?token=ABC-S1Z-98A"),
        ("https://portal.example/f?token=ABC\u00ad\nS1Z-98A", "https://portal.example/f?token=ABCS1Z-98A"),
        (f"Link: {WHOLE[:40]}\n{WHOLE[40:70]}\n{WHOLE[70:]}\nDanke", WHOLE),
        (f"https://viewer.example/#{WHOLE[:60]}\n  {WHOLE[60:]}", f"https://viewer.example/#{WHOLE}"),
        (f"{WHOLE[:40]}\nCode: 12", WHOLE[:40]),
        (f"{WHOLE}\n12345", WHOLE),
        ("https://portal.example/f?token=ABC-\nDanke", "https://portal.example/f?token=ABC-"),
        ("https://portal.example/f?token=ABC-\nCode: 1234", "https://portal.example/f?token=ABC-"),
        ("https://portal.example/f?token=ABC12\n12345", "https://portal.example/f?token=ABC12"),
    ],
)
def test_a_link_that_is_broken_over_lines_is_joined_where_it_plainly_goes_on(text: str, link: str) -> None:
    assert link_in(text) == link


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
def test_whatever_is_entered_is_read_or_is_nothing(text: str) -> None:
    connector = DlxConnector(outgoing(), AttemptsInMemory())
    for given_ in (text, f"https://portal.example/{text}", f"https://{text}", f"shlink:/{text}"):
        link = link_in(given_)
        assert link_in(link) == link
        connector.recognise(link)
        shared_by(link)
        try:
            health_link(link)
        except PortalTrouble:
            continue


@pytest.mark.parametrize(
    ("link", "base", "studies"),
    [
        (f"https://demo.example/view/{KHEOPS}", "https://demo.example/api", ()),
        (f"https://demo.example:8443/kheops/view/{KHEOPS}/", "https://demo.example:8443/kheops/api", ()),
        (f"https://demo.example/api/link/{KHEOPS}/studies", "https://demo.example/api", ()),
        (f"https://demo.example/api/link/{KHEOPS}/studies/{UID}", "https://demo.example/api", (UID,)),
    ],
)
def test_shares_of_kheops(link: str, base: str, studies: tuple[str, ...]) -> None:
    shared = shared_by(link)
    assert shared is not None
    assert (shared.kind, shared.base, shared.study_uids) == ("kheops", base, studies)
    assert shared.credentials == {"Authorization": f"Bearer {KHEOPS}"}
    assert KHEOPS not in f"{shared!r} {shared.lead!r}"


TOKEN = jwt({"id": "x", "resources": [{"dicom_uid": UID, "level": "study"}], "type": "stone-viewer-publication"})


@pytest.mark.parametrize(
    ("link", "base"),
    [
        (f"https://o.example/ui/app/token-landing.html?token={TOKEN}", "https://o.example/dicom-web"),
        (f"https://o.example/orthanc/ui/app/token-landing?token={TOKEN}", "https://o.example/orthanc/dicom-web"),
        (f"https://o.example/stone-webviewer/index.html?study={UID}&token={TOKEN}", "https://o.example/dicom-web"),
        (f"https://o.example/ohif/viewer?StudyInstanceUIDs={UID}&token={TOKEN}", "https://o.example/dicom-web"),
    ],
)
def test_shares_of_orthanc(link: str, base: str) -> None:
    shared = shared_by(link)
    assert shared is not None
    assert (shared.kind, shared.base, shared.study_uids) == ("orthanc", base, (UID,))
    assert shared.credentials == {"token": TOKEN, "Authorization": f"Bearer {TOKEN}"}
    assert TOKEN not in repr(shared)
    assert UID not in repr(shared)


def test_any_address_of_dicomweb() -> None:
    shared = shared_by(f"https://pacs.example/dw/rs/studies/{UID}/series/1.2.3/metadata?access_token=abc.def")
    assert shared is not None
    assert (shared.kind, shared.base) == ("dicomweb", "https://pacs.example/dw/rs")
    assert (shared.study_uids, shared.series_uid) == ((UID,), "1.2.3")
    assert shared.credentials == {"Authorization": "Bearer abc.def"}
    asked = shared_by(f"https://pacs.example/rs/studies?StudyInstanceUID={UID}")
    assert asked is not None
    assert (asked.base, asked.study_uids, asked.credentials) == ("https://pacs.example/rs", (UID,), {})


@pytest.mark.parametrize(
    "link",
    ["https://portal.example/", f"http://demo.example/view/{KHEOPS}", "https://demo.example/view/short", "",
     "https://pacs.example/rs/studies/../../secret", "https://pacs.example/rs/studies/%2e%2e/x", "https://[::1/studies",
     "https://o.example/ui/app/token-landing.html", "https://pacs.example/studies/not-a-uid"],
)  # fmt: skip
def test_what_is_no_share(link: str) -> None:
    assert shared_by(link) is None


def test_health_links_of_others(shared_data: Path) -> None:
    folder = shared_data / "shl" / "smart-health-links" / "images"
    given_ = folder.joinpath("CARIN_INS_CD-bundle-01-shl.txt").read_text()
    assert is_health_link(link_in(given_))
    found = health_link(link_in(given_))
    assert (found.host, found.direct, found.passcode, found.long_term) == (
        "raw.githubusercontent.com",
        True,
        False,
        True,
    )
    told = json.loads(folder.joinpath("carin-ins-card-shl-details.json").read_text())
    for written in ("shlink", "shlinkBare"):
        found = health_link(told[written])
        assert found.manifest.value == told["shlinkJsonPayload"]["url"]
        assert found.key.value == told["shlinkJsonPayload"]["key"]
        assert found.label == told["shlinkJsonPayload"]["label"]
    assert found.key.value not in repr(found) + repr(found.lead)
    card = folder.joinpath("example-01-f-qr-code-numeric-value-0.txt").read_text()
    assert not is_health_link(link_in(card))


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("24.12.1978", "1978-12-24"), ("24/12/1978", "1978-12-24"), ("4 - 3 - 1978", "1978-03-04"),
        ("1978/12/24", "1978-12-24"), ("04/03/1978", ""), ("4/4/1978", "1978-04-04"), ("30.2.1978", ""),
        ("12/24/1978", ""), ("4711", ""), ("19781224", ""),
    ],
)  # fmt: skip
def test_a_day_as_a_passcode_is_read_however_it_is_typed(typed: str, day: str) -> None:
    assert day_in(typed) == day


def test_a_health_link_with_a_passcode_and_an_end() -> None:
    found = health_link(shlink(url="https://shl.example/m/1", key=KEY, flag="LP", exp=1_700_000_000, v=1))
    assert (found.passcode, found.direct, found.expires_at) == (True, False, datetime.fromtimestamp(1.7e9, UTC))
    found.require_not_over(datetime(2023, 1, 1, tzinfo=UTC))
    with pytest.raises(LinkExpiredThere):
        found.require_not_over(datetime(2024, 1, 1, tzinfo=UTC))
    milliseconds = health_link(shlink(url="https://shl.example/m/1", key=KEY, exp=1_700_000_000_000))
    assert milliseconds.expires_at == found.expires_at


@pytest.mark.parametrize(
    ("link", "error"),
    [
        ("shlink:/!!!", PortalUnclear), ("shlink:/AAAA", PortalUnclear),
        (shlink(url="https://a.example"), PortalUnclear),
        (shlink(url="https://a.example/", key="short"), PortalUnclear), (shlink(url=1, key=KEY), PortalUnclear),
        (shlink(url="https://a.example/", key=KEY, v=2), PortalUnclear),
        (shlink(url="https://a.example/", key=KEY, flag="PU"), PortalUnclear),
        (shlink(url="http://a.example/", key=KEY), NotEncrypted),
        (shlink(url="https://u:p@a.example/", key=KEY), AddressRefused),
    ],
)  # fmt: skip
def test_health_links_that_cannot_be_followed(link: str, error: type[PortalTrouble]) -> None:
    with pytest.raises(error):
        health_link(link)


@pytest.mark.parametrize(
    ("text", "connectors"),
    [
        ("HTTPS://PORTAL.EXAMPLE/DLX/V1/TOKEN/ABC-S1Z", ["dlx", "document"]),
        ("Ihre Bilder: https://portal.example/?token=ABC-S1Z.", ["dlx", "document"]),
        (f"https://demo.example/view/{KHEOPS}", ["dlx", "dicomweb", "document"]),
        (f"https://o.example/ui/app/token-landing.html?token={TOKEN}", ["dlx", "dicomweb", "document"]),
        (f"https://pacs.example/rs/studies/{UID}", ["dicomweb", "document"]),
        (f"https://viewer.example/#{shlink(url='https://a.example/1', key=KEY)}", ["shl"]),
        ("https://portal.example/", ["document"]),
        ("nothing", []),
    ],
)
def test_what_a_link_may_be_of_in_the_order_of_trying(text: str, connectors: list[str]) -> None:
    found = leads_in(text, connectors_of(outgoing(), AttemptsInMemory()))
    assert [lead.connector for lead, _ in found] == connectors


def test_a_health_link_is_not_taken_for_another_portal() -> None:
    connector = DlxConnector(outgoing(), AttemptsInMemory())
    link = f"https://viewer.example/#{shlink(url='https://a.example/1', key=KEY)}"
    assert connector.recognise(link) is None
    assert shared_by(link) is None
