"""Why an import does not go on here, each by a name that staff can act on; what portals do is in `errors`."""

from __future__ import annotations

from radrelay.errors import Conflict, Forbidden, Invalid, NotFound, RadrelayError, TooLarge, Unavailable


class ImportTrouble(RadrelayError):
    """Something is wrong with an import here."""

    code = "import-trouble"


class ImportUnknown(ImportTrouble, NotFound):
    """Nothing by this id is being imported, or it is not for you to see."""

    code = "import-unknown"
    http_status = 404


class ImportElsewhere(ImportTrouble, Conflict):
    """The import is in another state by now; look at it again."""

    code = "import-moved-on"
    http_status = 409


class ImportChosenOtherwise(ImportTrouble, Conflict):
    """Somebody has chosen another patient or order meanwhile; look at it again."""

    code = "import-chosen-otherwise"
    http_status = 409


class PatientUnseen(ImportTrouble, Conflict):
    """This is about somebody here whom you may not see; a colleague who may decides on it."""

    code = "patient-unseen"
    http_status = 409


class FindingGone(ImportTrouble, Conflict):
    """What was to be confirmed is not found like that any more; look at it again."""

    code = "import-finding-gone"
    http_status = 409


class ImportBeingFiled(ImportTrouble, Conflict):
    """The import is being filed; it can be given up once that has ended."""

    code = "import-being-filed"
    http_status = 409


class NothingToFollow(ImportTrouble, Invalid):
    """This holds no link that leads to images."""

    code = "import-no-link"
    http_status = 400


class ImportOutOfBounds(ImportTrouble):
    """The import goes beyond what one may take as a whole; what has come whole of it can be checked.

    `listed` is what the portal lists, as JSON, with what has not come as out of reach; empty where nothing was brought.
    """

    listed: str = ""


class ImportTooLarge(ImportOutOfBounds, TooLarge):
    """All that the portal sends is more than one import may bring."""

    code = "import-too-large"
    http_status = 413


class ImportTooLong(ImportOutOfBounds, Conflict):
    """Fetching all that the portal lists takes longer than one import may."""

    code = "import-too-long"
    http_status = 409


class NotOutOfBounds(ImportTrouble, Conflict):
    """Nothing has come whole of this import that could be checked by itself."""

    code = "import-nothing-whole"
    http_status = 409


class LinkUnreadable(ImportTrouble, Conflict):
    """The link can no longer be read here; enter it again."""

    code = "import-link-unreadable"
    http_status = 409


class ImportStopped(ImportTrouble, Conflict):
    """A finding stops this; it cannot be filed like this."""

    code = "import-stopped"
    http_status = 409


class ImportPutAside(ImportStopped):
    """Nothing is filed: the archive took none of it, for something else of the same numbers had come first."""

    code = "import-put-aside"


class ImportUnconfirmed(ImportTrouble, Conflict):
    """Findings are still to be looked at."""

    code = "import-unconfirmed"
    http_status = 409


class ImportUndecided(ImportTrouble, Conflict):
    """Nobody has said yet whose these images are here."""

    code = "import-undecided"
    http_status = 409


class PatientUnusable(ImportTrouble, Invalid):
    """The local patient cannot be written like this."""

    code = "import-patient-unusable"
    http_status = 400


class ValueUnwritable(ImportTrouble, Invalid):
    """Images cannot hold what this field says."""

    code = "import-value-unwritable"
    http_status = 422


class ValueTooLong(ImportTrouble, Invalid):
    """Images cannot hold as much as this field says."""

    code = "import-value-too-long"
    http_status = 422


class OrderUnknown(ImportTrouble, Conflict):
    """This is no order of the chosen patient that a study may be filed under now."""

    code = "import-order-unknown"
    http_status = 409


class TakeBackHeld(ImportTrouble, Conflict):
    """The processing of this study is restricted: nothing of it is taken back."""

    code = "import-take-back-held"
    http_status = 409


class ForwardElsewhere(ImportTrouble, Forbidden):
    """Of these studies more is here than portals brought, and you may not send it on: file without a destination."""

    code = "import-forward-elsewhere"
    http_status = 403


class ImportBroken(ImportTrouble):
    """The import broke off several times and is not tried again by itself."""

    code = "import-broken"
    http_status = 500


class FetchUnforeseen(ImportTrouble):
    """Something went wrong while it was fetched that nobody foresaw: what was entered is not sent again by itself."""

    code = "import-fetch-unforeseen"
    http_status = 500


class ImportReported(ImportTrouble, Conflict):
    """The failure of this import has been reported already."""

    code = "import-reported"
    http_status = 409


class ReportUnknown(ImportTrouble, NotFound):
    """No report by this id is open."""

    code = "import-report-unknown"
    http_status = 404


class PageClosed(ImportTrouble, NotFound):
    """Nothing can be brought here by this page."""

    code = "bringing-closed"
    http_status = 404


class PageFull(ImportTrouble, Unavailable):
    """Too many imports wait already; try again later, or bring your paper along."""

    code = "bringing-full"
    http_status = 503


class NumberUnknown(ImportTrouble, NotFound):
    """There is nothing under this number, or it is long over."""

    code = "bringing-number-unknown"
    http_status = 404


class TextLacking(ImportTrouble, Conflict):
    """Publish the text that patients agree to first."""

    code = "bringing-text-lacking"
    http_status = 409


class NothingBrought(ImportTrouble, Conflict):
    """No file has come yet; bring some, or give the import up."""

    code = "import-nothing-brought"
    http_status = 409


class NotSentOn(ImportTrouble, Conflict):
    """It is filed here, but was not sent on: the destination is gone, or takes it no more. Send it on again."""

    code = "import-not-sent-on"
    http_status = 409


class NothingToSendOn(ImportTrouble, Conflict):
    """Nothing of what was filed is here any more."""

    code = "import-nothing-to-send-on"
    http_status = 409


class FileLate(ImportTrouble, Conflict):
    """This file came after somebody had said that no more follow: it is not part of the import, and is erased."""

    code = "import-file-late"
    http_status = 409


class FilesChanged(ImportTrouble, Unavailable):
    """A file came or went while all was looked at; it is looked at once more."""

    code = "import-files-changed"
    http_status = 503


class FileChanged(ImportTrouble, Conflict):
    """A file is not the one that was checked, so nothing of it is filed; all files have to be checked anew."""

    code = "import-file-changed"
    http_status = 409


class PageUnnamed(ImportTrouble, Conflict):
    """The page says not yet who is responsible: name the organisation and the controller, and publish both texts."""

    code = "bringing-unnamed"
    http_status = 409


class ReasonWanted(ImportTrouble, Invalid):
    """Say why what was filed stays."""

    code = "bringing-reason-wanted"
    http_status = 400


class ImportHeld(ImportTrouble, Conflict):
    """A backup was restored meanwhile; a person has this go on."""

    code = "import-held"
    http_status = 409
