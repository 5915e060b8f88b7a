"""Messages that are sent: written in the transaction of what they tell of, sent in their order, one receiver apart.

A message that its receiver refuses for good (AE) ends as failed, and the next goes on. One that cannot be handed over
is tried again after growing pauses, and all behind it wait, for receivers go by the order.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import RadrelayError, Trouble, Unavailable
from radrelay.hl7.errors import ReceiverRefused
from radrelay.hl7.keeping import FAILED, WAITING
from radrelay.hl7.message import Acknowledgement, Message, header_of, write
from radrelay.hl7.models import Hl7Message
from radrelay.hl7.sealing import OrderedIds, Seal
from radrelay.storage.database import Database
from radrelay.storage.nodes import moment

log = structlog.get_logger(__name__)

SENT, HELD = "sent", "held"
FIRST_S, CAP_S = 5, 600
AT_ONCE = 50
_Row = TypeVar("_Row")


class Sender(Protocol):
    """Sends one message and waits for the answer; `mllp.MllpSender` is one."""

    @property
    def longest_s(self) -> float:
        """How long one message may take at most."""
        ...

    def send(self, raw: bytes) -> Acknowledgement:
        """Return the answer; raises an error of `Unavailable`."""
        ...


class Outgoing:
    """Messages on their way to receivers, by the receivers' names."""

    def __init__(self, database: Database, clock: Clock, seal: Seal) -> None:
        self._database = database
        self._clock = clock
        self._seal = seal
        self._ids = OrderedIds()

    def enqueue(
        self, session: Session, organisation_id: uuid.UUID, receiver: str, message: Message,
        patient: tuple[str, str] = ("", ""), accession_number: str = "", study_id: uuid.UUID | None = None,
        *, held: bool = False,
    ) -> uuid.UUID:  # fmt: skip
        """Write a message in the caller's transaction, to be sent to a receiver; `patient` is issuer and ID.

        One that is `held` stays until a person has it sent.
        """
        (row_id,) = self._ids.take(1)
        header, raw = header_of(message), write(message)
        session.add(
            Hl7Message(
                id=row_id,
                organisation_id=organisation_id,
                direction="out",
                port=receiver,
                sender=header.sender,
                control_id=header.control_id,
                type=header.kind[:16],
                patient_id=patient[1],
                patient_issuer=patient[0],
                accession_number=accession_number,
                prior_patient_id="",
                lanes=json.dumps([patient] if patient[1] else []),
                state=HELD if held else WAITING,
                answer="",
                error="",
                error_code="",
                error_facts="{}",
                peer="",
                size=len(raw),
                digest=self._seal.digest(row_id.bytes, raw),
                sealed=self._seal.close(row_id, raw),
                received_at=self._clock.now(),
                processed_at=None,
                next_attempt_at=None,
                attempts=0,
                repeats=0,
                replays=0,
                study_id=study_id,
            )
        )
        session.flush()
        return row_id

    def send_due(self, senders: Mapping[str, Sender]) -> int:
        """Send what is due to each receiver, in order; returns how many were taken.

        Whoever sends a message to a receiver has that receiver to itself, on any machine, until it has the answer.
        """
        return sum(self._send(name, sender) for name, sender in senders.items())

    def _send(self, receiver: str, sender: Sender) -> int:
        taken = 0
        for _ in range(AT_ONCE):
            claimed = self._claim(receiver, sender.longest_s)
            if claimed is None:
                return taken
            row_id, raw, attempts = claimed
            try:
                answer = sender.send(raw)
            except Unavailable as error:
                self._put_off(row_id, attempts, Trouble.of(error), "")
                return taken
            except RadrelayError as error:
                self._end(row_id, FAILED, Trouble.of(error), "")
                continue
            if answer.is_positive:
                self._end(row_id, SENT, None, answer.code)
                taken += 1
            elif answer.is_final:
                self._end(row_id, FAILED, _refused(answer), answer.code)
            else:
                self._put_off(row_id, attempts, _refused(answer), answer.code)
                return taken
        return taken

    def _claim(self, receiver: str, longest_s: float) -> tuple[uuid.UUID, bytes, int] | None:
        """Take the message that is next, if it is due and nobody sends it: its id, what it says, its attempts."""
        if not self._is_due(receiver):
            return None
        with self._database.write() as session:
            row = session.scalars(_next(sa.select(Hl7Message), receiver).with_for_update()).first()
            if row is None or (row.next_attempt_at is not None and row.next_attempt_at > self._clock.now()):
                return None
            now = moment(session, self._clock)
            if row.sending_until is not None and now < row.sending_until:
                return None
            row.sending_until = now + timedelta(seconds=longest_s)
            return row.id, self._seal.open(row.id, row.sealed), row.attempts

    def _is_due(self, receiver: str) -> bool:
        """Look whether there is something to take, without the writer's place."""
        with self._database.read() as session:
            first = session.execute(_next(sa.select(Hl7Message.next_attempt_at), receiver)).first()
        return first is not None and (first[0] is None or first[0] <= self._clock.now())

    def _put_off(self, row_id: uuid.UUID, attempts: int, trouble: Trouble, code: str) -> None:
        pause_s = min(FIRST_S << min(attempts, 10), CAP_S)
        self._note(
            row_id, trouble, answer=code, attempts=attempts + 1,
            next_attempt_at=self._clock.now() + timedelta(seconds=pause_s),
        )  # fmt: skip
        log.warning("an HL7 message waits for its receiver", message=str(row_id), code=trouble.code, again_in_s=pause_s)

    def _end(self, row_id: uuid.UUID, state: str, trouble: Trouble | None, code: str) -> None:
        self._note(
            row_id, trouble, answer=code, state=state, attempts=Hl7Message.attempts + 1, next_attempt_at=None,
            processed_at=self._clock.now(),
        )  # fmt: skip

    def _note(self, row_id: uuid.UUID, trouble: Trouble | None, **values: object) -> None:
        said: dict[str, object] = {
            "sending_until": None,
            "error": "" if trouble is None else trouble.detail,
            "error_code": "" if trouble is None else trouble.code,
            "error_facts": "{}" if trouble is None else json.dumps(dict(trouble.facts)),
        }
        with self._database.write() as session:
            session.execute(sa.update(Hl7Message).where(Hl7Message.id == row_id).values(**said, **values))


def _next(asked: sa.Select[_Row], receiver: str) -> sa.Select[_Row]:
    """Ask for the message of a receiver whose turn it is."""
    waiting = asked.where(Hl7Message.direction == "out", Hl7Message.state == WAITING, Hl7Message.port == receiver)
    return waiting.order_by(Hl7Message.id).limit(1)


def _refused(answer: Acknowledgement) -> Trouble:
    words = f"the HL7 receiver answered {answer.code}" + (f": {answer.text}" if answer.text else "")
    return Trouble.of(ReceiverRefused(words, answer=answer.code, said=answer.text[:200]))
