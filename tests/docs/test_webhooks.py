"""The page on webhooks names every event, header and field, and its Python reads what is sent."""

import json
import re
import time

import pytest

from counterfoil.engine.engine import Engine
from counterfoil.engine.webhook_deliveries import ATTEMPTS_MAX, RETRY_SECONDS, STATUSES
from counterfoil.engine.webhook_events import Event, event_body
from counterfoil.engine.webhooks import EVENTS, rotate_webhook, webhook_secret, webhooks_of
from counterfoil.limits import WEBHOOKS_MAX
from counterfoil.storage.memory import MemoryStore
from counterfoil.web.deliver import Deliverer
from tests.docs.examples import ROOT
from tests.engine.outbox import OK, hook
from tests.support import OPERATOR, FakeClock, recorded, seeded

PAGE = (ROOT / "docs" / "api" / "webhooks.md").read_text(encoding="utf-8")
NUMBERS = {"customer.created": 0, "delta.verified": 1, "checkpoint.verified": 3}


@pytest.fixture
def shop():
    """A store with an event of each kind, on a clock that is right."""
    store = MemoryStore(FakeClock(time.time_ns() // 1_000))
    engine = Engine(store, OPERATOR, randomness=seeded())
    hook(store)
    recorded(engine, 1)
    engine.checkpoint("alice")
    return store, engine


def sent(store):
    """The requests that are sent."""
    requests = []

    def send(request):
        requests.append(request)
        return OK

    clock = FakeClock(time.time_ns() // 1_000)
    with Deliverer(store, OPERATOR, send, clock=clock, randomness=seeded()) as deliverer:
        while deliverer.run_once():
            pass
    return requests


def rows(section):
    return re.findall(r"^\| `([^`]+)` \| ", section, re.MULTILINE)


def section(head):
    return re.search(rf"^#+ {re.escape(head)}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]


def test_every_event_has_its_section_and_no_other():
    assert re.findall(r"^### (.*)$", PAGE, re.MULTILINE) == list(EVENTS)


@pytest.mark.parametrize("kind", EVENTS)
def test_a_section_names_the_fields_of_its_event_in_their_order(shop, kind):
    store, engine = shop
    body = event_body(store, OPERATOR, "default", Event(engine.log_of("alice"), kind, NUMBERS[kind]))
    assert rows(section(kind)) == list(json.loads(body)["data"])


def test_headers_and_members_are_those_that_are_sent(shop):
    [request, *_] = sent(shop[0])
    headers = {name for name, _ in request.headers}
    named = rows(section("What arrives"))
    assert set(named[: len(headers)]) == headers
    assert named[len(headers) :] == list(json.loads(request.body))


@pytest.mark.parametrize("rotated", [False, True])
def test_the_python_of_the_page_takes_what_is_sent_and_nothing_else(shop, rotated):
    store, _ = shop
    [webhook] = webhooks_of(store, "default")
    if rotated:
        rotate_webhook(store, "default", webhook.webhook_id)
    page = {}
    [example] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(example, page)  # noqa: S102  -- the page's own
    read_event, secret = page["read_event"], webhook_secret(OPERATOR, webhook)
    requests = sent(store)
    assert len(requests) == 3
    for request in requests:
        headers = dict(request.headers)
        assert read_event(secret, headers, request.body)["id"] == headers["X-Event-ID"]
        lower = {name.lower(): value for name, value in headers.items()}
        assert read_event(secret, lower, request.body)["id"] == headers["X-Event-ID"]
        late = {**headers, "X-PacSpace-Timestamp": str(int(headers["X-PacSpace-Timestamp"]) - 301)}
        for refused in (
            (secret + "0", headers, request.body),
            (secret, headers, request.body + b" "),
            (secret, late, request.body),
            (secret, {**headers, "X-PacSpace-Signature": "v1=ä"}, request.body),
            (secret, without(headers, "X-PacSpace-Signature"), request.body),
            (secret, without(headers, "X-PacSpace-Timestamp"), request.body),
        ):
            with pytest.raises(ValueError, match=r"sent|signed"):
                read_event(*refused)


def without(headers, name):
    return {other: value for other, value in headers.items() if other != name}


def test_the_bounds_of_the_page_are_those_of_the_code():
    assert (ATTEMPTS_MAX, WEBHOOKS_MAX) == (10, 16)
    assert "up to ten attempts" in PAGE
    assert "up to 16 webhooks" in PAGE
    assert RETRY_SECONDS == (10, 30, 2 * 60, 10 * 60, 30 * 60, 3_600, 2 * 3_600, 4 * 3_600, 6 * 3_600)
    assert "10 seconds, 30 seconds, 2 and 10 minutes, half an hour, 1, 2, 4 and 6 hours" in PAGE
    assert ", ".join(f"`{status}`" for status in STATUSES) in PAGE
