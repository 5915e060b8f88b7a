"""Both ends of what goes through the gateway, each a process of its own: a server that ends TLS, and its client.

python -m benchmarks.gateway_peer serve HOST PORT CHAIN KEY DOOR   at a port, and for what the agent hands over
python -m benchmarks.gateway_peer get HOST PORT NAME AUTHORITY MB  prints the seconds that so many megabytes took
python -m benchmarks.gateway_peer ping HOST PORT NAME AUTHORITY N  prints the milliseconds of one answer, the median
python -m benchmarks.gateway_peer hold HOST PORT NAME AUTHORITY N  opens so many connections, says so, and waits
"""

from __future__ import annotations

import select
import socket
import ssl
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from radrelay.gateway.handover import Door

MB = 1_000_000
PIECE = 1 << 18


def _serve(host: str, port: str, chain: str, key: str, door: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    listening = socket.create_server((host, int(port)), backlog=1024)
    entrance = Door(Path(door))
    while True:
        for one in select.select([listening, entrance.sock], (), ())[0]:
            socks = [listening.accept()[0]] if one is listening else [came.sock for came in entrance.arrivals()]
            for sock in socks:
                threading.Thread(target=_answer, args=(sock, context), daemon=True).start()


def _answer(sock: socket.socket, context: ssl.SSLContext) -> None:
    try:
        sock.setblocking(True)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(sock, server_side=True) as tls:
            while asked := tls.recv(64):
                if not asked.startswith(b"get "):
                    tls.sendall(asked)
                    continue
                left, piece = int(asked[4:]), memoryview(bytes(PIECE))
                while left:
                    tls.sendall(piece[: min(left, PIECE)])
                    left -= min(left, PIECE)
    except OSError:
        sock.close()


def _connect(host: str, port: str, name: str, authority: str) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=authority)
    sock = socket.create_connection((host, int(port)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(sock, server_hostname=name)


def _get(host: str, port: str, name: str, authority: str, size: str) -> None:
    with _connect(host, port, name, authority) as tls:
        buffer = bytearray(1 << 20)
        for wanted in (8 * MB, int(size) * MB):  # the first lets TCP find its pace
            began = time.perf_counter()
            tls.sendall(b"get %d" % wanted)
            left = wanted
            while left:
                left -= tls.recv_into(buffer)
        sys.stdout.write(f"{time.perf_counter() - began}\n")


def _ping(host: str, port: str, name: str, authority: str, count: str) -> None:
    took = []
    with _connect(host, port, name, authority) as tls:
        for _ in range(int(count)):
            began = time.perf_counter()
            tls.sendall(b"x")
            tls.recv(1)
            took.append((time.perf_counter() - began) * 1000)
    sys.stdout.write(f"{statistics.median(took)}\n")


def _hold(host: str, port: str, name: str, authority: str, count: str) -> None:
    held = []
    for _ in range(int(count)):
        tls = _connect(host, port, name, authority)
        tls.sendall(b"x")
        tls.recv(1)
        held.append(tls)
    sys.stdout.write("held\n")
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    commands: dict[str, Callable[..., None]] = {"serve": _serve, "get": _get, "ping": _ping, "hold": _hold}
    commands[sys.argv[1]](*sys.argv[2:])
