"""Structured, rotating logs with secrets taken out: one JSON line per record in the Home's `logs/`.

Every log call of the engine and the faces goes through here; workers write their run's own `log.txt`.
"""

from __future__ import annotations

import logging
import logging.handlers
import re
import time
from pathlib import Path

import msgspec

KEEP_DAYS = 90
_SECRETS = re.compile(
    r"(?P<key>(?:api[_-]?key|token|secret|password|passphrase|authorization|cookie)[\"']?\s*[=:]\s*[\"']?(?:bearer\s+|basic\s+)?)"
    r"(?P<value>[^\s\"',;&}]{4,})|\b(?:hf_|sk-|r8_|rpa_|wandb_|ghp_|AKIA)[A-Za-z0-9_\-]{8,}",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text with anything that looks like a credential replaced."""
    return _SECRETS.sub(lambda match: f"{match['key'] or ''}[redacted]", text)


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a log file. Times are seconds since the epoch, UTC."""

    time: float
    level: str
    logger: str
    message: str
    stack: str = ""


class JsonFormatter(logging.Formatter):
    """A record as one redacted JSON line."""

    def format(self, record: logging.LogRecord) -> str:
        return msgspec.json.encode(line_of(record)).decode()


def line_of(record: logging.LogRecord) -> LogLine:
    """A record with its secrets taken out."""
    stack = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
    return LogLine(
        time=record.created,
        level=record.levelname.lower(),
        logger=record.name,
        message=redact(record.getMessage()),
        stack=redact(stack),
    )


def to_folder(folder: Path, name: str, level: int = logging.INFO) -> logging.Handler:
    """Log everything to `<folder>/<name>.jsonl`, 5 files of 5 MB, none older than 90 days. Returns the handler."""
    _forget_old(folder)
    handler = logging.handlers.RotatingFileHandler(
        folder / f"{name}.jsonl", maxBytes=5_000_000, backupCount=5, encoding="utf-8", delay=True
    )
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(min(root.level or level, level))
    for noisy in ("flet", "flet_web", "uvicorn", "httpx", "websockets", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return handler


def _forget_old(folder: Path) -> None:
    oldest = time.time() - KEEP_DAYS * 86_400
    for path in folder.glob("*.jsonl*"):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
