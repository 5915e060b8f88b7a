"""Take the limits of a run upon itself, then become its program. Run by path, without anything of Radrelay's.

It is given one argument of JSON, then the command. Without the kernel's leave to cut itself off from the network it
goes on with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_PARENT_DIED = 1


def limited(said: dict[str, int]) -> None:
    """Limit memory, open files, cores and priority, and end with the process that has started this."""
    libc = ctypes.CDLL(None, use_errno=True)
    _cut_off(libc)
    libc.prctl(_PARENT_DIED, signal.SIGKILL, 0, 0, 0)  # after all that changes what this process may do
    if os.getppid() != said["parent"]:
        os._exit(1)
    os.nice(said["nice"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (said["memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (said["output_bytes"],) * 2)
    allowed = sorted(os.sched_getaffinity(0))
    at = said["parent"] % len(allowed)
    os.sched_setaffinity(0, (allowed[at:] + allowed[:at])[: max(1, said["cores"])])


def _cut_off(libc: ctypes.CDLL) -> None:
    """Leave the network, where the kernel lets this process."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        libc.unshare(_NEW_NET)
        return
    if libc.unshare(_NEW_USER | _NEW_NET) != 0:
        return
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        try:
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
        except OSError:
            return


if __name__ == "__main__":
    limited(json.loads(sys.argv[1]))
    try:
        os.execvpe(sys.argv[2], sys.argv[2:], dict(os.environ))  # noqa: S606 -- the operator's own program
    except OSError as error:
        print(f"{sys.argv[2]}: {error.strerror}", file=sys.stderr)  # noqa: T201 -- its reason goes where reasons go
        sys.exit(127)
