"""What can be wrong with projects, aliases and objects that are kept back."""

from __future__ import annotations

from radrelay.errors import Conflict, Invalid, NotFound, RadrelayError


class ProjectUnknown(NotFound):
    """There is no such project of pseudonyms."""

    code = "project-unknown"


class ProjectInvalid(Invalid):
    """This project cannot be set up so."""

    code = "project-invalid"


class AliasesNotAscii(ProjectInvalid):
    """Name and pattern would give aliases with letters that not every image can hold: write the pattern in ASCII."""

    code = "aliases-not-ascii"


class ProjectExists(Conflict):
    """There is a project of this name already."""

    code = "project-exists"


class ProjectDisabled(Conflict):
    """This project is switched off: nothing is handed out by it."""

    code = "project-disabled"


class ProjectFull(Conflict):
    """The pattern of this project has no number left; make another project with room for more."""

    code = "project-full"


class NothingHandedOut(Conflict):
    """No object of the study could be made safe: all are kept back, those that can be looked at for a person."""

    code = "nothing-handed-out"


class ProjectInUse(Conflict):
    """A source, a destination or an open delivery goes by this project; choose another there first."""

    code = "project-in-use"


class AliasUnknown(NotFound):
    """There is no such alias."""

    code = "alias-unknown"


class HeldUnknown(NotFound):
    """No such object is kept back."""

    code = "held-unknown"


class NotReleasable(Invalid):
    """What keeps this object back cannot be set aside by looking at it."""

    code = "held-not-releasable"


class CoverInvalid(Invalid):
    """A rectangle does not lie within the picture."""

    code = "cover-invalid"


class VaultDamaged(RadrelayError):
    """A row of the vault does not open: it was altered, or the vault key is another one."""

    code = "vault-damaged"


class NoRecogniser(Conflict):
    """Text is not looked for: tesseract is not installed on this machine."""

    code = "no-recogniser"
