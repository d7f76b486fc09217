"""Two tenants of one server, each with one of everything that a route can name, and what neither has."""

from typing import NamedTuple

from counterfoil.engine.engine import Engine
from tests.engine.outbox import hook, spread_all
from tests.support import OPERATOR, delta, recorded, seeded

REFERENCE_ID = "line-{}"


class Party(NamedTuple):
    """What there is of a customer.  Each member has the name that the API gives it."""

    tenant: str
    customerId: str  # noqa: N815  -- as in paths
    customerReference: str  # noqa: N815
    recordId: str  # noqa: N815
    referenceId: str  # noqa: N815
    size: str
    proofRoot: str  # noqa: N815
    checkpointId: str  # noqa: N815
    eventId: str  # noqa: N815

    @property
    def marks(self):
        """What shows in an answer that it is of this customer."""
        return {self.tenant, self.customerId, self.customerReference, self.proofRoot, self.referenceId}


def settle(store, tenant, customer):
    """Record deltas of a customer under two checkpoints, and one behind them; announce it all to a webhook."""
    engine = Engine(store, OPERATOR, tenant=tenant, randomness=seeded(tenant))
    hook(store, tenant=tenant, seed=tenant)
    reference_id = REFERENCE_ID.format(tenant)
    first = engine.record(delta("5", customer, reference_id=reference_id))
    recorded(engine, 3, customer)
    engine.checkpoint(customer)
    recorded(engine, 2, customer)
    newest = engine.checkpoint(customer).checkpoint
    recorded(engine, 1, customer)
    spread_all(store)
    there = absent(tenant, customer)
    return there._replace(
        recordId=first.record_id,
        referenceId=reference_id,
        size=str(newest.size),
        proofRoot=f"0x{newest.root.hex()}",
        checkpointId=f"chk_{there.customerReference}.{newest.size}",
    )


def absent(tenant, customer):
    """Return names of the same forms, of nothing."""
    reference = f"0x{OPERATOR.log_of(tenant, customer).hex()}"
    record_id = f"{reference}.1"
    return Party(
        tenant=tenant,
        customerId=customer,
        customerReference=reference,
        recordId=record_id,
        referenceId=REFERENCE_ID.format("nobody"),
        size="9",
        proofRoot=f"0x{'0' * 64}",
        checkpointId=f"chk_{reference}.9",
        eventId=f"delta.verified.{record_id}",
    )
