"""Second factors: passkeys, codes of an app, PINs by e-mail, recovery codes; who needs one.

A login whose password was right waits at the stage `factor` until one is answered, or at `set-up` until one is set up;
at either it reaches what that takes and nothing else. A passkey that verifies who holds it is a login by itself.
"""

from radrelay.identity.factors.service import Factors
from radrelay.identity.factors.values import (
    KINDS,
    Answer,
    AnswerKind,
    FactorView,
    Kind,
    PasskeySite,
    ResetView,
    RuleView,
    Standing,
    Used,
)

__all__ = [
    "KINDS",
    "Answer",
    "AnswerKind",
    "FactorView",
    "Factors",
    "Kind",
    "PasskeySite",
    "ResetView",
    "RuleView",
    "Standing",
    "Used",
]
