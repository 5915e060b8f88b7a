"""HL7 in the roles: ports from the settings, messages taken, gone through and forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from radrelay.app.core import Core, open_core
from radrelay.app.hl7 import forget, inboxes, keep_hl7, open_listener
from radrelay.clock import FixedClock
from radrelay.errors import Misconfigured
from radrelay.hl7 import MllpListener, MllpSender, Outgoing, Port, Receiver, Seal, parse
from radrelay.hl7.message import acknowledge
from radrelay.hl7.mllp import Received
from radrelay.hl7.models import Hl7Message
from radrelay.identity import organisations
from radrelay.settings import Hl7Settings
from tests.backends import settings_for
from tests.hl7.samples import adt

CLOCK = FixedClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


def opened(folder: Path, **port: Any) -> Core:
    ports = [{"name": "KIS", "port": 0, "character_set": "8859/1", **port}]
    return open_core(settings_for(folder / "data", hl7={"ports": ports, "keep_days": 3}), CLOCK)


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    made = opened(tmp_path)
    yield made
    made.close()


def states(core: Core) -> list[str]:
    with core.database.read() as session:
        return list(session.scalars(sa.select(Hl7Message.state)))


def test_messages_are_taken_by_the_ports_of_the_settings_gone_through_and_forgotten(core: Core) -> None:
    with core.database.write() as session:
        first = organisations.ensure_first(session, "Klinik", CLOCK.now())
    listener = open_listener(core, first)
    assert listener is not None
    listener.start()
    host, port = listener.addresses["KIS"]
    sender = MllpSender(Receiver(host, port))
    assert sender.send(adt()).is_positive
    sender.close()
    listener.stop()
    assert states(core) == ["waiting"]
    stop = threading.Event()
    threads = keep_hl7(core, first, "here", stop, {})
    for thread in threads:
        thread.start()
    until = time.monotonic() + 20
    while states(core) != ["kept"] and time.monotonic() < until:
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    assert states(core) == ["kept"]
    assert forget(core) == 0
    CLOCK.advance(timedelta(days=3, seconds=1))
    assert forget(core) == 1
    assert states(core) == []


def test_port_of_an_unknown_organisation_or_with_a_wrong_mapping_is_named(tmp_path: Path, core: Core) -> None:
    with core.database.write() as session:
        first = organisations.ensure_first(session, "Klinik", CLOCK.now())
    assert inboxes(core, first)["KIS"].organisation_id == first
    (tmp_path / "site.toml").write_text("[patient]\nnom = 'PID-5'")
    for port, words in (({"organisation": "Nobody"}, "Nobody"), ({"mapping": tmp_path / "site.toml"}, "nom")):
        wrong = opened(tmp_path, **port)
        with pytest.raises(Misconfigured, match=f"hl7.ports, KIS: .*{words}"):
            inboxes(wrong, first)
        wrong.close()


def test_nothing_listens_where_no_port_is_set(tmp_path: Path) -> None:
    core = open_core(settings_for(tmp_path / "data"), CLOCK)
    with core.database.write() as session:
        first = organisations.ensure_first(session, "Klinik", CLOCK.now())
    assert open_listener(core, first) is None
    (forgetting,) = keep_hl7(core, first, "here", threading.Event(), {})  # of what is sent to destinations
    assert forgetting.name == "hl7 keeping"
    core.close()


@pytest.mark.parametrize(
    "ports",
    [
        [{"name": "KIS", "port": 1}, {"name": "KIS", "port": 2}], [{"name": "KIS", "port": 1, "tls": True}],
        [{"port": 1}], [{"name": "", "port": 1}], [{"name": "KIS", "port": 1, "speed": 9}],
    ],
)  # fmt: skip
def test_ports_that_cannot_be_right_are_refused(ports: list[dict[str, Any]]) -> None:
    with pytest.raises(ValidationError):
        Hl7Settings.model_validate({"ports": ports})


def test_messages_go_to_the_receivers_of_the_settings(tmp_path: Path) -> None:
    class Taking:
        came: ClassVar[list[bytes]] = []

        def take(self, received: Sequence[Received]) -> list[list[bytes]]:
            self.came.extend(one.frame for one in received)
            return [acknowledge(one.frame, parse(one.frame), None, "1", CLOCK.now()) for one in received]

    listener = MllpListener([Port("RIS", "127.0.0.1", 0)], Taking())
    listener.start()
    host, port = listener.addresses["RIS"]
    core = open_core(settings_for(tmp_path / "data", hl7={"receivers": [{"name": "RIS", "host": host, "port": port}]}))
    with core.database.write() as session:
        first = organisations.ensure_first(session, "Klinik", CLOCK.now())
        outgoing = Outgoing(core.database, core.clock, Seal(core.keyring.metadata_key))
        outgoing.enqueue(session, first, "RIS", parse(adt()))
    stop = threading.Event()
    threads = keep_hl7(core, first, "here", stop, {})
    for thread in threads:
        thread.start()
    until = time.monotonic() + 20
    while states(core) != ["sent"] and time.monotonic() < until:
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    listener.stop()
    assert states(core) == ["sent"]
    assert len(Taking.came) == 1
    core.close()
