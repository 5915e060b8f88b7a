"""The shapes of logging in and out: credentials, challenges and proofs, and a login as its owner sees it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from radrelay.errors import Invalid
from radrelay.identity import Proof, from_text


class Credentials(BaseModel):
    """A user name and a password."""

    model_config = ConfigDict(extra="ignore")

    username: str = Field(max_length=200)
    password: str = Field(max_length=256)


class Challenged(BaseModel):
    """Whose challenge is asked for."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(min_length=1, max_length=200)


class ChallengeAnswer(BaseModel):
    """What a proof is made from: bytes in base64url without padding. Without `salt` the password itself is asked for.

    `identity` is I of SRP-6a over RFC 5054's group of 2048 bits with SHA-512; the password enters as the 64 bytes of
    PBKDF2-HMAC-SHA-512 over its NFC form with `salt` and `iterations`. `server_public` is B, `challenge` comes back.
    `new_iterations` is what a new password is to be stretched by.
    """

    identity: str
    salt: str
    iterations: int
    server_public: str
    challenge: str
    new_iterations: int


class ProofGiven(BaseModel):
    """The answer to a challenge: A and M1 in base64url without padding."""

    model_config = ConfigDict(extra="forbid")

    challenge: str = Field(max_length=4000)
    client_public: str = Field(max_length=400)
    client_proof: str = Field(max_length=100)

    def proof(self) -> Proof:
        """Return the proof; raises `Invalid` for what is not base64url."""
        try:
            public = int.from_bytes(from_text(self.client_public))
            return Proof(self.challenge, public, from_text(self.client_proof))
        except ValueError as error:
            raise Invalid("a proof is base64url without padding") from error


class VerifierGiven(BaseModel):
    """What is to be kept of a new password: salt and v = g^x in base64url without padding."""

    model_config = ConfigDict(extra="forbid")

    salt: str = Field(max_length=400)
    iterations: int
    verifier: str = Field(max_length=400)


class PasswordChange(BaseModel):
    """A proof of the present password, and the verifier of the new one."""

    model_config = ConfigDict(extra="forbid")

    current: ProofGiven
    new: VerifierGiven


class SessionAccount(BaseModel):
    """Who is logged in."""

    id: uuid.UUID
    username: str
    name: str
    role: str
    language: str
    must_change_password: bool
    must_accept: bool = False  # terms or privacy notice, before anything else
    from_directory: bool = False


class SharedHere(BaseModel):
    """What a link lets do, only look or download, and whose it is."""

    may_download: bool
    organisation: str
    organisation_id: uuid.UUID


class BroughtHere(BaseModel):
    """Which program has opened the viewer in somebody's name."""

    program: str


class FactorsReset(BaseModel):
    """Who took somebody's second factors away, when and why."""

    model_config = ConfigDict(from_attributes=True)

    by_name: str
    reason: str
    at: datetime


class SessionAnswer(BaseModel):
    """A login: who, the token for X-CSRF-Token, and until when. A token's caller has neither of the latter two.

    `idle_left_s` and `left_s` say the same in seconds from now, for a browser whose clock is wrong; the former grows by
    POST /api/session/use alone. Of an opened link the role is `link`, and `shared` says what it lets do; null for
    everybody else.
    """

    account: SessionAccount
    csrf_token: str
    expires_at: datetime | None
    idle_until: datetime | None
    idle_left_s: float | None = None
    left_s: float | None = None
    shared: SharedHere | None = None
    launched: BroughtHere | None = None
    """A program has opened this login: it reaches what that asked for, and nothing else."""
    stage: Literal["open", "factor", "set-up"] = "open"
    """How far the login has come: `factor` waits for a second factor, `set-up` until one is set up."""
    reset: FactorsReset | None = None
    """An administrator took this person's second factors away, and they have not read of it."""


class LoginAnswer(SessionAnswer):
    """A new login. `server_proof` is M2: who gets another one does not talk to the server that has the verifier."""

    server_proof: str


class Onward(BaseModel):
    """Where the browser goes on to, to log out at the provider of single sign-on."""

    onward: str


class Used(BaseModel):
    """How many seconds ago somebody last did something in the pages: touched, typed, clicked."""

    model_config = ConfigDict(extra="forbid")

    idle_s: float = Field(0.0, ge=0, le=86_400)
