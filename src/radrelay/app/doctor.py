"""`radrelay doctor`: looks at everything an installation stands on and says what to do.

Keys, database, storage, ports, clock, codecs and disk; with `--verify` every stored object is read and
compared with the SHA-256 of its receipt.
"""

from __future__ import annotations

import shutil
import socket
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import sqlalchemy as sa
from cryptography import x509
from rich.console import Console
from rich.table import Table

from radrelay.app.analysis_findings import analysis_findings
from radrelay.app.certificates import certificate_findings
from radrelay.app.clear_ways import clear_way_findings
from radrelay.app.core import served_before
from radrelay.app.destination_watch import destination_findings
from radrelay.app.findings import Finding, State
from radrelay.app.gateway_findings import gateway_findings
from radrelay.app.importing.findings import browser_findings
from radrelay.app.mail import mail_findings
from radrelay.app.node_findings import node_findings
from radrelay.app.people_findings import group_findings, people_findings
from radrelay.app.record_keeping import record_findings
from radrelay.app.restored import UNFINISHED
from radrelay.clock import SystemClock
from radrelay.errors import RadrelayError
from radrelay.intake.indexer import Indexer
from radrelay.intake.pseudonymising import PseudonymDiversion
from radrelay.pseudonyms import VaultSeal
from radrelay.settings import Settings
from radrelay.storage.database import Database
from radrelay.storage.keys import Keyring
from radrelay.storage.keystore import KeyStore
from radrelay.storage.migrate import revision
from radrelay.storage.models import NodeState
from radrelay.storage.node import node_id
from radrelay.storage.packs import PackStore
from radrelay.storage.segments import SegmentReader

MARKS = {"good": "[green]good[/]", "look": "[yellow]look[/]", "bad": "[red]bad[/]"}


