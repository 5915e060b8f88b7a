"""The server's side of a login by proof, for pages that are tested without a server."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from radrelay.identity import SRP, from_text, to_text, verifiers
from radrelay.identity.verifiers import Verifier

ITERATIONS = 100_000  # the fewest that the page takes


@dataclass(frozen=True)
class Challenged:
    """What the server remembers of a challenge."""

    username: str
    verifier: Verifier
    secret: int


def challenge_for(username: str, password: str, remembered: dict[str, Challenged]) -> dict[str, Any]:
    made = Challenged(username, verifiers.make(username, password, ITERATIONS), secrets.randbits(256))
    name = secrets.token_hex(8)
    remembered[name] = made
    public = SRP.server_public(made.verifier.value, made.secret)
    return {
        "identity": username, "salt": to_text(made.verifier.salt), "iterations": ITERATIONS,
        "server_public": to_text(SRP.group.pad(public)), "challenge": name, "new_iterations": ITERATIONS,
    }  # fmt: skip


def proven(given: dict[str, str], remembered: dict[str, Challenged]) -> tuple[str, str] | None:
    """Return who has proven the password, and the server's proof; None if nobody has."""
    asked = remembered[given["challenge"]]
    client = int.from_bytes(from_text(given["client_public"]))
    server = SRP.server_public(asked.verifier.value, asked.secret)
    key = SRP.session_key(SRP.server_premaster(client, server, asked.secret, asked.verifier.value))
    expected = SRP.client_proof(asked.username, asked.verifier.salt, client, server, key)
    if from_text(given["client_proof"]) != expected:
        return None
    return asked.username, to_text(SRP.server_proof(client, expected, key))
