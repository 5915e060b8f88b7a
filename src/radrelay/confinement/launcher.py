"""Take the limits of a run upon itself, then become its program. Run by path, without anything of Radrelay's.

It is given one argument of JSON, then the command. So far as the kernel lets it, the program is held: it has no
network, all that it starts ends with it, shared memory is its own, it writes in its folder alone and reads nothing of
Radrelay's but that (Landlock). Where the kernel does not, it goes on without, or not at all where it `must`. Root's
program is root without a power of root's.

What shows pages of others is held more closely: it reads what it may and nothing else (`visible`), is nobody on this
machine (`nobody`), and what it takes for the network is one port that is answered outside (`way_out`).

Without an argument it tries what holds a program here, and says as JSON what does.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import stat
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import Any

_NEW_USER, _NEW_NET, _NEW_PID, _NEW_IPC, _NEW_NS = 0x10000000, 0x40000000, 0x20000000, 0x08000000, 0x00020000
_PARENT_DIED, _NO_NEW_PRIVILEGES, _DROP_FROM_BOUND, _SECURE_BITS, _AMBIENT, _CLEAR_ALL = 1, 38, 24, 28, 47, 4
_ROOT_IS_NOBODY = 0b1111  # its user ID gives no capability, neither by exec nor by a change of it, for good
_CAPABILITIES = 64  # more than there are
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 -- a place of its own is put there
_BIND, _REC, _PRIVATE, _NO_SUID_NO_DEV = 0x1000, 0x4000, 0x40000, 0x6
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_WRITE, _READ = 1 << 1, 1 << 2
_CHANGE = sum(1 << bit for bit in (4, 5, *range(6, 13)))  # remove and make, of each kind
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_SCOPED = 0b11  # abstract sockets and signals
NOT_HELD = 78
WAY_OUT_PORT = 1080
_INNER_USER = 1000
_FLAGS_OF_INTERFACE, _SET_FLAGS_OF_INTERFACE, _UP = 0x8913, 0x8914, 1
Said = dict[str, Any]


def limited(said: Said) -> None:
    """Limit memory, size of files, cores and priority, and end with the process that has started this."""
    libc = ctypes.CDLL(None, use_errno=True)
    own_network, own_processes, own_mounts = _cut_off(libc, nobody=said.get("nobody", False))
    _require(said, held=own_network and own_processes and own_mounts)
    _die_with_parent(libc)  # after all that changes what this process may do
    if os.getppid() != said["parent"]:
        os._exit(1)
    os.nice(said["nice"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (said["memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (said["output_bytes"],) * 2)
    allowed = sorted(os.sched_getaffinity(0))
    at = said["parent"] % len(allowed)
    os.sched_setaffinity(0, (allowed[at:] + allowed[:at])[: max(1, said["cores"])])
    if own_mounts:
        _own_memory(libc, said)
    if "way_out" in said:
        _open_way_out(said["way_out"])
    os.chdir(said["root"])
    if own_processes:
        _apart(libc, own_mounts=own_mounts)
    _require(said, held=_confine(libc, said))
    _powerless(libc)
    for at, given in enumerate(said.get("pipes", ()), 3):
        os.dup2(given, at)


def _require(said: Said, *, held: bool) -> None:
    if said.get("must") and not held:
        os._exit(NOT_HELD)


def holding() -> Said:
    """Try what holds a program here, and say what does; leaves this process changed."""
    libc = ctypes.CDLL(None, use_errno=True)
    network, processes, mounts = _cut_off(libc, nobody=False)
    landlock = max(0, libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1))
    as_root = os.geteuid() == 0
    return {"network": network, "processes": processes, "mounts": mounts, "landlock": landlock, "root": as_root}


def _powerless(libc: ctypes.CDLL) -> None:
    """Leave the program, root's too, no capability and no way to one: what it runs as gives it files, and no power."""
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    libc.prctl(_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    for one in range(_CAPABILITIES):
        libc.prctl(_DROP_FROM_BOUND, one, 0, 0, 0)
    libc.prctl(_SECURE_BITS, _ROOT_IS_NOBODY, 0, 0, 0)


def _die_with_parent(libc: ctypes.CDLL) -> None:
    libc.prctl(_PARENT_DIED, signal.SIGKILL, 0, 0, 0)


def _cut_off(libc: ctypes.CDLL, *, nobody: bool) -> tuple[bool, bool, bool]:
    """Leave network, processes and mounts of the machine, where the kernel lets this; says which were left."""
    uid, gid = os.geteuid(), os.getegid()
    besides = 0 if uid == 0 and not nobody else _NEW_USER
    inner = (_INNER_USER, _INNER_USER) if nobody else (uid, gid)
    if libc.unshare(besides | _NEW_NET | _NEW_PID | _NEW_IPC | _NEW_NS) != 0:
        alone = libc.unshare(besides | _NEW_NET) == 0
        return alone and _keep_names(besides, (uid, gid), inner), False, False
    named = _keep_names(besides, (uid, gid), inner)
    return named, True, named


def _keep_names(besides: int, outer: tuple[int, int], inner: tuple[int, int]) -> bool:
    uid, gid = (f"{one} {two} 1" for one, two in zip(inner, outer, strict=True))
    for name, text in (("setgroups", "deny"), ("uid_map", uid), ("gid_map", gid)):
        try:
            if besides:
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
        except OSError:
            return False
    return True


def _open_way_out(told: int) -> None:
    """Listen on a port of the network that is the program's own, and hand the listening socket to who answers it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, _FLAGS_OF_INTERFACE, asked))[1]
        fcntl.ioctl(any_socket, _SET_FLAGS_OF_INTERFACE, struct.pack("16sh14x", b"lo", flags | _UP))
    with socket.socket(fileno=told) as teller, socket.create_server(("127.0.0.1", WAY_OUT_PORT), backlog=64) as door:
        socket.send_fds(teller, [b"."], [door.fileno()])


def _own_memory(libc: ctypes.CDLL, said: Said) -> None:
    """Put a shared memory of the run's own in the place of the machine's, in which other runs have their folders.

    Places that are covered become empty, too: sockets of the machine's services lie there, which no rule on files
    holds.
    """
    root, most = said["root"], said["output_bytes"]
    held = os.open(root, os.O_PATH | os.O_CLOEXEC)
    if libc.mount(b"none", b"/", None, _REC | _PRIVATE, None) == 0:
        for place in (_SHARED_MEMORY, *said.get("covered", ())):
            data = f"size={most if place == _SHARED_MEMORY else 4096},mode=1777".encode()
            if os.path.isdir(place) and libc.mount(b"tmpfs", place.encode(), b"tmpfs", _NO_SUID_NO_DEV, data) != 0:
                _require(said, held=False)
            elif _beneath(root, place):
                os.makedirs(root, mode=0o700)
                if libc.mount(f"/proc/self/fd/{held}".encode(), os.fsencode(root), None, _BIND, None) != 0:
                    os._exit(1)  # its images are out of its sight
    os.close(held)


def _apart(libc: ctypes.CDLL, *, own_mounts: bool) -> None:
    """Go on as a child among processes of its own: when that ends, the kernel ends all that it has started.

    It sees no others, above all not what stands in the environment of those.
    """
    told, tell = os.pipe()
    first = os.fork()
    if first:
        os.close(tell)
        os.waitpid(first, 0)
        raw = os.read(told, 16)
        _end_as(int(raw) if raw else 1 << 8)
    _die_with_parent(libc)
    if own_mounts:
        libc.mount(b"proc", b"/proc", b"proc", _NO_SUID_NO_DEV, None)
    program = os.fork()
    if program == 0:
        os.close(told)
        os.close(tell)
        return
    while True:  # the first among its processes takes leave of all of them
        ended, status = os.wait()
        if ended == program:
            os.write(tell, str(status).encode())
            os._exit(0)


def _end_as(status: int) -> None:
    """End as the program has ended: by its exit status or by its signal."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(max(1, code) if code < 0 else code)


class _Attributes(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _confine(libc: ctypes.CDLL, said: Said) -> bool:
    """Let the program write in its folder alone, and read all but what is hidden; says if the kernel knows Landlock."""
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    handled = _READ | _WRITE | _CHANGE | (_REFER if version > 1 else 0) | (_TRUNCATE if version > 2 else 0)
    attributes = _Attributes(handled, 0, _SCOPED if version > 5 else 0)
    size = 24 if version > 5 else 8
    rules = libc.syscall(_CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), 0)
    if rules < 0:
        return False
    hidden = [os.path.realpath(one) for one in said["hidden"]]
    for path in said.get("visible") or _all_but([*hidden, "/dev"], "/"):
        _allow(libc, rules, path, _READ)
    for path in said.get("devices") or _devices():
        _allow(libc, rules, path, (_READ | _WRITE | _TRUNCATE) & handled)
    for path in said["readable"]:
        _allow(libc, rules, path, _READ)
    for path in said.get("writable", ()):
        _allow(libc, rules, path, _READ | _WRITE)
    for path in (said["root"], _SHARED_MEMORY):
        _allow(libc, rules, path, handled)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)  # without it, none but root may
    restricted = libc.syscall(_RESTRICT_SELF, rules, 0) == 0
    os.close(rules)
    return bool(restricted)


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    beneath = _Beneath(rights, parent)
    libc.syscall(_ADD_RULE, rules, 1, ctypes.byref(beneath), 0)
    os.close(parent)


def _beneath(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _all_but(hidden: Sequence[str], at: str) -> Iterator[str]:
    """Give what lies in a folder, but nothing that is hidden or that leads there; links lead nowhere of their own."""
    try:
        entries = list(os.scandir(at))
    except OSError:
        return
    for one in entries:
        if one.path in hidden or one.is_symlink():
            continue
        if any(_beneath(other, one.path) for other in hidden):
            yield from _all_but(hidden, one.path)
        else:
            yield one.path


def _devices() -> Iterator[str]:
    """Give what a program works with of the machine's devices: no disk, and no shared memory."""
    for one in os.scandir("/dev"):
        if one.is_symlink() or one.path == _SHARED_MEMORY:
            continue
        if one.is_dir() or stat.S_ISCHR(one.stat().st_mode):
            yield one.path


if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(json.dumps(holding()))  # noqa: T201 -- that is its answer
        sys.exit(0)
    limited(json.loads(sys.argv[1]))
    try:
        os.execvpe(sys.argv[2], sys.argv[2:], dict(os.environ))  # noqa: S606 -- the operator's own program
    except OSError as error:
        print(f"{sys.argv[2]}: {error.strerror}", file=sys.stderr)  # noqa: T201 -- its reason goes where reasons go
        sys.exit(127)
