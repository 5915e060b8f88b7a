"""A walk that a browser exported becomes a recipe that fetches for another person, and gives nothing away."""

from __future__ import annotations

import base64
import io
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radrelay.app.recipe_commands import record_command
from radrelay.errors import Invalid
from radrelay.importer.recipes.known import Known
from radrelay.importer.recipes.recording import Recorded, record
from radrelay.importer.recipes.walks import walk_of
from radrelay.importer.recipes.writing import toml_of
from tests.importer import walked_portals
from tests.importer.portal import Kept, Portal, portal
from tests.importer.provider import Waits
from tests.importer.recipe_portals import HOST, errand, packed
from tests.importer.walked_portals import CODE, RECORDED, SHARE, mark

WALKS = Path(__file__).parent / "walks"
BORN = date(1961, 3, 24)
OTHER_CODE, OTHER_BORN = "ZZ9-81PK", date(1999, 12, 5)


@pytest.fixture(scope="module")
def here() -> Iterator[Portal]:
    with portal() as made:
        yield made


def walked(name: str, port: int = 8443) -> bytes:
    return (WALKS / f"{name}.har").read_text().replace("PORT", str(port)).encode()


def recorded(name: str, port: int = 8443) -> Recorded:
    link = f"http://{HOST}:{port}/#/{SHARE}" if name == "scripts" else ""
    return record(walked(name, port), CODE, BORN, link)


@pytest.mark.parametrize(
    ("name", "path", "form"),
    [
        ("form", f"/abholen/{OTHER_CODE}", "%d.%m.%Y"),
        ("scripts", f"/#/{SHARE}", "%Y-%m-%d"),
        ("two_steps", "/", "%d.%m.%Y"),
    ],
)  # fmt: skip
def test_a_draft_fetches_for_another_person(here: Portal, name: str, path: str, form: str) -> None:
    draft = recorded(name, here.port)
    assert draft.problems == ()
    here.answers.clear()
    set_up: Callable[[Portal, str, str, str], None] = getattr(walked_portals, name)
    set_up(here, OTHER_CODE, OTHER_BORN.strftime(form), "another-day")
    waits = Waits()
    made = errand(here, draft.text, path, waits)
    answers = {"code": OTHER_CODE, "birth_date": OTHER_BORN.isoformat()}
    made.answer({one.id: answers[one.id] for one in made.ask()})
    (item,) = made.items()
    sink = Kept()
    made.download(item, sink)
    assert sink.bytes == packed()
    assert len(waits.waited) == (2 if name == "scripts" else 0)


@pytest.mark.parametrize("name", ["form", "scripts", "two_steps"])
def test_a_draft_gives_nothing_of_the_walk_away(name: str) -> None:
    text = recorded(name).text
    for secret in (CODE, CODE.replace("-", ""), "1961", "24.03", "Mustermann", "Erika", SHARE):
        assert secret not in text
    assert not any(mark(RECORDED, place) in text for place in range(1, 6))


def test_a_draft_takes_only_the_steps_that_are_needed() -> None:
    text = recorded("form").text
    assert re.findall(r"^(get|post|wait|download) = \"(/[^\"]*|{[^\"]*)\"$", text, re.MULTILINE) == [
        ("get", "/abholen/{code}"), ("post", "/anmelden"), ("download", "{address}"),
    ]  # fmt: skip
    assert "birth_date:DD.MM.YYYY" in text
    assert 'until = { json = "state", is = "ready" }' in recorded("scripts").text
    assert "guess = true" in text


def entry(url: str, answer: Any = "", *, status: int = 200, kind: str = "text/html", **more: Any) -> dict[str, Any]:
    """An entry of a HAR file."""
    request = {"method": "POST" if "postData" in more else "GET", "url": url, "headers": more.pop("sent", []), **more}
    headers = [{"name": "Content-Type", "value": kind}]
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return {"request": request, "response": {"status": status, "headers": headers, "content": {"text": text}}}


def har(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"log": {"entries": entries}}).encode()


ZIP = {"status": 200, "headers": [], "content": {"text": base64.b64encode(packed()).decode(), "encoding": "base64"}}


def zipped(url: str) -> dict[str, Any]:
    return {"request": {"method": "GET", "url": url, "headers": []}, "response": ZIP}


def posted(**fields: str) -> dict[str, Any]:
    listed = [{"name": name, "value": value} for name, value in fields.items()]
    return {"mimeType": "application/x-www-form-urlencoded", "params": listed}


def test_what_nobody_gave_and_no_page_held_is_asked_for_and_not_written_down() -> None:
    typed = posted(surname="Mustermann", pin="AB-77", dob="24.3.1961", ok="1")
    draft = record(
        har(
            entry("https://portal.example/in?lang=de&_=1700000000000"),
            entry("https://tracker.example/collect", postData=posted(page="x")),
            entry("https://portal.example/in", postData=typed),
            zipped("https://files.example/x.zip"),
        ), "AB-77", BORN,
    )  # fmt: skip
    assert draft.problems == ()
    assert "Mustermann" not in draft.text
    assert 'form = { surname = "{surname}", pin = "{code}", dob = "{birth_date:D.M.YYYY}", ok = "1" }' in draft.text
    assert 'name = "surname"\nkind = "custom"' in draft.text
    assert 'hosts = ["portal.example", "files.example"]' in draft.text
    assert 'download = "https://files.example/x.zip"' in draft.text
    assert 'address = "/in?lang=de"' in draft.text


