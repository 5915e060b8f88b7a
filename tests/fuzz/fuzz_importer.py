"""Fuzz target of everything that reads what portals, people and their files say; for atheris, or by hand with files.

python tests/fuzz/fuzz_importer.py CORPUS_DIR -max_total_time=600

The first byte chooses the parser. Each input ends in a result or a `RadrelayError`; a result can be kept as a row and
told as JSON. Memory and time are the fuzzer's to watch (`-rss_limit_mb`, `-timeout`).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from pathlib import Path

from radrelay.dicom.disc_directory import read_directory
from radrelay.errors import RadrelayError
from radrelay.importer.connectors.addresses import shared_by
from radrelay.importer.connectors.dlx_answers import asked_of, items_of, login_of
from radrelay.importer.connectors.entered import link_in, token_in
from radrelay.importer.connectors.fhir import Context, Resource, led_to_by, left_out, next_page, resource_in
from radrelay.importer.connectors.health_link_errand import HealthLinkErrand, access_of, remaining_in
from radrelay.importer.connectors.health_links import day_in, health_link
from radrelay.importer.connectors.jwe import Unsealing
from radrelay.importer.connectors.key_objects import studies_in_key_objects
from radrelay.importer.connectors.led_to import Named
from radrelay.importer.connectors.ports import Item, Question
from radrelay.importer.connectors.wado import matches_of, values_of
from radrelay.importer.contents import content_of
from radrelay.importer.following import listed_text, questions_text
from radrelay.importer.models import ImportCase
from radrelay.importer.outgoing import Reply
from radrelay.importer.places import Target
from radrelay.importer.raw_parcel import RawParcel
from radrelay.importer.recipes.language import Look, Take
from radrelay.importer.recipes.page import Page, TooMuchToTake
from radrelay.importer.recipes.playing import play
from radrelay.importer.recipes.reading import parsed
from radrelay.importer.recipes.recording import record
from radrelay.importer.written_down import promises_of
from radrelay.importer.xdm import read_xdm
from radrelay.intake.scratch import MemorySource
from radrelay.intake.unpack import Budget
from radrelay.settings import IntakeSettings

HERE = Target(True, "portal.example", 443, "/p/AB12")
SCRATCH = Path(tempfile.gettempdir()) / "radrelay-fuzz"
LOOKS = tuple(
    Look.model_validate(one)
    for one in (
        {"text": "falsch"}, {"pattern": "[a-z]{1,9}:[0-9]{1,5}"}, {"element": "a", "where": {"class": "x"}},
        {"json": "a.b[0]", "is": "x"}, {"json": "files[*].url"}, {"address": "/p"},
    )
)  # fmt: skip
TAKES = tuple(
    Take.model_validate({"as": "x", **one})
    for one in (
        {"field": "token"}, {"element": "a", "attribute": "href", "all": True}, {"json": "files[*].url", "all": True},
        {"pattern": 'href="([^"]{1,200})"', "all": True}, {"header": "location"},
        {"element": "a", "attribute": "href", "holds": "Download"},
    )
)  # fmt: skip


def reply(body: bytes, kind: str = "application/json") -> Reply:
    return Reply(HERE, 200, {"content-type": kind, "location": "/x"}, body)


def require_told(items: Iterable[Item], questions: Iterable[Question] = ()) -> None:
    """Have what was read pass through a row, to the findings and the page."""
    told = listed_text(tuple(items))
    json.dumps(json.loads(told), ensure_ascii=False).encode()
    for one in promises_of(ImportCase(listed=told)) or ():
        repr(one).encode()
    json.dumps(json.loads(questions_text(tuple(questions))), ensure_ascii=False).encode()


def read_dicomdir(data: bytes) -> None:
    with suppress(RadrelayError):
        for one in read_directory(data):
            f"{one.path} {one.sop_uid} {one.study_uid} {one.belongs_to}".encode()


def read_metadata(data: bytes) -> None:
    with suppress(RadrelayError):
        for one in read_xdm(data):
            repr(one).encode()


def read_questions(data: bytes) -> None:
    with suppress(RadrelayError):
        asked = asked_of(reply(data))
        if asked is not None:
            require_told((), asked.questions)
            json.dumps([*asked.ids.values()])
    with suppress(RadrelayError):
        login_of(reply(data), 1.7e9)


def read_list(data: bytes) -> None:
    with suppress(RadrelayError):
        items = items_of(reply(data))
        require_told(items)
        for one in items:
            one.id.encode()


def read_health_link(data: bytes) -> None:
    with suppress(RadrelayError):
        health_link(data.decode("utf-8", "replace"))
    day_in(data.decode("utf-8", "replace"))
    with suppress(RadrelayError):
        for one in HealthLinkErrand.read_manifest(reply(data)):
            f"{one.media_type} {one.location}".encode()
            one.embedded.encode("ascii", "replace")
    remaining_in(reply(data), 3)
    access_of(data)


def read_sealed(data: bytes) -> None:
    with suppress(RadrelayError):
        unsealing = Unsealing(bytes(32), _Nothing(), "portal.example", 1 << 20)
        for at in range(0, len(data), 7):
            unsealing.write(data[at : at + 7])
        unsealing.finish()


class _Nothing:
    def begin(self) -> None: ...
    def write(self, piece: bytes) -> None: ...


def read_document(data: bytes) -> None:
    found: list[Named] = []
    with suppress(RadrelayError):
        found = studies_in_key_objects(data) or []
    resource = resource_in(data)
    if resource is not None:
        with suppress(RadrelayError):
            named = dict[str, Resource | None]()
            context = Context("portal.example", "https://portal.example/fhir/Bundle/1", {}, named.get)
            next_page(resource), left_out([resource])
            found += led_to_by(resource, context)
    require_told(one.item for one in found)


def read_matches(data: bytes) -> None:
    with suppress(RadrelayError):
        for match in matches_of(reply(data, "application/dicom+json")):
            for tag in ("0020000D", "00100010", "00080061"):
                values_of(match, tag)


def read_address(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    link = link_in(text)
    if link:
        with suppress(ValueError):
            token_in(link)
    shared_by(link)
    with suppress(RadrelayError):
        health_link(link)


def read_page(data: bytes) -> None:
    page = Page(reply(data, "text/html; charset=utf-8"))
    for look in LOOKS:
        page.differs(look)
    for take in TAKES:
        with suppress(TooMuchToTake):
            page.taken(take)
    page.said.encode("utf-8", "replace")


def read_recipe_file(data: bytes) -> None:
    with suppress(RadrelayError):
        recipe = parsed(data.decode("utf-8", "replace"), Path("fuzz.toml"))
        if not recipe.told.browser:
            play(recipe)


def read_recording(data: bytes) -> None:
    with suppress(RadrelayError):
        record(data, "AB12CD", date(1970, 1, 31), "https://portal.example/p/AB12CD").text.encode()


def read_zip(data: bytes) -> None:
    settings = IntakeSettings()
    parcel = RawParcel(None, (), settings, SCRATCH)  # type: ignore[arg-type]  # no file of it is asked for
    with suppress(RadrelayError):
        for one in parcel.members(MemorySource(data), "parcel.zip", Budget.of(settings), 1):
            one.path.encode()
            with suppress(RadrelayError):
                for piece in one.open_pieces():
                    content_of(piece[:1000])


TARGETS = (
    read_dicomdir, read_metadata, read_questions, read_list, read_health_link, read_sealed, read_document, read_matches,
    read_address, read_page, read_recipe_file, read_recording, read_zip,
)  # fmt: skip


def one_input(data: bytes) -> None:
    """Read the bytes after the first, which chooses the parser."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def main() -> None:
    import atheris  # noqa: PLC0415 - only a fuzzing run needs it

    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
