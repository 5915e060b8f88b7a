"""An archive or worklist elsewhere that is only asked: what it has is set, and nothing is fetched from it."""

from __future__ import annotations

from collections.abc import Sequence

from radrelay.network.errors import NobodyListens
from radrelay.retrieve.errors import Broken
from radrelay.retrieve.ports import (
    Answer,
    Came,
    FoundSeries,
    FoundStudy,
    Held,
    Inventory,
    Order,
    PacsNode,
    Stop,
    Tell,
    Wanted,
)
from radrelay.retrieve.worklist import Items, WantedItems, WorklistItem


class Elsewhere:
    """Fulfils `retrieve.ports.Connector` and `retrieve.worklist.Worklists` for whoever asks."""

    def __init__(self) -> None:
        self.asked: list[Wanted] = []
        self.studies: tuple[FoundStudy, ...] = ()
        self.items_asked: list[WantedItems] = []
        self.scheduled: tuple[WorklistItem, ...] = ()
        self.down = False

    def search(self, node: PacsNode, wanted: Wanted, most: int) -> Answer:
        self.asked.append(wanted)
        self._answer()
        return Answer(self.studies)

    def series(self, node: PacsNode, order: Order) -> Sequence[FoundSeries]:
        self._answer()
        return [FoundSeries("1.2.9", "CT", 2), FoundSeries("1.2.8", "CT", 1)]

    def items(self, node: PacsNode, wanted: WantedItems, most: int) -> Items:
        self.items_asked.append(wanted)
        self._answer()
        return Items(self.scheduled)

    def inventory(self, node: PacsNode, order: Order) -> Inventory:
        raise AssertionError("the pages fetch nothing by themselves")

    def fetch(
        self, node: PacsNode, order: Order, inventory: Inventory, missing: Sequence[Held] | None, tell: Tell, stop: Stop
    ) -> Came:
        raise AssertionError("the pages fetch nothing by themselves")

    def _answer(self) -> None:
        if self.down:
            raise Broken(NobodyListens("nothing listens there", address="127.0.0.1:104"))
