"""What can go wrong with second factors."""

from __future__ import annotations

from radrelay.errors import Conflict, Forbidden, Invalid, Unauthenticated


class FactorWanted(Forbidden):
    """Answer with your second factor first."""

    code = "factor-wanted"


class FactorSetUpWanted(Forbidden):
    """Set up a second factor first: your role or a group of yours needs one."""

    code = "factor-set-up-wanted"


class FreshProofWanted(Forbidden):
    """Prove again who you are, by password or second factor: this asks for a proof within five minutes."""

    code = "fresh-proof-wanted"


class FactorRefused(Forbidden):
    """This code or passkey is wrong, is over, or was used before."""

    code = "factor-refused"

    reason = "wrong"
    """What the record says of it, and the answer does not."""

    def __init__(self, reason: str = "wrong") -> None:
        super().__init__()
        self.reason = reason


class PasskeyRefused(Unauthenticated):
    """This passkey opens nothing here."""

    code = "passkey-refused"

    def __init__(self, reason: str = "wrong") -> None:
        super().__init__()
        self.reason = reason


class PasskeyNotTaken(Invalid):
    """The passkey could not be taken in; begin again."""

    code = "passkey-not-taken"


class PasskeyTaken(Conflict):
    """This passkey is registered already."""

    code = "passkey-taken"


class PasskeysNotHere(Conflict):
    """Passkeys need an https address with a name (the setting web.address), or http://localhost for a trial."""

    code = "passkeys-not-here"


class PasskeysElsewhere(Conflict):
    """Passkeys belong to one address of this site; open that."""

    code = "passkeys-elsewhere"


class NoAddress(Conflict):
    """No PIN can be sent: there is no mail server, or your account has no e-mail address."""

    code = "no-mail-address"


class FactorNotAllowed(Conflict):
    """This kind of second factor is not among those that your role or group may use."""

    code = "factor-not-allowed"


class TooManyFactors(Conflict):
    """No further second factor can be added; remove one first."""

    code = "too-many-factors"


class LastFactor(Conflict):
    """Your role or a group of yours needs a second factor, and this is your last: add another one first."""

    code = "last-factor"


class OwnFactors(Conflict):
    """Your own second factors are changed on your account page."""

    code = "own-factors"


class KindNotPossible(Conflict):
    """Nobody could fulfil this: none of the chosen kinds can be used on this site."""

    code = "factor-kind-not-possible"
