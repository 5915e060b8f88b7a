"""HL7 by MLLP: messages acknowledged once they are durable, from senders that each wait for their answer.

Each message is about another patient and has a control ID of its own. What was acknowledged is counted in the rows
afterwards. Beside it, where the library is there, the server of `hl7`, which parses, answers and keeps nothing.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from tests.ports import free_port

from benchmarks.plan import Plan
from benchmarks.servers import HOST, Radrelay, Server, accepts
from benchmarks.table import OURS, Aim, Line, Rounds, interleaved, line
from radrelay.hl7.models import Hl7Message

PART = "hl7"
PEER = "hl7 (keeps nothing)"
LEAST = 1000
LEAST_GONE_THROUGH = 300
PATIENCE_S = 600
CONNECTIONS = (1, 8, 32)
END = b"\x1c\x0d"


class _Listening(Radrelay):
    def __init__(self, folder: Path) -> None:
        self.hl7_port = free_port()
        super().__init__(folder)

    def environment(self) -> dict[str, str]:
        ports = [{"name": "bench", "port": self.hl7_port, "character_set": "8859/1",
                  "coerce": ["merges", "demographics"]}]  # fmt: skip
        return {**super().environment(), "RADRELAY_HL7__PORTS": json.dumps(ports)}

    def kept(self) -> int:
        with self.database().read() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(Hl7Message)) or 0

    def processed_per_s(self) -> float:
        """Return how many messages a second are gone through of those that wait now, while nothing else comes."""
        began, waited = time.perf_counter(), self._waiting()
        while left := self._waiting():
            if time.perf_counter() - began > PATIENCE_S:
                raise RuntimeError(f"{left} messages still wait")
            time.sleep(0.2)
        return waited / (time.perf_counter() - began)

    def _waiting(self) -> int:
        with self.database().read() as session:
            return session.scalar(sa.select(sa.func.count()).where(Hl7Message.state == "waiting")) or 0


class _Peer(Server):
    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.hospital_peer", str(self.dicom_port)]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PYTHONPATH": ":".join([str(Path(__file__).parent.parent), *sys.path])}

    def answers(self) -> bool:
        return accepts(self.dicom_port)


def message(number: str, patient: int) -> bytes:
    """Return an admission of some 850 bytes, as a hospital's system writes it."""
    return (
        f"MSH|^~\\&|KIS|ADT|RIS|ADT|202612151705||ADT^A01^ADT_A01|{number}|P|2.5||||||8859/1\r"
        "EVN||202612151705||||202612151645\r"
        f"PID|||{patient}^^^Klinik^PI||Beispiel^Rosemarie^^^^^L^A^^^G~Vogel^^^^^^M^A^^^G||19880903|F|||Taubenweg 3&"
        "Taubenweg&3^^Düsseldorf^^40210^^H~Rebgasse 14&Rebgasse&14^^Düsseldorf^^40210^^BDL||^PRN^PH^^49^211^3579246^^^^"
        "^0211/3579246|^WPN^PH^^49^211^8642^357^^^^0211/8642-357|DEU^German^HL70296^^deutsch|M^married^HL70002\r"
        "PV1|1|I|CHI^302^2^IN^^N^A^4|R|||950701^Groß^Bernhard^^^Dr.^^^Klinik^L^^^DN^^^DN^^G||||||||||||4628^^^Klinik^VN"
        "|||||||||||||||||||||||||202612151645\rPV2|||||||||20250405|4\rZBE|7890^KIS|202612151705||INSERT\r"
    ).encode("latin-1")


def run(plan: Plan) -> list[Line]:
    """Send to either side in turns, over one connection and over several."""
    folder = plan.folder / PART
    ours, peer = _Listening(folder / "radrelay"), _Peer(folder / "peer")
    has_peer = importlib.util.find_spec("hl7") is not None
    lines = []
    sent = 0
    try:
        ours.start()
        sides = {OURS: ours.hl7_port} | ({PEER: peer.start().dicom_port} if has_peer else {})
        for connections in CONNECTIONS:
            count = plan.pick(4000, 400) // connections
            found: Rounds = interleaved(
                plan.rounds, {name: _measuring(port, connections, count) for name, port in sides.items()}
            )
            sent += plan.rounds * connections * count
            aims = (Aim(LEAST),) if connections == max(CONNECTIONS) else ()
            what = f"{connections} connection{'s' if connections > 1 else ''}, each waits for its answer"
            lines.append(line(PART, what, "messages/s", found, *aims))
        through: Rounds = {OURS: [ours.processed_per_s()]}
        what = "admissions gone through afterwards, with patients and their studies"
        lines.append(line(PART, what, "messages/s", through, Aim(LEAST_GONE_THROUGH)))
        if ours.kept() != sent:
            raise RuntimeError(f"{sent} messages were acknowledged, {ours.kept()} are kept")
    finally:
        ours.stop()
        peer.stop()
    shutil.rmtree(folder)
    return plan.tell(lines)


def _measuring(port: int, connections: int, count: int) -> Callable[[int], float]:
    return lambda number: messages_per_s(port, connections, count, f"{connections}-{number}")


def messages_per_s(port: int, connections: int, count: int, run_name: str) -> float:
    """Return how many messages a second are answered AA, `count` over each connection."""
    refused: list[bytes] = []

    def send(place: int) -> None:
        with socket.create_connection((HOST, port), 30) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for number in range(count):
                name = f"{run_name}-{place}-{number}"
                sock.sendall(b"\x0b" + message(name, place * 100_000 + number) + END)
                answer = b""
                while not answer.endswith(END):
                    answer += sock.recv(65536) or END
                if b"MSA|AA|" + name.encode() not in answer:
                    refused.append(answer)
                    return

    threads = [threading.Thread(target=send, args=(place,)) for place in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused:
        raise RuntimeError(f"answered {refused[0][:200]!r}")
    return connections * count / (time.perf_counter() - began)
