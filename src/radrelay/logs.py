"""Technical logs: structured, without patient data at the default level, deleted after a settable time.

Each role writes to standard error and to one file a day, `log/<role>-<date>.log`, as JSON lines.
Tracebacks are printed without the values of variables, which may be a patient's.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO

import structlog
from structlog.typing import Processor

from radrelay.settings import LogSettings

QUIET = {
    "pynetdicom": logging.ERROR, "pydicom": logging.ERROR, "uvicorn.access": logging.WARNING, "dbos": logging.ERROR,
    "alembic": logging.WARNING, "PIL": logging.ERROR,
}  # fmt: skip


class DailyFile(logging.Handler):
    """Writes to a file named by the UTC day and deletes files older than `keep_days`."""

    def __init__(self, folder: Path, role: str, keep_days: int) -> None:
        super().__init__()
        self._folder = folder
        self._role = role
        self._keep_days = keep_days
        self._day: date | None = None
        self._file: IO[str] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; a log that cannot be written never stops the work."""
        try:
            today = datetime.now(UTC).date()
            if today != self._day:
                self._turn(today)
            if self._file is not None:
                self._file.write(self.format(record) + "\n")
                self._file.flush()
        except OSError:
            self.handleError(record)

    def _turn(self, today: date) -> None:
        if self._file is not None:
            self._file.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = (self._folder / f"{self._role}-{today:%Y-%m-%d}.log").open("a", encoding="utf-8")
        self._day = today
        for path in expired_logs(self._folder, today, self._keep_days):
            path.unlink(missing_ok=True)


def expired_logs(folder: Path, today: date, keep_days: int) -> list[Path]:
    """Return the log files of days before `today` less `keep_days`."""
    oldest = today - timedelta(days=keep_days)
    found = []
    for path in folder.glob("*-????-??-??.log"):
        try:
            day = date.fromisoformat(path.stem[-10:])
        except ValueError:
            continue
        if day < oldest:
            found.append(path)
    return found


def configure(settings: LogSettings, role: str, folder: Path | None) -> None:
    """Set logging up for this process; `folder` none writes to standard error alone."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.UnicodeDecoder(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(role=role)
    console = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    screen = logging.StreamHandler(sys.stderr)
    screen.setFormatter(_formatter(shared, console=console))
    handlers: list[logging.Handler] = [screen]
    if folder is not None:
        daily = DailyFile(folder, role, settings.keep_days)
        daily.setFormatter(_formatter(shared, console=False))
        handlers.append(daily)
    logging.basicConfig(level=settings.level.upper(), handlers=handlers, force=True)
    logging.captureWarnings(True)
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)


def _formatter(shared: list[Processor], *, console: bool) -> structlog.stdlib.ProcessorFormatter:
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
