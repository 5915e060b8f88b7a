"""Tells administrators by mail of certificates that end: three weeks, a week and a day before, and once it is over.

Each machine looks at its own files. What was told is remembered by the certificate's fingerprint, so that a new one
begins anew and two machines with one file tell of it once.
"""

from __future__ import annotations

import socket
import threading
import uuid
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import system_principal
from radrelay.app.certificates import SiteCertificate, site_certificates
from radrelay.app.core import Core
from radrelay.app.threads import loop
from radrelay.archive.retention import clock_is_trusted
from radrelay.identity.accounts import reachable_administrators
from radrelay.identity.posting import open_post
from radrelay.mail import Post
from radrelay.mail.letters import language_of, until
from radrelay.mail.notices import CERTIFICATES
from radrelay.settings import Settings
from radrelay.storage.database import Database
from radrelay.storage.models import NodeState

LOOK_S = 3600.0
FIRST_S = 30.0
NOBODY = uuid.UUID(int=0)
log = structlog.get_logger(__name__)


class CertificateWatch:
    """Looks at the certificates of one machine."""

    def __init__(self, database: Database, settings: Settings, organisation_id: uuid.UUID, post: Post) -> None:
        self._database = database
        self._settings = settings
        self._organisation_id = organisation_id
        self._post = post

    def look(self, now: datetime) -> int:
        """Look once; returns how many letters were posted."""
        due = [(one, stage) for one in site_certificates(self._settings) if (stage := one.stage(now)) is not None]
        if not due:
            return 0
        with self._database.write() as session:
            if not clock_is_trusted(session, now):
                return 0
            return sum(self._tell(session, one, stage) for one, stage in due)

    def _tell(self, session: Session, one: SiteCertificate, stage: int) -> int:
        name = f"certificate/{one.kind}/{one.fingerprint}"
        told = session.get(NodeState, name)
        if told is not None and int(told.value) <= stage:
            return 0
        session.merge(NodeState(name=name, value=str(stage).encode()))
        session.flush()
        whom = reachable_administrators(session, self._organisation_id, NOBODY) if self._post.is_set else []
        for account in whom:
            language = language_of(account.language, self._post.settings.language)
            kind = CERTIFICATES[language][one.kind]
            facts = {
                "certificate": kind, "subject": one.subject or "–", "file": str(one.file), "days": str(stage),
                "machine": self._settings.node.name or socket.gethostname(), "at": until(one.ends_at, language),
            }  # fmt: skip
            house = self._post.house_of(session, self._organisation_id)
            form = "certificate-ends" if stage else "certificate-ended"
            letter = self._post.letter(form, language, whom=account.full_name, house=house, **facts)
            self._post.enqueue(session, self._organisation_id, account.email or "", letter, account_id=account.id)
        detail = {"certificate": one.kind, "until": one.ends_at.isoformat(), "days": stage, "letters": len(whom)}
        record = audit.AuditRecord("certificate.ends", system_principal(self._organisation_id), detail=detail)
        audit.record(session, record)
        log.warning("a certificate ends", certificate=one.kind, file=str(one.file), days=stage)
        return len(whom)


def keep_certificates(core: Core, organisation_id: uuid.UUID, stop: threading.Event) -> list[threading.Thread]:
    """Return the thread of `work` that tells of certificates that end."""
    post = open_post(core.settings, core.clock, core.keyring.metadata_key)
    watch = CertificateWatch(core.database, core.settings, organisation_id, post)
    return [loop("certificates", LOOK_S, stop, lambda: watch.look(core.clock.now()), FIRST_S)]
