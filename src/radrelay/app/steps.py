"""Performed procedure steps in the role `work`: what modalities said is passed on, by one machine."""

from __future__ import annotations

import threading

from radrelay.app.core import Core
from radrelay.app.stored import DicomCarrier
from radrelay.app.threads import loop
from radrelay.routing.performing import StepWork
from radrelay.storage.leadership import Leadership

TELL_S = 1.0


def keep_telling_steps(core: Core, holder: str, stop: threading.Event) -> list[threading.Thread]:
    """Return the thread that passes steps on while this machine is the one that does; it ends after what is sent."""
    work = StepWork(core.database, core.clock, core.settings.work, DicomCarrier(core.settings.dicom), stop)
    lead = Leadership(core.database, core.clock, "performed steps", holder)

    def tell() -> None:
        if work.any_to_do() and lead.held():
            work.begin()

    def run() -> None:
        loop("performed steps", TELL_S, stop, tell).run()
        work.close()

    return [threading.Thread(target=run, name="performed steps")]
