"""A client's side of a login: the proof that one knows a password, for tests that log in without a browser."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from radrelay.identity import SRP, from_text, to_text, verifiers


def proof_of(challenge: Mapping[str, Any], password: str) -> tuple[dict[str, str], bytes]:
    """Return the body that answers a challenge, and the server's own proof that has to come back."""
    identity, salt = challenge["identity"], from_text(challenge["salt"])
    server = int.from_bytes(from_text(challenge["server_public"]))
    secret = secrets.randbits(256)
    public = SRP.client_public(secret)
    private = SRP.private_key(identity, verifiers.stretch(password, salt, challenge["iterations"]), salt)
    key = SRP.session_key(SRP.client_premaster(server, public, secret, private))
    proof = SRP.client_proof(identity, salt, public, server, key)
    body = {
        "challenge": challenge["challenge"],
        "client_public": to_text(SRP.group.pad(public)),
        "client_proof": to_text(proof),
    }
    return body, SRP.server_proof(public, proof, key)


def log_in(http: Any, username: str, password: str, **more: Any) -> Any:
    """Log in by proof and return the answer; the server's proof is checked where it came."""
    asked = http.post("/api/session/challenge", json={"username": username})
    assert asked.status_code == 200, asked.text
    body, expected = proof_of(asked.json(), password)
    answer = http.post("/api/session", json=body, **more)
    if answer.status_code == 200:
        assert from_text(answer.json()["server_proof"]) == expected, "the server does not have the verifier"
    return answer


def change_of(http: Any, username: str, current: str, new: str, iterations: int | None = None) -> dict[str, Any]:
    """Return the body that changes a password."""
    asked = http.post("/api/session/challenge", json={"username": username}).json()
    made = verifiers.make(asked["identity"], new, iterations or asked["iterations"])
    verifier = {
        "salt": to_text(made.salt), "iterations": made.iterations, "verifier": to_text(SRP.group.pad(made.value)),
    }  # fmt: skip
    return {"current": proof_of(asked, current)[0], "new": verifier}