def doctor(settings: Settings, *, verify: bool) -> int:
    """Print every finding; returns 1 if one is bad."""
    findings = list(examine(settings))
    if verify and not any(f.state == "bad" for f in findings):
        from radrelay.app.verify import verify_objects  # noqa: PLC0415 -- opens the whole archive

        findings += verify_objects(settings)
    table = Table("", "what", "finding", "what to do", box=None)
    for finding in findings:
        table.add_row(MARKS[finding.state], finding.subject, finding.text, finding.advice)
    Console().print(table)
    return 1 if any(finding.state == "bad" for finding in findings) else 0


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield the findings; a part that fails does not hide the others."""
    yield from _disk(settings)
    yield from _codecs()
    yield from _clock(settings)
    yield from _ports(settings)
    yield from analysis_findings(settings)
    yield from pages_findings(settings)
    yield from mail_findings(settings)
    yield from people_findings(settings)
    yield from clear_way_findings(settings)
    yield from gateway_findings(settings, datetime.now(UTC))
    yield from browser_findings(settings)
    yield from certificate_findings(settings, datetime.now(UTC))
    if not settings.keys_dir.exists():
        yield Finding("keys", "look", "no keys yet: this data directory is new", "start Radrelay once")
        return
    try:
        keyring = Keyring.open(settings)
    except RadrelayError as error:
        yield Finding("keys", "bad", error.message, "put the master key back, or restore it from where you keep it")
        return
    yield Finding("keys", "good", "the master key opens the keyring")
    yield from _database(settings, keyring)
    yield from _storage(settings, keyring)


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir if settings.data_dir.exists() else settings.data_dir.resolve().parent
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    text = f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB free at {settings.data_dir}"
    if usage.free < settings.storage.min_free_bytes:
        yield Finding("disk", "bad", text, "objects are refused: free space or lower storage.min_free_bytes")
    elif usage.free < 5 * settings.storage.min_free_bytes:
        yield Finding("disk", "look", text, "plan for more room, or shorter retentions")
    else:
        yield Finding("disk", "good", text)


def _codecs() -> Iterator[Finding]:
    import imagecodecs  # noqa: PLC0415 -- slow to import, needed here alone

    from radrelay.dicom import openjph  # noqa: PLC0415 -- the same

    picture = (np.arange(64 * 64, dtype=np.uint16) * 7).reshape(64, 64)
    trials: dict[str, Callable[[], object]] = {
        "HTJ2K": lambda: openjph.decode(openjph.encode(picture, reversible=True)),
        "JPEG 2000": lambda: imagecodecs.jpeg2k_decode(imagecodecs.jpeg2k_encode(picture, reversible=True)),
        "JPEG-LS": lambda: imagecodecs.jpegls_decode(imagecodecs.jpegls_encode(picture)),
    }
    for name, trial in trials.items():
        try:
            good = np.array_equal(np.asarray(trial()), picture)
        except (RuntimeError, ValueError, ImportError) as error:
            yield Finding(f"codec {name}", "bad", str(error), "reinstall the package imagecodecs")
            continue
        state: State = "good" if good else "bad"
        yield Finding(f"codec {name}", state, "gives back what it was given" if good else "alters pixels")


def _clock(settings: Settings) -> Iterator[Finding]:
    now = datetime.now(UTC)
    newest = max((p.stat().st_mtime for p in settings.log_dir.glob("*.log")), default=0.0)
    if newest and datetime.fromtimestamp(newest, UTC) > now + timedelta(minutes=5):
        yield Finding(
            "clock", "bad", f"it is {now:%Y-%m-%d %H:%M} UTC, but logs are from later", "set the clock, use NTP"
        )
    else:
        yield Finding("clock", "good", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _ports(settings: Settings) -> Iterator[Finding]:
    wanted = [("pages", settings.web.host, settings.web.port), ("DICOM", settings.dicom.host, settings.dicom.port)]
    wanted += [("DICOM", settings.dicom.host, port) for port in settings.dicom.more_ports]
    if settings.dicom.tls_port is not None:
        wanted.append(("DICOM TLS", settings.dicom.host, settings.dicom.tls_port))
    if settings.database.url is not None:
        wanted.append(("other machines", settings.node.host, settings.node.port))
    for name, host, port in wanted:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                yield Finding(f"port {port}", "look", f"{name}: {error.strerror}", "fine if that is Radrelay itself")
                continue
        yield Finding(f"port {port}", "good", f"{name}: free at {host}")


def pages_findings(settings: Settings) -> Iterator[Finding]:
    """Say whether the pages are fit for others than this machine, and how long their certificate lasts."""
    web = settings.web
    if web.wants_tls:
        advice = "set web.tls_certificate and web.tls_key, or web.behind_proxy behind one that ends TLS"
        yield Finding("TLS", "look", "the pages answer plain HTTP, and that to this machine alone", advice)
    if web.tls_certificate is None:
        return
    try:
        left = x509.load_pem_x509_certificate(web.tls_certificate.read_bytes()).not_valid_after_utc - datetime.now(UTC)
    except (OSError, ValueError) as error:
        yield Finding("TLS", "bad", f"web.tls_certificate: {error}", "name a PEM file with the certificate first")
        return
    state: State = "bad" if left <= timedelta() else "look" if left < timedelta(days=21) else "good"
    text = f"the pages' certificate lasts {max(0, left.days)} days more"
    yield Finding("TLS", state, text, "" if state == "good" else "renew it, then start Radrelay again")


def _database(settings: Settings, keyring: Keyring) -> Iterator[Finding]:
    database = Database.open(settings.database, settings.data_dir, keyring.metadata_key)
    try:
        schema = revision(database)
        yield Finding("database", "good", f"{database.dialect} answers, schema {schema or 'empty'}")
        if schema is not None:
            with database.read() as session:
                suspended = session.get(NodeState, "expiry-suspended")
                half_restored = session.get(NodeState, UNFINISHED)
            if suspended is not None:
                text = "expiry is suspended since the clock jumped"
                yield Finding("expiry", "bad", text, "check the clock, then `radrelay expiry resume`")
            if half_restored is not None:
                yield Finding("restore", "bad", "a restore was cut off before its end", "run `radrelay restore` again")
            yield from destination_findings(database)
            yield from node_findings(database, settings)
            yield from group_findings(settings, database)
            yield from record_findings(settings, database, datetime.now(UTC))
            yield from _landing(settings, keyring, database)
    except (RadrelayError, sa.exc.SQLAlchemyError) as error:
        yield Finding("database", "bad", str(error), "check database.url and that the server runs")
    finally:
        database.close()


def _landing(settings: Settings, keyring: Keyring, database: Database) -> Iterator[Finding]:
    """Say what has landed and is not in the list; while a role takes objects in, some are on their way."""
    segments = SegmentReader(settings.landing_dir, keyring, node=node_id(settings.data_dir))
    clock = SystemClock()
    diversion = PseudonymDiversion(database, clock, VaultSeal(keyring.vault_key))
    waiting = Indexer(database, segments, settings, clock, diversion).backlog()
    if waiting:
        text = f"{waiting} landed objects are not in the list yet"
        yield Finding("landing", "look", text, "they come into it while Radrelay runs; if it does, look at its log")


def _storage(settings: Settings, keyring: Keyring) -> Iterator[Finding]:
    try:
        keys = KeyStore.open(settings, keyring, served_before=served_before(settings))
    except RadrelayError as error:
        yield Finding("study keys", "bad", error.message, "restore the key store from its mirror")
        return
    probe, study = uuid.uuid4(), uuid.uuid4()
    try:
        packs = PackStore.open(settings, keyring, keys)
        writer = packs.create(probe, study)
        writer.add(b"radrelay")
        info = writer.finish(b"toc")
        good = packs.read(info.ref, 0, 8) == b"radrelay"
        packs.delete(info.ref.name)
        keys.destroy([probe])
        yield Finding("storage", "good" if good else "bad", "a probe was written, read and removed")
    except RadrelayError as error:
        yield Finding("storage", "bad", error.message, "check storage.url, its rights and that the store answers")
    finally:
        keys.close()
