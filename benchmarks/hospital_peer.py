"""The MLLP server of the library `hl7`, as its documentation shows it: parses each message and answers; keeps nothing.

python -m benchmarks.hospital_peer PORT
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import Any

mllp: Any = importlib.import_module("hl7.mllp")


async def _serve(reader: Any, writer: Any) -> None:
    try:
        while not writer.is_closing():
            message = await reader.readmessage()
            writer.writemessage(message.create_ack())
            await writer.drain()
    except asyncio.IncompleteReadError:
        writer.close()


async def _main(port: int) -> None:
    server = await mllp.start_hl7_server(_serve, "127.0.0.1", port, encoding="iso8859_1")
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
