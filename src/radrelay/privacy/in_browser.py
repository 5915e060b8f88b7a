"""What Radrelay keeps in a browser, each with what it is for and how long: all of it, and a test compares.

Cookies are named as routes know them; over TLS they have the prefix `__Host-`. Those that are needed for what somebody
asked for want no consent (ePrivacy directive 2002/58/EC, Art. 5 (3)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Where = Literal["cookie", "local", "tab"]
Lasts = Literal["browser", "login", "ten-minutes", "400-days", "until-cleared", "tab"]
CONSENT_KEY = "tracking-consent"
BROWSER_KEY = "tracking-id"


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that is kept: `where` is a cookie, the local storage, or that of one tab; `name` may end in a star."""

    where: Where
    name: str
    lasts: Lasts
    english: str
    german: str
    only_counting: bool = False
    """Is there only where usage is counted."""

    def is_called(self, name: str) -> bool:
        """Say whether something that a browser holds is this."""
        return name.startswith(self.name[:-1]) if self.name.endswith("*") else name == self.name


EVERYTHING: tuple[Kept, ...] = (
    Kept("cookie", "radrelay_session", "browser", "Keeps you logged in.", "Hält Sie angemeldet."),
    Kept(
        "cookie", "radrelay_device", "400-days",
        "Knows this browser again at the login, so that strangers who guess passwords do not slow you down.",
        "Erkennt diesen Browser bei der Anmeldung wieder, damit Fremde, die Passwörter raten, Sie nicht aufhalten.",
    ),
    Kept(
        "cookie", "radrelay_link", "browser", "Keeps open what a link opened.", "Hält offen, was ein Link geöffnet hat."
    ),
    Kept(
        "cookie", "radrelay_sign_on_*", "ten-minutes", "Leads back from the site’s own login (single sign-on).",
        "Führt von der Anmeldung des Hauses (Single Sign-on) hierher zurück.",
    ),
    Kept(
        "cookie", "radrelay_workstation", "400-days",
        "Knows a workstation whose displays are checked; set when a display is entered.",
        "Erkennt einen Arbeitsplatz, dessen Bildschirme geprüft werden; gesetzt, wenn ein Bildschirm eingetragen wird.",
    ),
    Kept("local", "radrelay-language", "until-cleared", "The language you chose.", "Die Sprache, die Sie wählten."),
    Kept("local", "radrelay-theme", "until-cleared", "Dark or light, as you chose.", "Dunkel oder hell nach Wahl."),
    Kept(
        "tab", "radrelay-reader", "tab", "Who is logged in, so that nobody else finds what you searched for.",
        "Wer angemeldet ist, damit niemand anderes findet, wonach Sie suchten.",
    ),
    Kept(
        "local", "radrelay-leaving", "until-cleared",
        "Only while you log out: that it is to be done, if the server does not answer just then.",
        "Nur während Sie sich abmelden: dass es noch zu tun ist, falls der Server gerade nicht antwortet.",
    ),
    Kept(
        "tab", "radrelay-closed", "tab",
        "Only for a moment after you have closed your account: what is said of that, in numbers.",
        "Nur einen Augenblick, nachdem Sie Ihr Konto geschlossen haben: was dazu gesagt wird, in Zahlen.",
    ),
    Kept(
        "local", CONSENT_KEY, "until-cleared", "Whether you agree that usage is counted.",
        "Ob Sie einverstanden sind, dass die Nutzung gezählt wird.", only_counting=True,
    ),
    Kept(
        "local", BROWSER_KEY, "until-cleared",
        "Only if you agreed: a number drawn at random, by which what was counted can be deleted again.",
        "Nur wenn Sie einverstanden waren: eine zufällige Zahl, mit der sich das Gezählte wieder löschen lässt.",
        only_counting=True,
    ),
)  # fmt: skip


def kept_here(*, counting: bool) -> tuple[Kept, ...]:
    """Return what an installation keeps in browsers; `counting` says whether usage is counted."""
    return tuple(one for one in EVERYTHING if counting or not one.only_counting)
