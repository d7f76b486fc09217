"""Customers by name, bundles by time and count, checkpoints by root; what a server needs: keys, webhooks, deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from alembic import op

from counterfoil.core.checkpoint import parse_checkpoint
from counterfoil.core.encoding import read_json
from counterfoil.core.reference import check_customer_id
from counterfoil.errors import MalformedError
from counterfoil.limits import DETAILS_BYTES_MAX
from counterfoil.storage.sql.bundles import Bundle, end_of, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

revision = "0003"
down_revision = "0002"

_INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
# Rows that are held in memory at a time; a bundle has up to 4 MB.
_PAGE: Final = 64


def upgrade() -> None:
    """Make the tables and columns, and fill those that say again what is stored already."""
    _make_customers()
    op.add_column("bundles", sa.Column("time", _INT64))
    op.add_column("bundles", sa.Column("count", _INT64))
    op.add_column("checkpoints", sa.Column("root_prefix", _INT64))
    _fill_from_entries()
    _fill_from_bundles()
    _fill_from_checkpoints()
    # Once the rows are there: so each index is built at once and not row by row.
    op.create_index("customers_by_id", "customers", ["tenant", "customer_id", "log"])
    op.create_index("bundles_by_time", "bundles", ["log", "time", "last"])
    op.create_index("bundles_by_count", "bundles", ["log", "count", "last"])
    op.create_index("checkpoints_by_root", "checkpoints", ["root_prefix"])
    _make_api_keys()
    _make_webhooks()
    _make_outbox()
    _make_deliveries()
    if op.get_context().dialect.name == "postgresql":
        # As those of revision 0002: rows come and go with every checkpoint.
        for table in ("outbox", "deliveries"):
            op.execute(
                f"ALTER TABLE {table} SET"
                " (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)"
            )


def _make_customers() -> None:
    op.create_table(
        "customers",
        sa.Column("log", sa.LargeBinary, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("customer_id", _BYTEWISE, nullable=False),
        sa.CheckConstraint("length(log) = 20", name="customers_log"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )


def _make_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _INT64, nullable=False),
        sa.Column("expires_at", _INT64),
        sa.Column("revoked_at", _INT64),
        sa.CheckConstraint("length(secret_hash) = 32", name="api_keys_secret_hash"),
        sqlite_strict=True,
    )


def _make_webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("webhook_id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", sa.Text, nullable=False),
        sa.Column("secret_version", _INT64, nullable=False),
        sa.Column("overlap_until", _INT64),
        sa.Column("created_at", _INT64, nullable=False),
        sa.CheckConstraint("secret_version >= 1", name="webhooks_secret_version"),
        sqlite_strict=True,
    )


def _make_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("log", sa.LargeBinary, primary_key=True),
        sa.Column("size", _INT64, primary_key=True, autoincrement=False),
        sa.Column("done", _INT64, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.CheckConstraint("length(log) = 20", name="outbox_log"),
        sa.CheckConstraint("done BETWEEN 0 AND size", name="outbox_done"),
        sqlite_strict=True,
    )


def _make_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("log", sa.LargeBinary, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("number", _INT64, primary_key=True, autoincrement=False),
        sa.Column("webhook_id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempts", _INT64, nullable=False),
        sa.Column("due_at", _INT64, nullable=False),
        sa.Column("created_at", _INT64, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.CheckConstraint("length(log) = 20", name="deliveries_log"),
        sa.CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="deliveries_status"),
        sqlite_strict=True,
    )
    op.create_index("deliveries_by_tenant", "deliveries", ["tenant", "created_at", "status"])
    pending, settled = sa.text("status = 'pending'"), sa.text("status <> 'pending'")
    op.create_index(
        "deliveries_pending",
        "deliveries",
        ["webhook_id", "due_at"],
        sqlite_where=pending,
        postgresql_where=pending,
    )
    op.create_index(
        "deliveries_settled", "deliveries", ["due_at"], sqlite_where=settled, postgresql_where=settled
    )


def _pages(statement: str, **first: object) -> Iterator[list[Any]]:
    """Yield the rows of a statement a page at a time; it is asked for those behind the key that it names `first`."""
    after = first
    while rows := op.get_bind().execute(sa.text(f"{statement} LIMIT {_PAGE}"), after).all():
        yield list(rows)
        after = {name: getattr(rows[-1], name) for name in first}


def _change(statement: str, rows: list[dict[str, object]]) -> None:
    if rows:
        op.get_bind().execute(sa.text(statement), rows)


_NAME: Final = (
    "INSERT INTO customers (log, tenant, customer_id) VALUES (:log, :tenant, :customer_id)"
    # Somebody may have put an entry into two places.
    " ON CONFLICT (log) DO NOTHING"
)


def _fill_from_entries() -> None:
    """What the customers are called of logs whose first entry is not settled yet."""
    opened = (
        "SELECT logs.log, logs.tenant, entries.value FROM logs JOIN entries ON entries.log = logs.log AND idx = 0"
        " WHERE logs.log > :log ORDER BY logs.log"
    )
    for page in _pages(opened, log=b""):
        _change(_NAME, [named for row in page for named in _named(row.log, row.tenant, row.value)])


def _fill_from_bundles() -> None:
    """The time and count of the last entry of each bundle, and what the customers of the other logs are called."""
    bundles = (
        "SELECT bundles.log, last, first, entries, details, logs.tenant FROM bundles"
        " LEFT JOIN logs ON logs.log = bundles.log"
        " WHERE (bundles.log, last) > (:log, :last) ORDER BY bundles.log, last"
    )
    for page in _pages(bundles, log=b"", last=-1):
        ends: list[dict[str, object]] = []
        names: list[dict[str, object]] = []
        for row in page:
            try:
                rows = unpack(Bundle(row.log, row.last, row.first, row.entries, row.details))
                time, count = end_of(rows[-1])
            except (ValueError, MalformedError):
                continue  # Somebody wrote to it.  The audit says so.
            ends.append({"log": row.log, "last": row.last, "time": time, "count": count})
            if row.first == 0 and row.tenant is not None:
                names += _named(row.log, row.tenant, rows[0].value)
        _change("UPDATE bundles SET time = :time, count = :count WHERE log = :log AND last = :last", ends)
        _change(_NAME, names)


def _named(log: bytes, tenant: str, value: bytes | None) -> Iterator[dict[str, object]]:
    """Yield the row of a customer, none where the details are erased or do not read."""
    if value is None:
        return
    try:
        details = read_json(value, bytes_max=DETAILS_BYTES_MAX, what="details")
        found = details.get("customerId") if isinstance(details, dict) else None
        customer_id = check_customer_id(found)  # type: ignore[arg-type]  # it refuses what is no text
    except MalformedError:
        return
    yield {"log": log, "tenant": tenant, "customer_id": customer_id}


def _fill_from_checkpoints() -> None:
    """How the roots of the checkpoints begin."""
    notes = "SELECT log, size, note FROM checkpoints WHERE (log, size) > (:log, :size) ORDER BY log, size"
    for page in _pages(notes, log=b"", size=-1):
        prefixes: list[dict[str, object]] = []
        for row in page:
            try:
                root = parse_checkpoint(row.note).root
            except MalformedError:
                continue
            prefix = int.from_bytes(root[:8], "big", signed=True)
            prefixes.append({"log": row.log, "size": row.size, "prefix": prefix})
        _change("UPDATE checkpoints SET root_prefix = :prefix WHERE log = :log AND size = :size", prefixes)
