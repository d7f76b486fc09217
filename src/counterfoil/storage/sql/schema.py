"""The tables.  `migrations` makes them; a test holds the two together.

Every table that grows is keyed by the log first and refers to nothing outside its log: no foreign keys, triggers
or sequences.  So the same tables can be sharded by log.  Some indexes cross logs, for the methods that say so.

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
REVISION: Final = "0003"
# Those before it, which `counterfoil migrate` brings up to it.
OLDER_REVISIONS: Final = ("0001", "0002")

METADATA: Final = MetaData()

# STRICT tables know INTEGER, which holds 64 bits on SQLite; PostgreSQL's INTEGER holds 32.
_Int64 = BigInteger().with_variant(Integer(), "sqlite")
# Text that is ordered by its bytes, whatever the database was made with; so SQLite orders all text.
_Bytewise = Text().with_variant(Text(collation="C"), "postgresql")

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

# What the customer of a log is called, for lists: a second time beside the details of its first entry, as long as these
# are there (docs/decisions/0011-found-by-name-time-and-count.md).
CUSTOMERS: Final = Table(
    "customers",
    METADATA,
    Column("log", LargeBinary, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("customer_id", _Bytewise, nullable=False),
    CheckConstraint("length(log) = 20", name="customers_log"),
    sqlite_with_rowid=False,
    sqlite_strict=True,
)
Index("customers_by_id", CUSTOMERS.c.tenant, CUSTOMERS.c.customer_id, CUSTOMERS.c.log)

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
    # Of the last entry, its time in microseconds and its count: the first bundle that reaches a time or a count is
    # found without unpacking any.  NULL where that entry did not read when revision 0003 looked.
    Column("time", _Int64),
    Column("count", _Int64),
    CheckConstraint("length(log) = 20", name="bundles_log"),
    CheckConstraint("first >= 0 AND last - first BETWEEN 0 AND 255", name="bundles_range"),
    CheckConstraint("length(entries) > 0", name="bundles_entries"),
    CheckConstraint("length(details) > 0", name="bundles_details"),
    sqlite_strict=True,
)
# Each ends with the index of the bundle's last entry: of bundles that end with the same count the first is wanted.
Index("bundles_by_time", BUNDLES.c.log, BUNDLES.c.time, BUNDLES.c.last)
Index("bundles_by_count", BUNDLES.c.log, BUNDLES.c.count, BUNDLES.c.last)

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
    # The first 8 bytes of its root.  NULL where the note did not read when revision 0003 looked.
    Column("root_prefix", _Int64),
    CheckConstraint("length(log) = 20", name="checkpoints_log"),
    CheckConstraint("size >= 1", name="checkpoints_size"),
    CheckConstraint("length(note) > 0", name="checkpoints_note"),
    sqlite_strict=True,
)
# Not unique: logs of the same entries have the same root, and two roots may share their first 8 bytes.
Index("checkpoints_by_root", CHECKPOINTS.c.root_prefix)

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

# What follows serves a server and is no evidence.  API keys and webhooks are few; announcements and deliveries come and
# go with the checkpoints.
API_KEYS: Final = Table(
    "api_keys",
    METADATA,
    Column("key_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("created_at", _Int64, nullable=False),
    Column("expires_at", _Int64),
    Column("revoked_at", _Int64),
    CheckConstraint("length(secret_hash) = 32", name="api_keys_secret_hash"),
    sqlite_strict=True,
)

WEBHOOKS: Final = Table(
    "webhooks",
    METADATA,
    Column("webhook_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("secret_version", _Int64, nullable=False),
    Column("overlap_until", _Int64),
    Column("created_at", _Int64, nullable=False),
    CheckConstraint("secret_version >= 1", name="webhooks_secret_version"),
    sqlite_strict=True,
)

OUTBOX: Final = Table(
    "outbox",
    METADATA,
    Column("log", LargeBinary, primary_key=True),
    Column("size", _Int64, primary_key=True, autoincrement=False),
    Column("done", _Int64, nullable=False),
    Column("tenant", Text, nullable=False),
    CheckConstraint("length(log) = 20", name="outbox_log"),
    CheckConstraint("done BETWEEN 0 AND size", name="outbox_done"),
    sqlite_strict=True,
)

DELIVERIES: Final = Table(
    "deliveries",
    METADATA,
    Column("log", LargeBinary, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("number", _Int64, primary_key=True, autoincrement=False),
    Column("webhook_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", _Int64, nullable=False),
    Column("due_at", _Int64, nullable=False),
    Column("created_at", _Int64, nullable=False),
    Column("outcome", Text, nullable=False),
    CheckConstraint("length(log) = 20", name="deliveries_log"),
    CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="deliveries_status"),
    sqlite_strict=True,
)
# For lists and their counts; the status at its end, so that those of one status are counted in the index as well.
Index("deliveries_by_tenant", DELIVERIES.c.tenant, DELIVERIES.c.created_at, DELIVERIES.c.status)
# Each delivery stands in one of them: what is to be tried, and what is to be forgotten.
Index(
    "deliveries_pending",
    DELIVERIES.c.webhook_id,
    DELIVERIES.c.due_at,
    sqlite_where=text("status = 'pending'"),
    postgresql_where=text("status = 'pending'"),
)
Index(
    "deliveries_settled",
    DELIVERIES.c.due_at,
    sqlite_where=text("status <> 'pending'"),
    postgresql_where=text("status <> 'pending'"),
)
