"""Tells somebody by mail that a study is here: a link alone, no image and no patient's name.

What the letter leads to is seen by who is logged in and may see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import RadrelayError
from radrelay.mail import Post
from radrelay.mail.letters import language_of
from radrelay.routing.carriers import DeliveryItem, Errand, Sending
from radrelay.routing.deliveries import Receipt, receipts_of, record_receipts
from radrelay.routing.errors import Interrupted, MailUnset
from radrelay.routing.models import Delivery
from radrelay.storage.database import Database

KIND = "study-here"


class Notice:
    """What `routing.carriers.Carrier` asks of those that carry no objects: nothing is opened, nothing is sent."""

    carries = False

    @contextmanager
    def open(self, errand: Errand, portion: Sequence[DeliveryItem]) -> Iterator[Sending]:
        """Open nothing."""
        raise TypeError("a notice carries no objects")
        yield

    def portions(self, items: Sequence[DeliveryItem]) -> Iterator[Sequence[DeliveryItem]]:
        """Part nothing."""
        del items
        return iter(())


@dataclass(frozen=True)
class MailNotice(Notice):
    """Fulfils `routing.carriers.Carrier` for e-mail addresses; `site` is the address of the pages."""

    database: Database
    clock: Clock
    post: Post
    site: str

    def finish(self, errand: Errand) -> None:
        """Post the letter, once; the post sends it. Raises `Interrupted`."""
        if not self.post.is_set:
            raise Interrupted(MailUnset(), down=True)
        try:
            with self.database.write() as session:
                if not receipts_of(session, errand.delivery.id):
                    self._post(session, errand)
                    note_told(session, self.clock, errand)
        except RadrelayError as error:
            raise Interrupted(error, final=True) from error

    def _post(self, session: Session, errand: Errand) -> None:
        organisation_id = errand.delivery.organisation_id
        language = language_of("", self.post.settings.language)
        house = self.post.house_of(session, organisation_id)
        link = f"{self.site}/view?study={errand.delivery.study_id}"
        letter = self.post.letter(KIND, language, house=house, link=link)
        self.post.enqueue(session, organisation_id, errand.destination.address, letter)


def note_told(session: Session, clock: Clock, errand: Errand) -> None:
    """Write the one receipt of a notice, in the transaction that hands it over."""
    delivery = session.get_one(Delivery, errand.delivery.id)
    record_receipts(session, clock, delivery, [Receipt(delivery.id, "", 0, "", "")], 1)
