"""What the tests of webhooks share: a tenant with a webhook, and what happens to its events."""

from counterfoil.engine.service import Webhook
from counterfoil.engine.transact import transact
from counterfoil.engine.webhook_deliveries import Attempt, settle, spread, take_due
from counterfoil.engine.webhook_events import event_of, format_event_id
from counterfoil.engine.webhooks import EVENTS, add_webhook
from tests.support import seeded

URL = "https://hooks.example.com/counterfoil?token=abc"
TAKEN_AT_ONCE = 10_000
OK = Attempt(delivered=True, final=False, outcome="HTTP 204")
DOWN = Attempt(delivered=False, final=False, outcome="HTTP 503")
GONE = Attempt(delivered=False, final=True, outcome="HTTP 410")


def hook(store, *events, tenant="default", seed=7, url=URL) -> Webhook:
    return add_webhook(store, tenant, url, events or EVENTS, randomness=seeded(seed))


def announced(store):
    """What stands in the outbox, as (size, done)."""
    found = transact(store, lambda transaction: transaction.take_announcements(TAKEN_AT_ONCE))
    return [(each.size, each.done) for each in found]


def spread_all(store):
    """Spread everything; return in how many steps."""
    steps = 1
    while spread(store):
        steps += 1
    return steps


def due(store):
    """Take everything that is due."""
    return take_due(
        store, lambda webhooks: [(webhook, TAKEN_AT_ONCE) for webhook in webhooks], limit=TAKEN_AT_ONCE
    )


def event_id(delivery):
    return format_event_id(event_of(delivery))


def ids_of(deliveries):
    """The ids of deliveries, without the reference in them."""
    return [event_id(each).replace(f"0x{each.log.hex()}", "x") for each in deliveries]


def ids(taken):
    """Those of what was taken, in order."""
    return sorted(ids_of(each.delivery for each in taken))


def settle_all(store, attempt, seed=1):
    """Take everything that is due and let it meet the same; return how much that was."""
    taken = due(store)
    settle(store, [(delivery, attempt) for delivery, _ in taken], randomness=seeded(seed))
    return len(taken)


def stored(store, tenant="default", status=None):
    with store.read() as view:
        return view.deliveries(tenant, status, offset=0, limit=TAKEN_AT_ONCE)
