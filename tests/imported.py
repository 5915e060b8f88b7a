"""Imported by the process that `started` copies: all that roles and commands need, and no thread."""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil

from setproctitle import getproctitle

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would not outlive a fork
gc.disable()
for name in ("alembic.command", "sqlcipher3", "radrelay.cli"):
    importlib.import_module(name)
for found in pkgutil.iter_modules(importlib.import_module("radrelay.app").__path__, "radrelay.app."):
    importlib.import_module(found.name)
getproctitle()  # finds where titles are written while the environment still lies behind it
gc.enable()
gc.collect()
gc.freeze()
