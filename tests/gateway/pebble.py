"""A certificate authority that speaks ACME: Debian's Pebble, with a name server that knows every name as loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.ports import free_port

BOUND = ("known-clinic", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W")


@dataclass(frozen=True)
class Pebble:
    """A running authority."""

    directory: str
    trust: Path


@contextmanager
def pebble(folder: Path, tls_port: int, *, bound: bool = False) -> Iterator[Pebble]:
    """Run an authority that looks for proofs at `tls_port`, with `bound` for accounts that it knows alone."""
    folder.mkdir(parents=True, exist_ok=True)
    own = trustme.CA()
    trust, chain, key = folder / "trust.pem", folder / "chain.pem", folder / "key.pem"
    own.cert_pem.write_to_path(trust)
    server = own.issue_cert("127.0.0.1")
    server.cert_chain_pems[0].write_to_path(chain)
    server.private_key_pem.write_to_path(key)
    names, port, management = free_port(), free_port(), free_port()
    told = {
        "listenAddress": f"127.0.0.1:{port}", "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(chain), "privateKey": str(key), "httpPort": 1, "tlsPort": tls_port,
        "externalAccountBindingRequired": bound, "externalAccountMACKeys": dict([BOUND]) if bound else {},
    }  # fmt: skip
    (folder / "pebble.json").write_text(json.dumps({"pebble": told}))
    quick = os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
    log = (folder / "pebble.log").open("wb")
    none = ("-http01", "", "-https01", "", "-tlsalpn01", "")
    running = [
        subprocess.Popen(
            ["pebble-challtestsrv", "-dns01", f"127.0.0.1:{names}", *none, "-defaultIPv4", "127.0.0.1",
             "-defaultIPv6", "", "-management", f"127.0.0.1:{free_port()}"], stdout=log, stderr=log
        ),
        subprocess.Popen(
            ["pebble", "-config", str(folder / "pebble.json"), "-dnsserver", f"127.0.0.1:{names}"],
            stdout=log, stderr=log, env=quick,
        ),
    ]  # fmt: skip
    try:
        _answers(port)
        yield Pebble(f"https://127.0.0.1:{port}/dir", trust)
    finally:
        for one in running:
            one.terminate()
            one.wait(10)
        log.close()


def _answers(port: int) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return
