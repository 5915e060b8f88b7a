"""A portal that is nothing without a browser: a login computed by a script, a code by SMS, a captcha, a made download.

Its recipe is beside it; what each test has it do otherwise are answers of its own.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import imagecodecs
import numpy as np

from tests.importer.portal import Asked, Portal
from tests.importer.recipe_portals import page

CODE, BORN, SMS = "Q7XK4P", "1957-03-14", "481516"
HOST = "127.0.0.1"
RED = (220, 20, 30)

RECIPE = """
recipe = 1
name = "Portal of scripts"
browser = true
hosts = ["{HOST}"]

[[link]]
address = "/abholen/{code}"

[[ask]]
name = "birth_date"
kind = "birth-date"

[[fails]]
as = "maintenance"
text = "Wartungsarbeiten"

[[step]]
name = "open"
goto = "/abholen/{code}"
expect = { text = "Anmelden" }

[[step]]
name = "login"
fill = [{ label = "Geburtsdatum", with = "{birth_date:DD.MM.YYYY}" }]

[[step]]
name = "log in"
click = { button = "Anmelden" }
expect = { text = "SMS" }
fails = [{ as = "wrong", text = "ungültig" }]

[[step]]
name = "sms"
ask = { as = "sms", text = { de = "Code aus der SMS", en = "Code of the SMS" } }

[[step]]
name = "write sms"
fill = [{ label = "SMS-Code", with = "{sms}" }]

[[step]]
name = "send sms"
click = { button = "Weiter" }
expect = { text = ["rote Feld", "Ihre Aufnahmen"] }
fails = [{ as = "wrong", text = "SMS-Code falsch" }]

[[step]]
name = "captcha"
when = { text = "rote Feld" }
ask = { as = "captcha", kind = "clicks", text = { de = "Klicken Sie auf das rote Feld", en = "Click the red field" } }
expect = { text = "Ihre Aufnahmen" }

[[step]]
name = "bring"
save = { button = "Herunterladen" }
description = "Images"
"""

SCRIPT = """
const here = document.getElementById('here');
const post = async (path, body) => (await fetch(path, { method: 'POST', body: JSON.stringify(body) })).json();
const hex = async (text) => [...new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))]
  .map((one) => one.toString(16).padStart(2, '0')).join('');
const button = (name, act) => { const made = document.createElement('button'); made.textContent = name;
  made.onclick = act; here.append(made); };
const show = (next) => ({ login, sms, captcha, images })[next]();
function login() {
  here.innerHTML = '<label>Geburtsdatum: * <input id=b maxlength=10></label><p hidden>ungültig</p>';
  button('Anmelden', async () => {
    const proof = await hex(location.pathname.split('/').pop() + b.value);
    const told = await post('/api/login', { proof });
    if (told.next) show(told.next); else here.textContent = 'Code oder Geburtsdatum ungültig';
  });
}
function sms() {
  here.innerHTML = '<h1>Code per SMS</h1><label for=s>SMS-Code</label><input id=s>';
  button('Weiter', async () => {
    const told = await post('/api/sms', { code: s.value });
    if (told.next) show(told.next); else here.textContent = 'SMS-Code falsch';
  });
}
function captcha() {
  here.innerHTML = '<p>Klicken Sie auf das rote Feld</p>';
  const picture = new Image();
  picture.src = '/captcha.png';
  picture.onclick = async (event) => {
    if (!event.isTrusted) return;
    const told = await post('/api/captcha', [event.offsetX, event.offsetY]);
    if (told.next) show(told.next);
  };
  here.append(picture);
}
function images() {
  here.innerHTML = '<h1>Ihre Aufnahmen</h1>';
  button('Herunterladen', async () => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(await (await fetch('/api/parcel')).blob());
    link.download = 'bilder.zip';
    link.click();
  });
}
login();
"""


@dataclass
class ScriptPortal:
    """How far somebody is at it, and what it hands out."""

    here: Portal
    parcel: bytes
    at: str = "login"
    red: tuple[int, int] = field(default_factory=lambda: (random.randrange(20, 240), random.randrange(20, 120)))

    def __post_init__(self) -> None:
        self.here.answers |= {
            f"/abholen/{CODE}": page(f"<div id=here></div><script>{SCRIPT}</script>"),
            "/api/login": self._login, "/api/sms": self._sms, "/api/captcha": self._captcha,
            "/captcha.png": self._picture, "/api/parcel": self._parcel,
        }  # fmt: skip

    @property
    def host(self) -> str:
        return f"{HOST}:{self.here.port}"

    @property
    def link(self) -> str:
        return f"http://{self.host}/abholen/{CODE}"

    def recipe(self, folder: Path, text: str = RECIPE) -> Path:
        """Write its recipe into a folder; returns the folder."""
        folder.mkdir(exist_ok=True)
        (folder / "scripts.toml").write_text(text.replace("{HOST}", self.host), encoding="utf-8")
        return folder

    def _next(self, asked: Asked, right: bool, step: str) -> None:
        if right:
            self.at = step
        asked.give(200, json.dumps({"next": step} if right else {}).encode(), "application/json")

    def _login(self, asked: Asked) -> None:
        self.at = "login"
        proof = hashlib.sha256(f"{CODE}14.03.1957".encode()).hexdigest()
        self._next(asked, json.loads(asked.body)["proof"] == proof, "sms")

    def _sms(self, asked: Asked) -> None:
        self._next(asked, self.at == "sms" and json.loads(asked.body)["code"] == SMS, "captcha")

    def _captcha(self, asked: Asked) -> None:
        x, y = json.loads(asked.body)
        inside = all(0 <= at - edge < 20 for at, edge in zip((x, y), self.red, strict=True))
        self._next(asked, self.at == "captcha" and inside, "images")

    def _picture(self, asked: Asked) -> None:
        time.sleep(0.3)  # longer than the page that shows it
        drawn = np.full((160, 280, 3), 200, np.uint8)
        x, y = self.red
        drawn[y : y + 20, x : x + 20] = RED
        asked.give(200, bytes(imagecodecs.png_encode(drawn)), "image/png")

    def _parcel(self, asked: Asked) -> None:
        asked.give(200 if self.at == "images" else 403, self.parcel if self.at == "images" else b"")


def red_in(picture: bytes) -> str:
    """Return where somebody would click who looks at a picture of the page."""
    found = np.argwhere((imagecodecs.png_decode(picture)[..., :3] == RED).all(-1))
    assert len(found) >= 20 * 20
    y, x = found.mean(0).round().astype(int)
    return f"{x},{y}"
