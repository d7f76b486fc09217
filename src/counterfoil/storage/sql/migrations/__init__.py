"""The history of the tables, as Alembic revisions.

Configured here and not by a file: the scripts travel in the package and the connection is the caller's.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config

if TYPE_CHECKING:
    from sqlalchemy import Connection


_AT_WORK = threading.Lock()


def configuration() -> Config:
    """Return what Alembic needs to find the revisions."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the tables to a revision, within the transaction that the connection is in.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database's own.
    """
    config = configuration()
    config.attributes["connection"] = connection
    # Alembic keeps what it is at in globals.
    with _AT_WORK:
        command.upgrade(config, revision)
