"""The routes, one module a topic.  A new one is named in `ROUTERS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from counterfoil.web.routes import (
    balances,
    checkpoints,
    customers,
    deltas,
    operators,
    public,
    receipts,
    records,
    statements,
    webhooks,
)

if TYPE_CHECKING:
    from fastapi import APIRouter

ROUTERS: Final[tuple[APIRouter, ...]] = (
    deltas.router,
    records.router,
    customers.router,
    balances.router,
    checkpoints.router,
    receipts.router,
    statements.router,
    webhooks.router,
    public.router,
    operators.router,
)
"""In the order in which they stand in the description."""
