"""What can go wrong with searching and fetching elsewhere."""

from __future__ import annotations

from radrelay.errors import Conflict, Invalid, NotFound, RadrelayError, Trouble, Unavailable


class RetrieveOff(NotFound):
    """Searching and fetching elsewhere is switched off on this installation."""

    code = "retrieve-off"


class PacsNotFound(NotFound):
    """There is no such PACS, or it is not for you."""

    code = "pacs-not-found"


class PacsInvalid(Invalid):
    """The settings of the PACS cannot be right."""

    code = "pacs-invalid"


class PacsExists(PacsInvalid):
    """Another PACS has this name."""

    code = "pacs-exists"


class PacsInUse(Conflict):
    """Studies are still being fetched from this PACS; cancel that first."""

    code = "pacs-in-use"


class PacsDisabled(Conflict):
    """This PACS was removed or switched off."""

    code = "pacs-off"


class SearchTooWide(Invalid):
    """Name a patient, a number, or a few days: this would ask for everything that the PACS has."""

    code = "search-too-wide"


class WorklistTooWide(Invalid):
    """Name a patient, a number, or a day: this would ask for everything on the worklist."""

    code = "worklist-too-wide"


class SearchTimedOut(Unavailable):
    """The PACS has not answered in time."""

    code = "search-timed-out"


class FetchNotFound(NotFound):
    """There is no such fetch."""

    code = "fetch-not-found"


class FetchEnded(Conflict):
    """This fetch has already ended, or is under way."""

    code = "fetch-ended"


class FetchedNothing(NotFound):
    """The PACS has no such study."""

    code = "fetched-nothing"


class FetchIncomplete(Conflict):
    """Not all that the PACS has came."""

    code = "fetch-incomplete"


class FetchSentOthers(Conflict):
    """The PACS sent objects of other studies, which were refused."""

    code = "fetch-sent-others"


class RetrievalRefused(Unavailable):
    """The PACS did not carry the retrieval out."""

    code = "retrieval-refused"


class Broken(ConnectionError):
    """A connection could not be opened, or was lost; `trouble` says why."""

    def __init__(self, cause: RadrelayError) -> None:
        self.trouble = Trouble.of(cause)
        super().__init__(cause.message)


class ScheduleNotFound(NotFound):
    """There is no such schedule."""

    code = "schedule-not-found"


class ScheduleInvalid(Invalid):
    """The schedule cannot be right."""

    code = "schedule-invalid"


class ScheduleExists(ScheduleInvalid):
    """Another schedule has this name."""

    code = "schedule-exists"


class RunNotFound(NotFound):
    """There is no such run."""

    code = "run-not-found"


class RunEnded(Conflict):
    """This run has already ended."""

    code = "run-ended"


class ScheduleRuns(Conflict):
    """A run of this schedule goes on; the next one can begin when it is over."""

    code = "schedule-runs"


class RunMissed(Conflict):
    """Its time was over before anything could be fetched."""

    code = "run-missed"


class SearchedNobody(Unavailable):
    """None of the PACS has answered."""

    code = "searched-nobody"
