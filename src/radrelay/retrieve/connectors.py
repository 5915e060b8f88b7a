"""One connector for archives of every kind: each is asked in the way that it speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from radrelay.retrieve.ports import (
    Answer,
    Came,
    Connector,
    FoundSeries,
    Held,
    Inventory,
    Kind,
    Order,
    PacsNode,
    Stop,
    Tell,
    Wanted,
)


@dataclass(frozen=True)
class ByKind:
    """Fulfils `retrieve.ports.Connector` by the connector of a node's kind."""

    connectors: Mapping[Kind, Connector]

    def search(self, node: PacsNode, wanted: Wanted, most: int) -> Answer:
        """Return studies that match, at most so many."""
        return self.connectors[node.kind].search(node, wanted, most)

    def series(self, node: PacsNode, order: Order) -> Sequence[FoundSeries]:
        """Return the series of a study."""
        return self.connectors[node.kind].series(node, order)

    def inventory(self, node: PacsNode, order: Order) -> Inventory:
        """Return what the archive has of an order."""
        return self.connectors[node.kind].inventory(node, order)

    def fetch(
        self, node: PacsNode, order: Order, inventory: Inventory, missing: Sequence[Held] | None, tell: Tell, stop: Stop
    ) -> Came:
        """Bring an order here, or of it only the `missing` objects."""
        return self.connectors[node.kind].fetch(node, order, inventory, missing, tell, stop)
