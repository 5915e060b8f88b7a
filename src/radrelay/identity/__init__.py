"""Who people and machines are: organisations, accounts, passwords, logins, API tokens.

Identity says who someone is; what they may see is `radrelay.access`'s, what they did is `radrelay.audit`'s.
"""

from radrelay.identity.errors import (
    AccountExists,
    LastAdmin,
    LoginRefused,
    PasswordWeak,
    SessionEnded,
    TokenRefused,
    TooManyAttempts,
)
from radrelay.identity.service import Identity
from radrelay.identity.values import AccountView, CheckedLogin, LoginTry, NewToken, OpenSession, TokenView

__all__ = [
    "AccountExists",
    "AccountView",
    "CheckedLogin",
    "Identity",
    "LastAdmin",
    "LoginRefused",
    "LoginTry",
    "NewToken",
    "OpenSession",
    "PasswordWeak",
    "SessionEnded",
    "TokenRefused",
    "TokenView",
    "TooManyAttempts",
]