def test_values_come_from_scripts_headers_and_marked_elements() -> None:
    page = (
        '<meta name="csrf" content="m-8812"><script>var cfg = {"session": "s-991/x"}</script><i data-k="k-4411" hidden>'
    )
    draft = record(
        har(
            entry("https://portal.example/l/AB-77", page),
            entry(
                "https://portal.example/go", {"url": "/f/7f7f.zip", "n": 1}, kind="application/json",
                postData=posted(a="s-991/x", b="k-4411", d="1961-03-24"),
                sent=[{"name": "X-CSRF", "value": "m-8812"}, {"name": "X-Other", "value": "zz-0817"}],
            ),
            zipped("https://portal.example/f/7f7f.zip"),
        ), "AB-77", BORN,
    )  # fmt: skip
    assert draft.problems == ()
    for take in (
        '{ as = "csrf", element = "meta", where = { name = "csrf" }, attribute = "content" }',
        """pattern = "session\\": \\"([^\\"]{1,500})\\"" }""",
        '{ as = "b", element = "i", where = { hidden = "" }, attribute = "data-k" }',
        '{ as = "address", json = "url" }',
    ):
        assert take in draft.text
    assert "Header x-other was sent, and no earlier answer gave it" in draft.text
    assert "0817" not in draft.text


def test_forms_of_scripts_and_numbers_of_json_are_sent_as_they_were() -> None:
    boundary = "----WebKitFormBoundaryX"
    parts = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("pin", "AB-77"), ("dob", "24.03.1961"))
    )
    multipart = {"mimeType": f"multipart/form-data; boundary={boundary}", "text": f"{parts}--{boundary}--\r\n"}
    asked = {"mimeType": "application/json", "text": json.dumps({"study": 781224, "page": 1, "all": True})}
    draft = record(
        har(
            entry("https://p.example/"),
            entry("https://p.example/in", {"id": 781224}, kind="application/json", postData=multipart),
            entry("https://p.example/pack", postData=asked),
            zipped("https://p.example/x.zip"),
        ), "AB-77", BORN,
    )  # fmt: skip
    assert draft.problems == ()
    assert 'form = { pin = "{code}", dob = "{birth_date:DD.MM.YYYY}" }\nmultipart = true' in draft.text
    assert 'json = { study = "{study:number}", page = 1, all = true }' in draft.text
    assert "781224" not in draft.text


def test_what_is_no_walk_or_has_no_parcel_is_told() -> None:
    for raw in (b"", b"[]", b"{}", b'{"log": 1}', b'{"log": {"entries": []}}', har(entry("https://p.example/"))):
        with pytest.raises(Invalid):
            record(raw, "AB-77", BORN)
    with pytest.raises(Invalid, match="so few characters"):
        record(har(zipped("https://p.example/x")), "A1", BORN)
    with pytest.raises(Invalid, match="The code stands nowhere"):
        record(walked("form"), "QX7-4K9N", BORN)
    with pytest.raises(Invalid, match="The birth date stands nowhere"):
        record(walked("form"), CODE, date(1961, 3, 25))
    without = record(walked("form"), CODE, None)
    assert (without.problems, 'geb = "{geb}"' in without.text, "1961" in without.text) == ((), True, False)
    fields = posted(**{"f-SECRET77": "x"})
    with pytest.raises(Invalid, match="give the code or the birth date away"):
        record(
            har(entry("https://p.example/SECRET77", postData=fields), zipped("https://p.example/x")), "SECRET77", None
        )


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inside: (
            st.lists(inside, max_size=3)
            | st.dictionaries(
                st.sampled_from(["request", "response", "url", "status", "headers", "content", "x"]), inside
            )
        ),
    )
)
@settings(max_examples=60, deadline=None)
def test_no_walk_breaks_the_reader(told: Any) -> None:  # fmt: skip
    try:
        walk_of(json.dumps({"log": {"entries": [told, entry("https://p.example/"), told]}}).encode())
    except Invalid:
        return


def test_known_values_are_found_in_every_form() -> None:
    known = Known("Ab-12 cd", BORN, {"link_1": "tok{en}99"})
    for text, template in (
        ("AB-12 CD", "{code:upper}"), ("Ab12cd", "{code:plain}"), ("x Ab-12 cd y", "x {code} y"),
        ("24031961", "{birth_date:DDMMYYYY}"), ("1961-03-24T00:00:00Z", "{birth_date:YYYY-MM-DD}T00:00:00Z"),
        ("{a}", "{{a}}"), ("tok{en}99", "{link_1}"), ("24.03.61", "{birth_date:DD.MM.YY}"), ("nothing", "nothing"),
    ):  # fmt: skip
        assert known.templated(text) == template
    assert known.parted({"y": "1961", "m": "3", "d": "24"}) == {}
    assert known.parted({"year": "1961", "month": "3", "day": "24", "x": "1"}) == {
        "day": "{birth_date:DD}", "month": "{birth_date:M}", "year": "{birth_date:YYYY}",
    }  # fmt: skip


def test_what_is_written_reads_as_it_was() -> None:
    told = {"a": 'x"\\\n\x7f', "step": [{"b": {"c d": [1, True, {"e": "ü"}]}}], "test": [{"exchange": [{"f": {}}]}]}
    assert tomllib.loads(toml_of(told, ["note"])) == told


def test_the_command_reads_what_was_entered_from_standard_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "walk.har").write_bytes(walked("form"))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{CODE}\n24.03.1961\n\n"))
    assert record_command(tmp_path / "walk.har", "My portal") == 0
    told = capsys.readouterr()
    assert 'name = "My portal"' in told.out
    assert CODE not in told.out + told.err
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{CODE}\nyesterday\n\n"))
    with pytest.raises(Invalid, match="no birth date"):
        record_command(tmp_path / "walk.har", "")
