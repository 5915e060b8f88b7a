"""The fake server's organisation: a practice in Germany with an agreement that holds and one that has ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Row = dict[str, Any]


def _agreement(agreement_id: str, kind: str, party: str, purpose: str, signed_on: str, **more: Any) -> Row:
    return {
        "id": agreement_id, "kind": kind, "party": party, "purpose": purpose, "signed_on": signed_on, "ends_on": None,
        "document": "", "entered_at": "2026-02-03T09:12:00Z", "entered_by": "Dr. Katharina Weber", "ended_on": None,
        "ended_why": "", "holds": True, **more,
    }  # fmt: skip


@dataclass
class Organisation:
    """What the page shows, and what was asked of it."""

    region: str = "DE"
    agreements: list[Row] = field(default_factory=lambda: [
        _agreement("ag-1", "dpa", "Rechenzentrum Süd GmbH & Co. KG", "Betrieb der Maschinen und der Sicherungen",
                   "2026-02-01", document="Ordner Datenschutz, AVV-2026-02"),
        _agreement("ag-2", "other", "Klinikum Nord", "Gemeinsame Tumorkonferenz", "2024-05-02", ends_on="2026-01-31",
                   ended_on="2025-12-31", ended_why="Die Konferenz findet nicht mehr statt.", holds=False),
    ])  # fmt: skip
    calls: list[tuple[str, Row]] = field(default_factory=list)

    def shown(self) -> Row:
        """Return what the page reads."""
        titles = ["RADRELAY", "SEE_MR"]
        return {"name": "Praxis am See", "region": self.region, "ae_titles": titles, "agreements": self.agreements}


async def organisation(request: Request) -> Response:
    own: Organisation = request.app.state.world.organisation
    if request.method == "PUT":
        given = await request.json()
        own.calls.append(("PUT", given))
        own.region = given["region"]
    return JSONResponse(own.shown())


async def add(request: Request) -> Response:
    own: Organisation = request.app.state.world.organisation
    given = await request.json()
    own.calls.append(("POST", given))
    made = _agreement(f"ag-{len(own.agreements) + 1}", **given)
    own.agreements.insert(0, made)
    return JSONResponse(made, 201)


async def end(request: Request) -> Response:
    own: Organisation = request.app.state.world.organisation
    given = await request.json()
    own.calls.append(("END", given))
    ended = next(one for one in own.agreements if one["id"] == request.path_params["agreement_id"])
    ended |= {"ended_on": given["ended_on"], "ended_why": given["why"], "holds": False}
    return JSONResponse(ended)


ROUTES = [
    Route("/api/organisation", organisation, methods=["GET", "PUT"]),
    Route("/api/organisation/agreements", add, methods=["POST"]),
    Route("/api/organisation/agreements/{agreement_id}/end", end, methods=["POST"]),
]
