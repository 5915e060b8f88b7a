"""Portals that each refuse a wrong birth date in a way of their own, and somebody who walks through them.

In: the code, the birth date and a seed of what is another each time. The walks make one wrong try first, if told to.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from typing import ClassVar

from tests.importer.portal import Asked, Portal
from tests.importer.recipe_portals import fields, page, told
from tests.importer.walked_portals import attached, mark
from tests.importer.walker import Walker

HINT = "<p>Nach drei falschen Eingaben wird der Zugang gesperrt.</p>"


def token_in(text: str) -> str:
    found = re.search(r'name="_token" value="([^"]+)"', text)
    assert found is not None
    return found[1]


class RedirectsBack:
    """A form whose token is another each time; wrong answers lead back to it, with a message. Success says nothing."""

    form = "%d.%m.%Y"
    link = "/start"
    wrong = "Code oder Geburtsdatum sind falsch."

    @staticmethod
    def open(here: Portal, code: str, born: str, seed: str) -> None:
        tokens = itertools.count()
        known: list[str] = []

        def start(asked: Asked) -> None:
            known.append(mark(seed, next(tokens) + 1))
            said = f"<p class=msg>{RedirectsBack.wrong}</p>" if "e=1" in asked.path else ""
            page(
                f'{HINT}{said}<form method="post" action="/pruefen"><input type="hidden" name="_token" '
                f'value="{known[-1]}"><input name="zugang"><input name="geb"></form>'
            )(asked)

        def check(asked: Asked) -> None:
            given = fields(asked)
            right = (given["_token"], given["zugang"], given["geb"]) == (known[-1], code, born)
            asked.give(302, b"", Location="/bilder" if right else "/start?e=1")

        here.answers |= {"/start": start, "/pruefen": check, "/bilder": page("Bereit."), "/bilder/alle.zip": attached}

    @staticmethod
    def walk(walker: Walker, code: str, born: str, wrong: str) -> None:
        text = walker.get("/start")
        for one in (wrong, born) if wrong else (born,):
            text = walker.post("/pruefen", {"_token": token_in(text or ""), "zugang": code, "geb": one})
        walker.get("/bilder/alle.zip")


class ErrorBox:
    """A form that is answered at one address with 200, be it right or wrong; a wrong answer has a box and no form."""

    form = "%Y-%m-%d"
    link = "/a/{code}"
    wrong = "Die Angaben stimmen nicht überein."

    @staticmethod
    def open(here: Portal, code: str, born: str, seed: str) -> None:
        file = f"/d/{mark(seed, 1)}.zip"

        def check(asked: Asked) -> None:
            right = fields(asked) == {"c": code, "born": born}
            good = f'<h1>Ihre Bilder</h1><a href="{file}">Laden</a>'
            page(good if right else f'<div class="alert alert-danger">{ErrorBox.wrong}</div>')(asked)

        form = f'{HINT}<form method="post" action="/b"><input type="hidden" name="c" value="{code}"><input name="born">'
        here.answers |= {f"/a/{code}": page(f"{form}</form>"), "/b": check, file: attached}

    @staticmethod
    def walk(walker: Walker, code: str, born: str, wrong: str) -> None:
        walker.get(f"/a/{code}")
        for one in (wrong, born) if wrong else (born,):
            text = walker.post("/b", {"c": code, "born": one})
        found = re.search(r'href="([^"]+)"', text)
        assert found is not None
        walker.get(found[1])


class _Json:
    """A single page of scripts, with a login in JSON."""

    form = "%Y-%m-%d"
    link = "/"
    refusal: ClassVar[tuple[Mapping[str, object], int]]
    success: ClassVar[Mapping[str, object]]

    @classmethod
    def open(cls, here: Portal, code: str, born: str, seed: str) -> None:
        def log_in(asked: Asked) -> None:
            right = json.loads(asked.body) == {"code": code, "birthDate": born}
            (told(cls.success, Set_Cookie=f"sid={mark(seed, 1)}") if right else told(*cls.refusal))(asked)

        here.answers |= {
            "/": page('<div id="app"></div><script>const says = {wrong: "Code oder Geburtsdatum ungültig"}</script>'),
            "/api/session": log_in,
            "/api/archive": lambda asked: (attached if mark(seed, 1) in asked.headers.get("Cookie", "") else
                                           told({"error": "session"}, 401))(asked),
        }  # fmt: skip

    @staticmethod
    def walk(walker: Walker, code: str, born: str, wrong: str) -> None:
        walker.get("/")
        for one in (wrong, born) if wrong else (born,):
            walker.tell("/api/session", {"code": code, "birthDate": one})
        walker.get("/api/archive")


class JsonStatus(_Json):
    """It says by its status that answers are wrong."""

    wrong = ""
    refusal = {"error": "invalid_credentials", "attempts_left": 4}, 401
    success: ClassVar = {"ok": True}


class JsonTold(_Json):
    """It says with 200 that answers are wrong."""

    wrong = ""
    refusal = {"success": False, "message": "Code oder Geburtsdatum ungültig"}, 200
    success: ClassVar = {"success": True}


PORTALS = (RedirectsBack, ErrorBox, JsonStatus, JsonTold)
