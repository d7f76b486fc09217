"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "logs",
        sa.Column("log", sa.LargeBinary, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("size", _INT64, nullable=False),
        sa.Column("sealed_size", _INT64, nullable=False),
        sa.Column("checkpoint_size", _INT64, nullable=False),
        sa.CheckConstraint("length(log) = 20", name="logs_log"),
        sa.CheckConstraint("size >= 1", name="logs_size"),
        sa.CheckConstraint("sealed_size BETWEEN 0 AND size", name="logs_sealed_size"),
        sa.CheckConstraint("checkpoint_size BETWEEN 0 AND size", name="logs_checkpoint_size"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    op.create_index("logs_by_tenant", "logs", ["tenant", "log"])
    has_work = sa.text("size > checkpoint_size")
    op.create_index(
        "logs_with_work", "logs", ["tenant", "log"], sqlite_where=has_work, postgresql_where=has_work
    )
    op.create_table(
        "entries",
        sa.Column("log", sa.LargeBinary, primary_key=True),
        sa.Column("idx", _INT64, primary_key=True, autoincrement=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("key_prefix", _INT64),
        sa.Column("salt", sa.LargeBinary),
        sa.Column("value", sa.LargeBinary),
        sa.CheckConstraint("length(log) = 20", name="entries_log"),
        sa.CheckConstraint("idx >= 0", name="entries_idx"),
        sa.CheckConstraint("length(entry) > 0", name="entries_entry"),
        sa.CheckConstraint("(salt IS NULL) = (value IS NULL)", name="entries_details"),
        sa.CheckConstraint("length(salt) = 32", name="entries_salt"),
        sqlite_strict=True,
    )
    has_key = sa.text("key_prefix IS NOT NULL")
    op.create_index(
        "entries_by_key", "entries", ["log", "key_prefix"], sqlite_where=has_key, postgresql_where=has_key
    )
    op.create_table(
        "checkpoints",
        sa.Column("log", sa.LargeBinary, primary_key=True),
        sa.Column("size", _INT64, primary_key=True, autoincrement=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("length(log) = 20", name="checkpoints_log"),
        sa.CheckConstraint("size >= 1", name="checkpoints_size"),
        sa.CheckConstraint("length(note) > 0", name="checkpoints_note"),
        sqlite_strict=True,
    )
    op.create_table(
        "tiles",
        sa.Column("log", sa.LargeBinary, primary_key=True),
        sa.Column("level", _INT64, primary_key=True, autoincrement=False),
        sa.Column("number", _INT64, primary_key=True, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("length(log) = 20", name="tiles_log"),
        sa.CheckConstraint("level >= 0", name="tiles_level"),
        sa.CheckConstraint("number >= 0", name="tiles_number"),
        sa.CheckConstraint(
            "length(hashes) BETWEEN 32 AND 8192 AND length(hashes) % 32 = 0", name="tiles_hashes"
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "identity",
        sa.Column("one", _INT64, primary_key=True, autoincrement=False),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("reference_check", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("one = 1", name="identity_one"),
        sa.CheckConstraint("length(public_key) = 32", name="identity_public_key"),
        sa.CheckConstraint("length(reference_check) = 32", name="identity_reference_check"),
        sqlite_strict=True,
    )
    op.create_table(
        "tenants",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("unit", sa.Text, nullable=False),
        sqlite_strict=True,
    )
