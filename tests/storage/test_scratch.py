"""Buffers: what is written stays until it is given back, and memory follows what is used."""

from __future__ import annotations

import threading
from pathlib import Path

from radrelay.storage.scratch import SMALL_BYTES, Reserve, ScratchPool

MIB = 1 << 20


def resident() -> int:
    """Return this process' resident bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_a_reserve_takes_memory_where_it_is_written_and_gives_it_back() -> None:
    before = resident()
    reserve = Reserve(256 * MIB)
    assert resident() - before < 32 * MIB
    reserve.view[: 128 * MIB] = b"x" * (128 * MIB)
    assert resident() - before > 100 * MIB
    reserve.give_back(MIB)
    assert resident() - before < 40 * MIB
    assert bytes(reserve.view[MIB - 1 : MIB + 1]) == b"x\0"
    reserve.give_back(256 * MIB)
    reserve.give_back(0)
    assert bytes(reserve.view[:1]) == b"\0"


def test_small_records_are_encrypted_beside_one_another_and_large_ones_in_turn() -> None:
    pool = ScratchPool(2, 8 * MIB)
    entered = threading.Event()

    def large() -> None:
        with pool.one(8 * MIB) as view:
            assert len(view) == 8 * MIB
            entered.set()

    with pool.one(SMALL_BYTES + 1), pool.one(SMALL_BYTES) as one, pool.one(10) as other:
        other[:] = bytes(10)
        assert (len(one), len(other)) == (SMALL_BYTES, 10)
        waiting = threading.Thread(target=large)
        waiting.start()
        assert not entered.wait(0.2)
    assert entered.wait(10)
    waiting.join()
