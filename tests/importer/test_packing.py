"""Portals that pack before they send: whoever waits sees it, and one that is gone keeps no place."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from radrelay.dicom import phantoms
from radrelay.importer.downloading import Download, Patience
from radrelay.importer.errors import PortalBusy, PortalStalled
from radrelay.importer.line import ALIVE_AFTER_S, ALIVE_ASKED, ALIVE_EACH_S, Limits, Pace, Place, reach
from tests.importer.house import ImportHouse, open_house
from tests.importer.portal import Asked, Kept, Portal, outgoing, portal
from tests.importer.provider import Waits
from tests.importer.recipe_portals import HOST, told
from tests.importer.test_imports import zipped

RECIPE = """
recipe = 1
name = "Portal"
hosts = ["{HOST}"]
[[link]]
address = "/f/{code}"
[[step]]
name = "packing"
wait = "/state/{code}"
until = { json = "ready", is = true }
every_s = 5
most_s = 8
[[step]]
name = "bring"
download = "/zip/{code}"
"""
ZIP = zipped(list(phantoms.study("ct-head", slices=2, size=32)))


@contextmanager
def packing(folder: Path, packs_s: float = 300) -> Iterator[tuple[ImportHouse, Portal]]:
    recipes = folder / "recipes"
    recipes.mkdir()
    with portal() as here:
        host = f"{HOST}:{here.port}"
        (recipes / "packs.toml").write_text(RECIPE.replace("{HOST}", host))
        with open_house(folder, recipes=str(recipes), hosts=(host,), packing_timeout_s=packs_s) as house:
            yield house, here


def test_whoever_waits_sees_that_the_portal_packs_until_something_comes(tmp_path: Path) -> None:
    seen: dict[str, list[Any]] = {"state": [], "zip": []}

    with packing(tmp_path) as (house, here):
        case_id = house.begin(None, here.url("/f/AB12", HOST))

        def shown(where: str) -> None:
            ends = time.monotonic() + 15
            while not (since := house.get(f"/{case_id}")["packs_since"]) and time.monotonic() < ends:
                time.sleep(0.1)
            seen[where].append(since)

        def zip_(asked: Asked) -> None:
            shown("zip")
            asked.give(200, ZIP, "application/zip")

        watching = threading.Thread(target=shown, args=("state",))
        states = iter([told({"ready": False}), told({"ready": True})])

        def state(asked: Asked) -> None:
            next(states)(asked)

        here.answers |= {"/state/AB12": state, "/zip/AB12": zip_}
        watching.start()
        found = house.turn(case_id)
        watching.join()
    assert (found["state"], found["packs_since"]) == ("open", None), found["error"]
    assert all(one for some in seen.values() for one in some)


def test_a_portal_that_is_waited_for_in_vain_is_asked_once_and_leaves_its_place(tmp_path: Path) -> None:
    with packing(tmp_path, packs_s=1.5) as (house, here):
        here.answers |= {"/state/AB12": told({"ready": True}), "/zip/AB12": Asked.hang}
        began = time.monotonic()
        failed = house.turn(house.begin(None, here.url("/f/AB12", HOST)))
        assert (failed["state"], failed["error"]["code"]) == ("failed", "portal-stalled")
        assert time.monotonic() - began < 10
        assert [path for _, path, _, _ in here.asked].count("/zip/AB12") == 1
        here.answers["/state/AB12"] = told({"ready": False})
        failed = house.turn(house.begin(None, here.url("/f/AB12", HOST)))
        assert (failed["state"], failed["error"]["code"]) == ("failed", "portal-busy")


def test_silence_before_the_first_byte_is_not_waited_for_again() -> None:
    with portal() as here:
        here.answers["/zip"] = Asked.hang
        limits = Limits(head_s=0.4)
        waits = Waits()
        carried = Download(outgoing(limits=limits).session(), here.url("/zip", HOST), Kept(), pause=waits.pause)
        with pytest.raises(PortalStalled):
            carried.carry_on({})
        assert (len(here.asked), waits.waited) == (1, [])


def test_a_portal_that_asks_to_come_back_is_waited_for_half_an_hour_in_all() -> None:
    waits = Waits()
    patience = Patience(waits.pause)
    asks_again = PortalBusy(host=HOST, seconds=400)
    for _ in range(4):
        patience.wait(asks_again)
    with pytest.raises(PortalBusy) as busy:
        patience.wait(asks_again)
    assert waits.waited == [400] * 4
    assert (busy.value.facts["seconds"], busy.value.facts["waited_s"]) == (400, 1600)


def test_a_machine_that_is_gone_is_noticed_while_one_that_packs_is_waited_for() -> None:
    limits = Limits()
    with socket.create_server((HOST, 0)) as there:
        place = Place(HOST, there.getsockname()[1], False, (HOST,))
        with reach(place, limits, Pace(limits, HOST, answer=False), None) as made:
            assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            told_ = [made.getsockopt(socket.IPPROTO_TCP, name) for name in names]
            assert told_ == [ALIVE_AFTER_S, ALIVE_EACH_S, ALIVE_ASKED]
    assert ALIVE_AFTER_S + ALIVE_EACH_S * ALIVE_ASKED <= 60 < limits.head_s
