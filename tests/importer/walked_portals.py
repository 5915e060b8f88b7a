"""Three portals that a browser can walk through, whose fields and tokens are others each time (`seed`).

The walks beside (`walks/*.har`) were exported by Chromium from these pages, with the seed `recorded`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

from tests.importer.portal import Asked, Portal
from tests.importer.recipe_portals import fields, packed, page, told

CODE, SHARE = "QX7-4K9M", "s7Hk2pQ9zz"
RECORDED = "recorded"
BORN_RECORDED = "24.03.1961"


def attached(asked: Asked) -> None:
    asked.give(200, packed(), "application/zip", Content_Disposition='attachment; filename="bilder.zip"')


def only_if(right: Callable[[Asked], bool], answer: Callable[[Asked], None]) -> Callable[[Asked], None]:
    return lambda asked: (answer if right(asked) else page("nein", 403))(asked)


def mark(seed: str, place: int) -> str:
    """A token of a portal: the same for the same seed."""
    return "".join(f"{(ord(c) * 7 + place * 13 + at) % 256:02x}" for at, c in enumerate(seed[:8]))


def form(here: Portal, code: str, born: str, seed: str) -> None:
    """A page with a hidden field and a cookie, a redirect, and a link to the parcel among others."""
    token, cookie, file = mark(seed, 1), f"sid={mark(seed, 2)}", f"/dl/{mark(seed, 3)}/bilder.zip"
    wanted = {"_token": token, "code": code, "geb": born, "go": "1"}
    here.answers |= {
        f"/abholen/{code}": page(
            '<img src="/logo.png"><form action="/anmelden" method="post">'
            f'<input type="hidden" name="_token" value="{token}"><input name="code"><input name="geb">'
            '<button name="go" value="1">Weiter</button></form>',
            Set_Cookie=f"{cookie}; Path=/",
        ),
        "/logo.png": lambda asked: asked.give(200, b"\x89PNG\r\n\x1a\n", "image/png"),
        "/anmelden": only_if(
            lambda asked: fields(asked) == wanted and asked.headers.get("Cookie") == cookie,
            lambda asked: asked.give(302, b"", Location="/aufnahmen"),
        ),
        "/aufnahmen": page(
            '<h1>Erika Mustermann</h1><a class="help" href="/hilfe">?</a>'
            f'<a class="btn dl" href="{file}?sig={mark(seed, 4)}">ZIP</a>'
        ),
        file: only_if(lambda asked: asked.path.endswith(mark(seed, 4)), attached),
    }


SCRIPT = """<input id=c><input id=b><button onclick="go()">Go</button><a id=z></a><script>
async function go() {
  const xsrf = decodeURIComponent(document.cookie.match(/XSRF-TOKEN=([^;]+)/)[1]), kind = 'application/json'
  const asked = { share: location.hash.slice(2), pin: c.value.replace('-', ''), dob: b.value, remember: false }
  const r = await (await fetch('/api/v1/login', { method: 'POST', body: JSON.stringify(asked),
    headers: { 'Content-Type': kind, 'X-XSRF-TOKEN': xsrf } })).json()
  const headers = { Authorization: 'Bearer ' + r.token }
  const j = await (await fetch(`/api/v1/studies/${r.studies[0].id}/pack`, { method: 'POST', body: '{}',
    headers: { ...headers, 'Content-Type': kind } })).json()
  let s
  do {
    s = await (await fetch('/api/v1/jobs/' + j.job, { headers })).json()
    await new Promise((f) => setTimeout(f, 20))
  } while (s.state != 'ready')
  z.href = s.url
  z.click()
}
</script>"""


def scripts(here: Portal, code: str, born: str, seed: str) -> None:
    """A page of scripts: JSON, a cookie that comes back as a header, a bearer, a parcel that is packed first."""
    polls = itertools.count()
    token, study, job, file = (
        mark(seed, 1),
        str(int(mark(seed, 2), 16))[:7],
        mark(seed, 3),
        f"/files/{mark(seed, 4)}.zip",
    )
    wanted = {"share": SHARE, "pin": code.replace("-", ""), "dob": born, "remember": False}
    xsrf = f"x={mark(seed, 5)}"

    def bears(asked: Asked) -> bool:
        return asked.headers.get("Authorization") == f"Bearer {token}"

    def polled(asked: Asked) -> None:
        ready = next(polls) >= 2
        told({"state": "ready", "url": file} if ready else {"state": "packing", "progress": 30})(asked)

    here.answers |= {
        "/": page(SCRIPT, Set_Cookie=f"XSRF-TOKEN={xsrf.replace('=', '%3D')}; Path=/"),
        "/api/v1/login": only_if(
            lambda asked: json.loads(asked.body) == wanted and asked.headers.get("X-XSRF-TOKEN") == xsrf,
            told({"token": token, "patient": {"name": "Mustermann^Erika"}, "studies": [{"id": int(study)}]}),
        ),
        f"/api/v1/studies/{study}/pack": only_if(bears, told({"job": job}, 202)),
        f"/api/v1/jobs/{job}": only_if(bears, polled),
        file: attached,
    }


def two_steps(here: Portal, code: str, born: str, seed: str) -> None:
    """The code, then the birth date in three fields beside a value of a script."""
    day, month, year = born.split(".")
    wanted = {"tag": day, "monat": month, "jahr": year, "state": mark(seed, 1)}
    here.answers |= {
        "/": page('<form action="/p" method="post"><input name="k"><button>ok</button></form>'),
        "/p": only_if(
            lambda asked: fields(asked) == {"k": code},
            lambda asked: asked.give(303, b"", Location="/p/geburtsdatum"),
        ),
        "/p/geburtsdatum": page(
            f'<script>var state = "{mark(seed, 1)}"</script><form method="post" action="/p/pruefen"><input name="tag">'
            '<input name="monat"><input name="jahr"><input type="hidden" name="state" id="s">'
            "<script>s.value = state</script><button>ok</button></form>"
        ),
        "/p/pruefen": only_if(
            lambda asked: fields(asked) == wanted, lambda asked: asked.give(302, b"", Location="/p/bilder")
        ),
        "/p/bilder": page('<a href="/p/bilder.zip">Alle Bilder</a>'),
        "/p/bilder.zip": attached,
    }
