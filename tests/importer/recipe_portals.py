"""Three portals that speak no common language, as answers of a portal in threads, and the recipes that know them."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.recipes.errand import RecipeConnector, RecipeErrand
from radrelay.importer.recipes.reading import parsed
from tests.importer.portal import PATIENT, Asked, Portal, outgoing
from tests.importer.provider import Waits

CODE, BORN = "Q7-XK4 P/2", "1970-01-31"
HOST = "127.0.0.1"

FORM = """
recipe = 1
name = "Portal with a form"
hosts = ["{HOST}"]

[[link]]
address = "/abholen/{code}"

[[ask]]
name = "birth_date"
kind = "birth-date"
text = { de = "Geburtsdatum", en = "Date of birth" }

[[fails]]
as = "maintenance"
text = "Wartungsarbeiten"

[[step]]
name = "open"
get = "/abholen/{code}"
take = [{ as = "csrf", field = "_token" }]

[[step]]
name = "log in"
post = "/anmelden"
form = { _token = "{csrf}", code = "{code}", gebdatum = "{birth_date:DD.MM.YYYY}" }
expect = { text = "Ihre Aufnahmen" }
fails = [
  { as = "wrong", text = "ungültig" },
  { as = "locked", text = "gesperrt" },
  { as = "expired", text = "abgelaufen" },
  { as = "captcha", element = "div", where = { class = "captcha" } },
]
take = [{ as = "zip", element = "a", where = { class = "download" }, attribute = "href", all = true }]

[[step]]
name = "download"
download = "{zip}"
"""

JSON = """
recipe = 1
name = "Portal of scripts"
hosts = ["{HOST}"]

[[link]]
address = "/#/share/{share}"

[[ask]]
name = "code"
kind = "password"

[[ask]]
name = "birth_date"
kind = "birth-date"

[[step]]
name = "config"
get = "/config.json"
take = [{ as = "xsrf", cookie = "XSRF-TOKEN" }]

[[step]]
name = "log in"
post = "/api/login"
json = { share = "{share}", credentials = { pin = "{code:plain}", dob = "{birth_date:YYYY-MM-DD}" }, remember = false }
headers = { X-XSRF-TOKEN = "{xsrf}" }
fails = [
  { as = "wrong", status = 401, json = "error", is = "credentials" },
  { as = "sms", json = "next", is = "otp" },
]
take = [{ as = "bearer", json = "token" }, { as = "study", json = "studies[0].id" }]

[[step]]
name = "order"
post = "/api/studies/{study}/pack"
json = {}
headers = { Authorization = "Bearer {bearer}" }
expect = { status = [200, 202] }
take = [{ as = "job", json = "job" }]

[[step]]
name = "packing"
wait = "/api/jobs/{job}"
headers = { Authorization = "Bearer {bearer}" }
until = { json = "state", is = "ready" }
fails = [{ as = "nothing", json = "state", is = "empty" }]
every_s = 3
most_s = 60
take = [{ as = "zip", json = "url" }]

[[step]]
name = "download"
download = "{zip}"
headers = { Authorization = "Bearer {bearer}" }
fails = [{ as = "expired", status = 410 }]
"""

TWO_STEPS = """
recipe = 1
name = "Portal in two steps"
hosts = ["{HOST}"]

[[link]]
address = "/p?k={code}"

[[link]]
address = "/"

[[ask]]
name = "code"
kind = "password"

[[ask]]
name = "birth_date"
kind = "birth-date"

[[step]]
name = "code"
post = "/p"
form = { k = "{code:upper}" }
expect = { address = "/p/geburtsdatum" }
fails = [{ as = "not-there", status = 404 }]
take = [{ as = "state", pattern = 'var state = "([^"]{1,200})"' }]

[[step]]
name = "birth date"
post = "?step=2"
form = { tag = "{birth_date:DD}", monat = "{birth_date:M}", jahr = "{birth_date:YYYY}", state = "{state}" }
fails = [{ as = "wrong", address = "/p/geburtsdatum" }]

