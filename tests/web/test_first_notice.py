"""The texts that a site begins with: they name what the settings know, and are published as they are."""

from __future__ import annotations

import re
from pathlib import Path

from radrelay.privacy import notice
from radrelay.privacy.in_browser import kept_here
from tests.web.conftest import WebSite
from tests.web.test_privacy_texts import CONTACTS, asked, publish

STARTERS = Path(__file__).parents[2] / "frontend" / "app" / "privacy" / "starters.ts"


def starter(kind: str) -> dict[str, str]:
    """Return a text that the editor begins with."""
    of_kind = STARTERS.read_text().partition(f"\n  {kind}: {{")[2]
    return {language: re.findall(rf"{language}: `([^`]*)`", of_kind)[0] for language in ("english", "german")}


def test_the_text_that_a_site_begins_with_says_all_that_the_settings_know(site: WebSite) -> None:
    root, begun = site.login("root"), starter("notice")
    asked(root, "PUT", "contacts", CONTACTS | {"terms_required": False, "notice_required": False})
    for text in begun.values():
        named = set(notice.PLACEHOLDER.findall(text))
        assert set(notice.NAMES) - named <= {"organisation", "region"}, "the controller is the organisation by its name"
    made = publish(root, "notice", begun)
    assert "Usage is not counted." in made["english"]
    assert "Die Nutzung wird nicht gezählt." in made["german"]
    for one in kept_here(counting=False):
        assert one.english in made["english"]
        assert one.german in made["german"]
    publish(root, "terms", starter("terms"))
