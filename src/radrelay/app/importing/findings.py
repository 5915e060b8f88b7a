"""What `radrelay doctor` finds out about the browser that portals are walked in: it is started as for a portal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from radrelay.app.findings import Finding
from radrelay.app.importing.work import chromium_of
from radrelay.importer.browser.pipe import Refused
from radrelay.importer.errors import BrowserNotHeld, PortalTrouble
from radrelay.importer.going_out import outgoing_of
from radrelay.importer.recipes.shelf import RecipeFolder
from radrelay.settings import Settings

SUBJECT = "browser for portals"
VERSION_S = 10.0


def browser_findings(settings: Settings) -> Iterator[Finding]:
    """Yield whether it is switched on, is there, and can be held."""
    wanting = [one.id for one in RecipeFolder(settings.importer.recipes).shelf().recipes if one.told.browser]
    chromium = chromium_of(settings)
    if chromium is None:
        if wanting:
            text = f"off, and needed by {', '.join(wanting)}"
            yield Finding(SUBJECT, "look", text, "set importer.browser.enabled, or fetch from there by hand")
        else:
            yield Finding(SUBJECT, "good", "off")
        return
    try:
        held = chromium.start(outgoing_of(settings))
        with closing(held):
            product = str(held.pipe.call("Browser.getVersion", VERSION_S).get("product", ""))
    except BrowserNotHeld as error:
        yield Finding(
            SUBJECT, "bad", error.message, "it needs Linux with user namespaces and Landlock, also in containers"
        )
    except (PortalTrouble, Refused) as error:
        yield Finding(SUBJECT, "bad", str(error), "install chromium, and name it in importer.browser.program")
    else:
        needed = f"; for {', '.join(wanting)}" if wanting else ""
        yield Finding(SUBJECT, "good", f"on: {product}, without a network but the portals{needed}")
        if not held.believes:
            text = f"does not believe {settings.importer.ca_file}"
            yield Finding(SUBJECT, "bad", text, "importer.ca_file is PEM, and the browser needs libnss3 (Debian)")
