"""What the server writes to standard error: one JSON object a line.

    {"time": "2026-04-01T09:00:00.000000Z", "level": "warning", "event": "request", "requestId": "9f2c01-7", ...}

Never an API key, a body, a query or a customerId: of a request its method, the template of its path, the tenant and the
id of its key.  Of an exception its type and place, and nothing of its words.

Source: docs/operations/server.md#logs.
"""

from __future__ import annotations

import json
import logging
from typing import Final

from counterfoil import __version__
from counterfoil.core.timestamp import MICROSECONDS, format_time
from counterfoil.errors import CounterfoilError, defect_of

LOGGER: Final = logging.getLogger("counterfoil.web")
LEVELS: Final = ("debug", "info", "warning", "error")


class JsonLines(logging.Formatter):
    """Writes a record as a line; its facts are what was given as `extra={"facts": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a line."""
        line: dict[str, object] = {
            "time": format_time(int(record.created * MICROSECONDS)),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line["error"] = str(
                error if isinstance(error, CounterfoilError) else defect_of(error, __version__)
            )
        return json.dumps(line)


def set_up(level: str) -> None:
    """Send what this process logs to standard error, the web server's own lines among it.

    Args:
        level: the least of `LEVELS` that is written.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # At every start and end of a process, and at each bad request.
    logging.getLogger("uvicorn").setLevel(max(root.level, logging.WARNING))
