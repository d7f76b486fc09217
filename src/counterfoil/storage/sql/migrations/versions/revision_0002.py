"""Bundles of settled entries, months to close, claims of workers; on PostgreSQL, how long values are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# Of the time of an entry, `"recordedAt":"2026-04-01T...`, the end of the month in microseconds.
_TEXT = "CAST(entry AS TEXT)"
_MONTH = f"""substr({_TEXT}, instr({_TEXT}, '"recordedAt":"') + 14, 7)"""
_MONTH_END = (
    f"SELECT strftime('%s', {_MONTH} || '-01', '+1 month') * 1000000 FROM entries"  # noqa: S608  -- constants
    " WHERE entries.log = logs.log AND idx = size - 1"
)


def upgrade() -> None:
    """Make the tables and columns.  Entries stay where they are until the next checkpoints of their logs settle them."""
    op.add_column("logs", sa.Column("close_at", _INT64))
    op.add_column("logs", sa.Column("claimed_until", _INT64, nullable=False, server_default=sa.text("0")))
    if op.get_context().dialect.name == "sqlite":  # Elsewhere there were no stores before.
        # Which months are closed was not written down: of each log, that of its last entry is closed once more.
        op.execute(f"UPDATE logs SET close_at = coalesce(({_MONTH_END}), 0)")  # noqa: S608  -- a constant
    to_close = sa.text("close_at IS NOT NULL")
    op.create_index(
        "logs_to_close", "logs", ["close_at", "log"], sqlite_where=to_close, postgresql_where=to_close
    )
    op.create_table(
        "bundles",
        sa.Column("log", sa.LargeBinary, primary_key=True),
        sa.Column("last", _INT64, primary_key=True, autoincrement=False),
        sa.Column("first", _INT64, nullable=False),
        sa.Column("entries", sa.LargeBinary, nullable=False),
        sa.Column("details", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("length(log) = 20", name="bundles_log"),
        sa.CheckConstraint("first >= 0 AND last - first BETWEEN 0 AND 255", name="bundles_range"),
        sa.CheckConstraint("length(entries) > 0", name="bundles_entries"),
        sa.CheckConstraint("length(details) > 0", name="bundles_details"),
        sqlite_strict=True,
    )
    op.create_table(
        "keys",
        sa.Column("log", sa.LargeBinary, primary_key=True),
        sa.Column("key_prefix", _INT64, primary_key=True, autoincrement=False),
        sa.Column("idx", _INT64, primary_key=True, autoincrement=False),
        sa.CheckConstraint("length(log) = 20", name="keys_log"),
        sa.CheckConstraint("idx >= 0", name="keys_idx"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    if op.get_context().dialect.name == "postgresql":
        # Rows of these come and go, or change, with every checkpoint.  Cleared as often as the server looks, they take
        # the room of what a minute brings, and not a fifth of all that there is.
        for table in ("entries", "logs", "tiles"):
            op.execute(
                f"ALTER TABLE {table} SET"
                " (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)"
            )
        # Hashes and what is compressed already do not get smaller: to try costs more than all the rest of a write.
        for table, column in (("bundles", "entries"), ("bundles", "details"), ("tiles", "hashes")):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL")
