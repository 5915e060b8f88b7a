"""Who goes first on a busy machine: what people and modalities wait for, then the work behind it."""

from __future__ import annotations

import os
from pathlib import Path

import structlog

AUTOGROUP = Path("/proc/self/autogroup")
BEHIND = 10
log = structlog.get_logger(__name__)


def step_back() -> None:
    """Give this process, and threads it begins from now on, a tenth of the processor where others want it too.

    Linux shares the processor among sessions first where it groups by them (sched(7), autogroup): the group steps back.
    """
    os.nice(BEHIND)
    if os.getsid(0) != os.getpid():
        return  # the session is somebody else's
    try:
        AUTOGROUP.write_text(str(BEHIND))
    except OSError as error:  # no such grouping here, or not for us to say
        log.debug("the session keeps its share of the processor", reason=error.strerror)
