"""Tries a destination for the page's button, by what deliveries to it go by, too."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from radrelay.app.carriers import open_carriers
from radrelay.app.core import Core
from radrelay.app.stored import client_tls, node_of
from radrelay.dicom.probe import make_probe
from radrelay.errors import Fact, RadrelayError
from radrelay.identity.posting import open_post
from radrelay.mail.errors import MailNotSet
from radrelay.network.client import echo
from radrelay.network.tls import client_context
from radrelay.routing.errors import FolderUnusable
from radrelay.routing.folder import FolderCarrier
from radrelay.routing.models import Destination
from radrelay.routing.secrets import SecretSeal
from radrelay.routing.stow import StowCarrier, require_service, told
from radrelay.routing.trying import Step, look_at_port, look_at_tls, send_probe, step


class Trials:
    """Tries destinations."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._carriers = open_carriers(core)

    def run(self, destination: Destination, *, probe: bool) -> Sequence[Step]:
        """Return the steps that were taken, up to the first that shows a trouble."""
        taken: list[Step] = []
        for one in self._steps(destination, probe=probe):
            taken.append(one)
            if one.trouble is not None:
                break
        return taken

    def _steps(self, destination: Destination, *, probe: bool) -> Iterator[Step]:
        kinds = {
            "dicom": self._node, "dicomweb": self._web, "folder": self._folder, "mail": self._mail, "hl7": self._hl7,
        }  # fmt: skip
        yield from kinds[destination.kind](destination)
        if probe and destination.kind in ("dicom", "dicomweb", "folder"):
            now, carrier = self._core.clock.now(), self._carriers[destination.kind]
            yield step("probe", lambda: send_probe(carrier, destination, make_probe(now), now))
        elif probe and destination.kind == "mail":
            yield step("letter", lambda: self._letter(destination))

    def _node(self, destination: Destination) -> Iterator[Step]:
        settings = self._core.settings.dicom
        if destination.tls:
            yield step(
                "tls", lambda: look_at_tls(destination.host, destination.port, client_context(client_tls(settings)))
            )
        yield step("echo", lambda: _raised(echo(node_of(destination, settings)).error))

    def _web(self, destination: Destination) -> Iterator[Step]:
        carrier = StowCarrier(self._core.settings.work, SecretSeal(self._core.keyring.metadata_key))
        parts = urlsplit(destination.address)
        if parts.scheme == "https":
            yield step("tls", lambda: look_at_tls(parts.hostname or "", parts.port or 443, carrier.context()))
        yield step("login", lambda: _logged_in(carrier, destination))

    def _folder(self, destination: Destination) -> Iterator[Step]:
        yield step("folder", lambda: _written(FolderCarrier(self._core.settings.work.folders), destination))

    def _mail(self, destination: Destination) -> Iterator[Step]:
        del destination
        post = open_post(self._core.settings, self._core.clock, self._core.keyring.metadata_key)
        yield step("connect", lambda: _raised(None if post.is_set else MailNotSet()))

    def _hl7(self, destination: Destination) -> Iterator[Step]:
        if destination.tls:
            context = client_context(client_tls(self._core.settings.dicom))
            yield step("tls", lambda: look_at_tls(destination.host, destination.port, context))
        else:
            yield step("connect", lambda: look_at_port(destination.host, destination.port))

    def _letter(self, destination: Destination) -> Mapping[str, Fact]:
        post = open_post(self._core.settings, self._core.clock, self._core.keyring.metadata_key)
        with self._core.database.write() as session:
            house = post.house_of(session, destination.organisation_id)
            letter = post.letter("test", "", house=house)
            post.enqueue(session, destination.organisation_id, destination.address, letter)
        return {"address": destination.address}


def _raised(error: RadrelayError | None) -> Mapping[str, Fact]:
    if error is not None:
        raise error
    return {}


def _logged_in(carrier: StowCarrier, destination: Destination) -> Mapping[str, Fact]:
    """Ask for one study, so that nothing is changed there; a service without searches is one all the same."""
    url = f"{destination.address.rstrip('/')}/studies"
    with carrier.client(destination) as client, told(url):
        reply = client.get(url, params={"limit": "1"})
    if reply.status_code not in (400, 405, 406, 501):
        require_service(reply, url)
    return {"status": reply.status_code}


def _written(carrier: FolderCarrier, destination: Destination) -> Mapping[str, Fact]:
    folder = carrier.folder(destination)
    path = folder / f".radrelay-{uuid.uuid4().hex}"
    try:
        number = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        os.close(number)
        path.unlink()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        reason = error.strerror or str(error)
        raise FolderUnusable(f"{folder} cannot be written: {reason}", folder=str(folder), reason=reason) from error
    return {"free": free}
