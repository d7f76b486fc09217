"""The tables.  `migrations` makes them; a test holds the two together.

Every table that grows is keyed by the log first and refers to nothing outside its log: no foreign keys, triggers
or sequences.  So the same tables can be sharded by log.  Two indexes cross logs, for the methods that say so.

What SQL checks is shape, not meaning: types (STRICT tables on SQLite), lengths, ranges, and that a place is taken
once.  Whether entries are right is decided from their bytes, by the engine.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

# The Alembic revision that these tables are; a store of another one is not opened.
REVISION: Final = "0002"
# Those before it, which `counterfoil migrate` brings up to it.
OLDER_REVISIONS: Final = ("0001",)

METADATA: Final = MetaData()

# STRICT tables know INTEGER, which holds 64 bits on SQLite; PostgreSQL's INTEGER holds 32.
_Int64 = BigInteger().with_variant(Integer(), "sqlite")

# One row a log.  The heads are the rows that writers lock.
LOGS: Final = Table(
    "logs",
    METADATA,
    Column("log", LargeBinary, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("size", _Int64, nullable=False),
    Column("sealed_size", _Int64, nullable=False),
    Column("checkpoint_size", _Int64, nullable=False),
    # When the month of the newest delta ends, in microseconds, as long as no seal closes it.
    Column("close_at", _Int64),
    # Until when a worker has the log for itself, in microseconds.
    Column("claimed_until", _Int64, nullable=False, server_default=text("0")),
    CheckConstraint("length(log) = 20", name="logs_log"),
    CheckConstraint("size >= 1", name="logs_size"),
    CheckConstraint("sealed_size BETWEEN 0 AND size", name="logs_sealed_size"),
    CheckConstraint("checkpoint_size BETWEEN 0 AND size", name="logs_checkpoint_size"),
    # A small row under a random key: found in one look-up instead of two.
    sqlite_with_rowid=False,
    sqlite_strict=True,
)
Index("logs_by_tenant", LOGS.c.tenant, LOGS.c.log)
# Holds only the logs with something to do, so the search for them costs what there is to do.
Index(
    "logs_with_work",
    LOGS.c.tenant,
    LOGS.c.log,
    sqlite_where=text("size > checkpoint_size"),
    postgresql_where=text("size > checkpoint_size"),
)

# Holds the logs that had a delta this month, and those whose month nobody has closed yet.
Index(
    "logs_to_close",
    LOGS.c.close_at,
    LOGS.c.log,
    sqlite_where=text("close_at IS NOT NULL"),
    postgresql_where=text("close_at IS NOT NULL"),
)

# The entries that are not settled yet, the last one of each log among them.
# On SQLite a rowid table: rows lie in the order of arrival and the key is an index beside them.  Clustered by key,
# 10,000 rows over 1,000 logs took 1.5 times as long (docs/decisions/0001-sqlite-journal.md).
ENTRIES: Final = Table(
    "entries",
    METADATA,
    Column("log", LargeBinary, primary_key=True),
    Column("idx", _Int64, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary, nullable=False),
    Column("key_prefix", _Int64),
    Column("salt", LargeBinary),
    Column("value", LargeBinary),
    CheckConstraint("length(log) = 20", name="entries_log"),
    CheckConstraint("idx >= 0", name="entries_idx"),
    CheckConstraint("length(entry) > 0", name="entries_entry"),
    # Details open with both or not at all.
    CheckConstraint("(salt IS NULL) = (value IS NULL)", name="entries_details"),
    CheckConstraint("length(salt) = 32", name="entries_salt"),
    sqlite_strict=True,
)
# Not unique: two keys may share their first 8 bytes.
Index(
    "entries_by_key",
    ENTRIES.c.log,
    ENTRIES.c.key_prefix,
    sqlite_where=text("key_prefix IS NOT NULL"),
    postgresql_where=text("key_prefix IS NOT NULL"),
)

# Settled entries (bundles.py).  Named by the last index, so that the bundle of an index is the next one from there on.
BUNDLES: Final = Table(
    "bundles",
    METADATA,
    Column("log", LargeBinary, primary_key=True),
    Column("last", _Int64, primary_key=True, autoincrement=False),
    Column("first", _Int64, nullable=False),
    Column("entries", LargeBinary, nullable=False),
    Column("details", LargeBinary, nullable=False),
    CheckConstraint("length(log) = 20", name="bundles_log"),
    CheckConstraint("first >= 0 AND last - first BETWEEN 0 AND 255", name="bundles_range"),
    CheckConstraint("length(entries) > 0", name="bundles_entries"),
    CheckConstraint("length(details) > 0", name="bundles_details"),
    sqlite_strict=True,
)
# Where the idempotency keys of settled entries stand.  All of a row is its key: on SQLite it is the index itself.
KEYS: Final = Table(
    "keys",
    METADATA,
    Column("log", LargeBinary, primary_key=True),
    Column("key_prefix", _Int64, primary_key=True, autoincrement=False),
    Column("idx", _Int64, primary_key=True, autoincrement=False),
    CheckConstraint("length(log) = 20", name="keys_log"),
    CheckConstraint("idx >= 0", name="keys_idx"),
    sqlite_with_rowid=False,
    sqlite_strict=True,
)

# The key is what makes a second note of one size impossible.
CHECKPOINTS: Final = Table(
    "checkpoints",
    METADATA,
    Column("log", LargeBinary, primary_key=True),
    Column("size", _Int64, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
    CheckConstraint("length(log) = 20", name="checkpoints_log"),
    CheckConstraint("size >= 1", name="checkpoints_size"),
    CheckConstraint("length(note) > 0", name="checkpoints_note"),
    sqlite_strict=True,
)

# 1 to 256 hashes of 32 bytes each.
TILES: Final = Table(
    "tiles",
    METADATA,
    Column("log", LargeBinary, primary_key=True),
    Column("level", _Int64, primary_key=True, autoincrement=False),
    Column("number", _Int64, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
    CheckConstraint("length(log) = 20", name="tiles_log"),
    CheckConstraint("level >= 0", name="tiles_level"),
    CheckConstraint("number >= 0", name="tiles_number"),
    CheckConstraint("length(hashes) BETWEEN 32 AND 8192 AND length(hashes) % 32 = 0", name="tiles_hashes"),
    sqlite_strict=True,
)

# At most one row: whom the store belongs to.
IDENTITY: Final = Table(
    "identity",
    METADATA,
    Column("one", _Int64, primary_key=True, autoincrement=False),
    Column("operator", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("reference_check", LargeBinary, nullable=False),
    CheckConstraint("one = 1", name="identity_one"),
    CheckConstraint("length(public_key) = 32", name="identity_public_key"),
    CheckConstraint("length(reference_check) = 32", name="identity_reference_check"),
    sqlite_strict=True,
)

TENANTS: Final = Table(
    "tenants",
    METADATA,
    Column("tenant", Text, primary_key=True),
    Column("unit", Text, nullable=False),
    sqlite_strict=True,
)
