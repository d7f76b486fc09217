"""Where records are kept: the stores, and the key folder."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from counterfoil.errors import EngineError
from counterfoil.storage.files import is_there
from counterfoil.storage.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from counterfoil.engine.store import Store
    from counterfoil.storage.sql.database import Database

_SQLITE: Final = "sqlite:///"
_POSTGRES: Final = ("postgresql://", "postgres://")


def open_store(url: str, *, clock: Callable[[], int], create: bool = False) -> Store:
    """Open the store that a URL names.

    Args:
        url: `sqlite:///counterfoil.db` (relative), `sqlite:////var/lib/counterfoil.db` (absolute),
            `postgresql://user@host/database` (as libpq reads it), or `memory:`, which ends with the process.
        clock: gives microseconds since 1970-01-01T00:00:00Z; a store on PostgreSQL goes by its server's instead.
        create: make the store where there is none; one that is there is opened as it is.

    Raises:
        EngineError: `usage`, where the URL names no store that can be opened, the file is another program's, or the
            extra is not installed; `unsafe-settings`, `log-corrupt`, `store-unavailable`, `io-error`, `out-of-space`.
    """
    if url == "memory:":
        return MemoryStore(clock)
    _require_extra(url, create=create)
    # Auditors have neither SQLAlchemy nor a need for it.
    from counterfoil.storage.sql.store import SqlStore  # noqa: PLC0415  -- see above

    return SqlStore.open(_database(url, create=create), clock=clock, create=create)


def migrate_store(url: str, *, clock: Callable[[], int]) -> tuple[str, str]:
    """Bring the tables of an older version's store up to this version's, in one transaction.

    Returns:
        the revisions of the tables before and after.

    Raises:
        EngineError: as `open_store`.
    """
    _require_extra(url, create=True)
    from counterfoil.storage.sql.schema import REVISION  # noqa: PLC0415  -- as above
    from counterfoil.storage.sql.store import SqlStore  # noqa: PLC0415  -- as above

    return SqlStore.migrate(_database(url, create=False), clock=clock), REVISION


def _database(url: str, *, create: bool) -> Database:
    if url.startswith(_POSTGRES):
        from counterfoil.storage.sql.postgres import PostgresDatabase  # noqa: PLC0415  -- as above

        return PostgresDatabase(url)
    from counterfoil.storage.sql.sqlite import SqliteDatabase  # noqa: PLC0415  -- as above

    path = _path_of(url)
    if not is_there(path) and not create:
        raise EngineError(
            "usage",
            f"there is no store at {path}: `counterfoil init` makes a new one; "
            "one that was lost is restored from its backup",
        )
    database = SqliteDatabase(path)
    if create:
        database.make_file()
    return database


def may_be_taken(url: str) -> bool:
    """Whether somebody's store may be where a URL points: the file is there, or it is a server's to say.

    Raises:
        EngineError: `usage`, where the URL names no store, or the extra is not installed; `io-error`, where the folder
            is missing or may not be looked into.
    """
    _require_extra(url, create=True)
    if url.startswith(_POSTGRES):
        return True
    path = _path_of(url)
    if is_there(path):
        return True
    if not path.parent.is_dir():
        raise EngineError("io-error", f"cannot make {path}: there is no folder {path.parent}")
    return False


def store_files(url: str) -> tuple[Path, ...]:
    """Return the files that a store is, or would be, made of: nothing else may be written there.

    The files beside the first one are SQLite's, https://www.sqlite.org/tempfiles.html: a stranger's bytes under one of
    these names would be taken for its own.  A server keeps its files to itself.

    Raises:
        EngineError: `usage`, where the URL names no store that lasts.
    """
    if url.startswith(_POSTGRES):
        return ()
    path = _path_of(url).resolve()
    return (path, *(path.with_name(path.name + suffix) for suffix in ("-journal", "-wal", "-shm")))


def shown(url: str) -> str:
    """Return the URL of a store as it may be printed: of a server no more than who, where and which database."""
    if url.startswith(_SQLITE):
        return url
    if not url.startswith(_POSTGRES):
        return "(no URL of a store)"
    # From the last @ on: before it anything may be part of a password.
    credentials, at, place = url.partition("://")[2].rpartition("@")
    host = re.search(r"[?&](host=[^&]*)", url)
    return (
        f"postgresql://{re.split('[:?]', credentials)[0]}{at}{place.partition('?')[0]}"
        f"{'?' + host[1] if host else ''}"
    )


def _path_of(url: str) -> Path:
    name = url.removeprefix(_SQLITE)
    if name == url or not name:
        raise EngineError(
            "usage",
            # Not what it is instead: that may hold a password.
            "not the URL of a store that lasts; use sqlite:///PATH or postgresql://USER@HOST/DATABASE",
        )
    return Path(name)


def _require_extra(url: str, *, create: bool) -> None:
    kind, extra = ("postgres", "postgres") if url.startswith(_POSTGRES) else ("sqlite", "store")
    # The migrations, which only make tables, are missed before there is a store.
    modules = (kind, "store", "migrations") if create else (kind, "store")
    try:
        for module in modules:
            import_module(f"counterfoil.storage.sql.{module}")
    except ModuleNotFoundError as error:
        message = f"keeping records needs {error.name}: pip install 'counterfoil[{extra}]'"
        raise EngineError("usage", message) from error
