"""Who people and machines are: organisations, accounts, passwords, logins, API tokens.

Identity says who someone is; what they may see is `radrelay.access`'s, what they did is `radrelay.audit`'s.
"""

from radrelay.identity.address_changes import AddressChanges
from radrelay.identity.challenges import Challenge
from radrelay.identity.errors import (
    AccountExists,
    ChallengeOver,
    LastAdmin,
    LoginRefused,
    PasswordWeak,
    ProofWanted,
    SessionEnded,
    TokenRefused,
    TooManyAttempts,
)
from radrelay.identity.login import Proof
from radrelay.identity.password_links import PasswordLinks
from radrelay.identity.service import Identity
from radrelay.identity.sign_ups import SignUps
from radrelay.identity.srp import SRP
from radrelay.identity.standing import role_of
from radrelay.identity.values import AccountView, CheckedLogin, LoginTry, NewToken, OpenSession, TokenView
from radrelay.identity.verifiers import from_text, to_text

__all__ = [
    "SRP",
    "AccountExists",
    "AccountView",
    "AddressChanges",
    "Challenge",
    "ChallengeOver",
    "CheckedLogin",
    "Identity",
    "LastAdmin",
    "LoginRefused",
    "LoginTry",
    "NewToken",
    "OpenSession",
    "PasswordLinks",
    "PasswordWeak",
    "Proof",
    "ProofWanted",
    "SessionEnded",
    "SignUps",
    "TokenRefused",
    "TokenView",
    "TooManyAttempts",
    "from_text",
    "role_of",
    "to_text",
]
