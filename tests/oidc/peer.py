"""The peer of single sign-on: oidc-provider (npm) as a process on a free loopback port, over TLS, ended by its id.

Its packages are installed beside this file, once, by the Node.js that builds the front end.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import runpy
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import trustme
from joserfc.jwk import ECKey, RSAKey

from tests.ports import free_port

HERE = Path(__file__).parent
BUNDLE = HERE.parents[1] / "frontend" / "bundle.py"
START_S = 30.0
SECRET = "a secret: with % and + in it, longer than forty characters"
ANSWERED = "/api/oidc/callback"


def _node() -> Any:
    return runpy.run_path(str(BUNDLE))["find_node"]()


def install() -> Path:
    """Return Node.js, its packages installed."""
    node = _node()
    with (Path(tempfile.gettempdir()) / "radrelay-oidc-installing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted, there = HERE / "package-lock.json", HERE / "node_modules" / ".package-lock.json"
        if not there.exists() or there.stat().st_mtime < wanted.stat().st_mtime:
            path = f"{node.node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
            command = [*node.npm, "ci", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=HERE, env=os.environ | {"PATH": path}, check=True)
            there.touch()
    return Path(node.node)


@dataclass
class Peer:
    """A running provider."""

    folder: Path
    issuer: str
    own_key: Path
    logouts: str
    pid: int = 0
    people: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def person(self, subject: str, **claims: Any) -> None:
        """Have somebody there, who logs in by any password."""
        self.people[subject] = claims
        (self.folder / "people.json").write_text(json.dumps(self.people))

    def settings(self, auth: str = "client_secret_basic", **more: Any) -> dict[str, Any]:
        """Return what the settings say of this provider."""
        proof = {"client_key_file": self.own_key} if auth == "private_key_jwt" else {"client_secret": SECRET}
        return {
            "issuer": self.issuer, "client_id": auth, "client_auth": auth, "ca_file": self.ca_file, "name": "Klinik-ID",
            **proof, **more,
        }  # fmt: skip

    @contextmanager
    def browser(self) -> Iterator[PeerBrowser]:
        """Open a browser, as far as the provider's pages need one."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with httpx2.Client(verify=context, follow_redirects=False) as client:
            yield PeerBrowser(client)


@dataclass
class PeerBrowser:
    """Follows the provider's redirects and fills its forms until it leads elsewhere."""

    client: httpx2.Client

    def log_in(self, address: str, subject: str) -> str:
        """Go to the provider, log in if it asks, and return the address that it leads back to."""
        answer = self.client.get(address)
        for _ in range(12):
            if answer.is_redirect:
                target = urljoin(str(answer.request.url), answer.headers["location"])
                if ANSWERED in target:
                    return target
                answer = self.client.get(target)
                continue
            assert answer.status_code == 200, answer.text
            action = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
            assert action is not None, answer.text
            form = {"prompt": "login", "login": subject, "password": "any"}
            answer = self.client.post(urljoin(str(answer.request.url), action[1]), data=form)
        raise AssertionError("the provider leads round in circles")

    def log_out(self, address: str) -> str:
        """Log out at the provider, and return the address that it leads back to."""
        answer = self.client.get(address)
        assert answer.status_code == 200, answer.text
        action = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
        secret = re.search(r'name="xsrf" value="([^"]+)"', answer.text)
        assert action is not None, answer.text
        assert secret is not None, answer.text
        answer = self.client.post(action[1], data={"xsrf": secret[1], "logout": "yes"})
        assert answer.is_redirect, answer.text
        return str(answer.headers["location"])


def _clients(address: str, logouts: str, own: RSAKey) -> list[Mapping[str, Any]]:
    shared = {
        "redirect_uris": [address + ANSWERED],
        "post_logout_redirect_uris": [f"{address}/login"],
        "backchannel_logout_uri": logouts,
        "backchannel_logout_session_required": True,
        "response_types": ["code"],
        "grant_types": ["authorization_code"],
    }
    secret = [
        {"client_id": auth, "client_secret": SECRET, "token_endpoint_auth_method": auth, **shared}
        for auth in ("client_secret_basic", "client_secret_post")
    ]
    public = {**own.as_dict(private=False), "kid": own.thumbprint(), "use": "sig"}
    by_key = {
        "client_id": "private_key_jwt",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [public]},
        "id_token_signed_response_alg": "ES256",
        **shared,
    }
    return [*secret, by_key]


@contextmanager
def provider(address: str, logouts: str) -> Iterator[Peer]:
    """Run a provider that knows Radrelay at `address`, and tells `logouts` who has logged out."""
    node = install()
    with tempfile.TemporaryDirectory(prefix="radrelay-oidc-") as name:
        folder, port = Path(name), free_port()
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        certificate.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
        certificate.private_key_pem.write_to_path(str(folder / "server.key"))
        own = RSAKey.generate_key(2048, private=True)
        (folder / "own.pem").write_bytes(own.as_pem(private=True))
        keys = [
            {**RSAKey.generate_key(2048, private=True).as_dict(private=True), "kid": "rsa", "use": "sig"},
            {**ECKey.generate_key("P-256", private=True).as_dict(private=True), "kid": "ec", "use": "sig"},
        ]
        (folder / "keys.json").write_text(json.dumps({"keys": keys}))
        (folder / "clients.json").write_text(json.dumps(_clients(address, logouts, own)))
        (folder / "people.json").write_text("{}")
        peer = Peer(folder, f"https://127.0.0.1:{port}", folder / "own.pem", logouts)
        with (folder / "log").open("wb") as log:
            command = [str(node), str(HERE / "provider.mjs"), str(folder), str(port)]
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=HERE)
        try:
            _wait(folder / "log", process)
            peer.pid = process.pid
            yield peer
        finally:
            process.terminate()
            process.wait(START_S)


def _wait(log: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while "listening" not in log.read_text():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the provider did not start: {log.read_text()}")
        time.sleep(0.05)
