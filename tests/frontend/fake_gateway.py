"""The gateway of the fake server: one relay that answers, one that does not, and a long checklist."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

Row = dict[str, Any]
HOST = "bilder.universitaetsklinikum-nordwest.example"


def relay(address: str, *, connected: bool, trouble: str = "") -> Row:
    return {
        "relay": address, "connected": connected, "since": "2026-11-26T08:15:00Z", "site": "klinik",
        "hosts": [HOST] if connected else [], "ports": [2762] if connected else [], "public_port": 32000,
        "certificate_ends": "2026-12-20T08:15:00Z", "trouble": trouble, "breaks": 1, "taken": 4711,
    }  # fmt: skip


def node(kind: str, name: str) -> Row:
    return {
        "kind": kind, "name": name, "ae_title": "ARCHIV_ZENTRAL_1", "host": "archiv.radiologie.klinik.example",
        "port": 11112, "tls": True, "calls_us": "RADRELAY",
    }  # fmt: skip


def door(kind: str, port: int, *titles: str, name: str = "", is_loopback: bool = False) -> Row:
    host = "127.0.0.1" if is_loopback else "0.0.0.0"
    return {
        "kind": kind, "host": host, "port": port, "ae_titles": titles, "name": name, "is_loopback": is_loopback,
    }  # fmt: skip


def way(source: str, target: str, host: str, port: int, purpose: str) -> Row:
    return {"source": source, "target": target, "host": host, "port": port, "purpose": purpose}


GATEWAY: Row = {
    "elsewhere": False,
    "enrolled": True,
    "agent_runs": True,
    "onward": "",
    "relays": [
        relay("relay-1.dmz.klinik.example:45000", connected=True),
        relay("relay-2.dmz.klinik.example:45000", connected=False, trouble="gateway-relay-unreachable"),
    ],
    "certificate": {
        "names": ["bilder.klinik.example"], "ends_at": "2026-11-01T00:00:00Z", "missing": [HOST], "is_set": False,
        "is_alone": True, "trouble": None,
    },
    "acme": {
        "directory": "https://acme-v02.api.letsencrypt.org/directory", "contacts": ["it@klinik.example"],
        "terms_accepted": True, "binding_id": "", "renews_at": None, "again_at": "2026-11-27T08:15:00Z", "failures": 3,
        "trouble": {
            "code": "gateway-acme-not-reached", "facts": {},
            "detail": f"{HOST}: Failed to connect to 192.0.2.10:443 for the tls-alpn-01 challenge",
        },
    },
    "checklist": {
        "nodes": [node("pacs", "Zentralarchiv Haus 7"), node("destination", "Befundung Neuroradiologie")],
        "doors": [
            door("dicom", 11112, "RADRELAY", "NEURO_EINGANG_02"), door("hl7-tls", 2575, name="KIS Aufnahme"),
            door("pages", 8080, is_loopback=True),
        ],
        "ways": [
            way("server", "relay", "relay-1.dmz.klinik.example", 45000, "agents"),
            way("anywhere", "relay", "relay-1.dmz.klinik.example", 32000, "browsers"),
            way("devices", "server", "", 11112, "dicom"),
            way("server", "pacs", "archiv.radiologie.klinik.example", 11112, "dicom-tls"),
        ],
    },
}  # fmt: skip


async def gateway(request: Request) -> JSONResponse:
    del request
    return JSONResponse(GATEWAY)


ROUTES = [Route("/api/gateway", gateway)]