[[step]]
name = "download"
download = "/p/bilder.zip"
"""


def packed() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as disc:
        disc.writestr(zipfile.ZipInfo("DICOMDIR", (2026, 1, 2, 3, 4, 6)), bytes(6000))  # the same at any time
    return made.getvalue()


def page(text: str, status: int = 200, **headers: str) -> Callable[[Asked], None]:
    body = f"<!doctype html><html><body>{text}</body></html>".encode()
    return lambda asked: asked.give(status, body, "text/html; charset=utf-8", **headers)


def told(value: object, status: int = 200, **headers: str) -> Callable[[Asked], None]:
    return lambda asked: asked.give(status, json.dumps(value).encode(), "application/json", **headers)


def fields(asked: Asked) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(asked.body.decode(), keep_blank_values=True).items()}


def zipped(asked: Asked) -> None:
    asked.give(200, packed(), "application/pdf")


def form_portal(here: Portal) -> None:
    """A form with a hidden field and a cookie; what is wrong is said on the page, in HTML's own spelling."""
    tokens = itertools.count(1)

    def open_(asked: Asked) -> None:
        number = next(tokens)
        hidden = f'<form><input name=code value=""><input type="hidden" value="t&amp;{number}" name="_token"></form>'
        page(hidden, Set_Cookie=f"sid=s{number}; HttpOnly; Path=/")(asked)

    def log_in(asked: Asked) -> None:
        given = fields(asked)
        number = asked.headers.get("Cookie", "").removeprefix("sid=s")
        if given.get("_token") != f"t&{number}":
            page("Sitzung", 419)(asked)
        elif (given["code"], given["gebdatum"]) != (CODE, "31.01.1970"):
            page("Zugangscode\n ung&uuml;ltig")(asked)
        else:
            asked.give(302, b"", Location="/aufnahmen")

    here.answers |= {
        "/abholen/Q7-XK4%20P%2F2": open_,
        "/anmelden": log_in,
        "/aufnahmen": page('Ihre Aufnahmen <a class="btn download" href="zip?n=1&amp;x=y">CT</a>'
                           '<a href="zip?n=2" class=download>MR</a><a class=other href="zip?n=3">x</a>'),
        "/zip": zipped,
    }  # fmt: skip


def json_portal(here: Portal) -> None:
    """A login in JSON with a cookie that comes back as a header, and a parcel that is packed first."""
    polls = itertools.count()

    def log_in(asked: Asked) -> None:
        given = json.loads(asked.body)
        if asked.headers.get("X-XSRF-TOKEN") != "a=b":
            told({"error": "xsrf"}, 403)(asked)
        elif given != {"share": "S1", "credentials": {"pin": "Q7XK4P2", "dob": BORN}, "remember": False}:
            told({"error": "credentials"}, 401)(asked)
        else:
            told({"token": "ey.J", "studies": [{"id": 17}]})(asked)

    def with_bearer(answer: Callable[[Asked], None]) -> Callable[[Asked], None]:
        return lambda asked: (answer if asked.headers.get("Authorization") == "Bearer ey.J" else told({}, 403))(asked)

    def job(asked: Asked) -> None:
        ready = next(polls) >= 2
        told({"state": "ready", "url": "/files/a%20b.zip"} if ready else {"state": "packing"})(asked)

    here.answers |= {
        "/config.json": told({}, Set_Cookie="XSRF-TOKEN=a%3Db"),
        "/api/login": log_in,
        "/api/studies/17/pack": with_bearer(told({"job": "j/1"}, 202)),
        "/api/jobs/j%2F1": with_bearer(job),
        "/files/a%20b.zip": with_bearer(zipped),
    }


def two_step_portal(here: Portal) -> None:
    """The code first, then the birth date in three fields on a page that a script made."""

    def code(asked: Asked) -> None:
        right = fields(asked).get("k") == CODE.upper()
        asked.give(303, b"", Location="/p/geburtsdatum") if right else page("?", 404)(asked)

    def birth_date(asked: Asked) -> None:
        right = fields(asked) == {"tag": "31", "monat": "1", "jahr": "1970", "state": "x\u00fc"}
        if asked.command == "POST" and right:
            asked.give(302, b"", Location="/p/bilder")
        else:
            page('<script>var state = "x\u00fc";</script>')(asked)

    here.answers |= {"/p": code, "/p/geburtsdatum": birth_date, "/p/bilder": page("ok"), "/p/bilder.zip": zipped}


def connector(here: Portal, text: str, waits: Waits, attempts: AttemptsInMemory | None = None) -> RecipeConnector:
    recipe = parsed(text.replace("{HOST}", f"{HOST}:{here.port}"), Path("portal.toml"))
    way = outgoing(limits=PATIENT, allows=lambda host: host.startswith(HOST))
    return RecipeConnector(recipe, way, attempts or AttemptsInMemory(), pause=waits.pause, clock=waits.clock)


def errand(here: Portal, text: str, path: str, waits: Waits, attempts: AttemptsInMemory | None = None) -> RecipeErrand:
    made = connector(here, text, waits, attempts)
    lead = made.recognise(here.url(path, HOST))
    assert lead is not None
    return made.open(lead)
