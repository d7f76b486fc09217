"""What is sent of an event: its id is its place, and its body is made from the log when it is sent."""

import json
from decimal import Decimal

import pytest

from counterfoil.core.checkpoint import KeySet, parse_checkpoint
from counterfoil.engine.engine import Engine
from counterfoil.engine.webhook_events import Event, event_body, format_event_id, parse_event_id
from counterfoil.engine.webhooks import EVENTS
from counterfoil.errors import MalformedError
from tests.support import OPERATOR, delta, erase, recorded, refused, seeded

LOG = bytes(range(20))
REFERENCE = f"0x{LOG.hex()}"


class TestIds:
    @pytest.mark.parametrize(
        ("event", "text"),
        [
            (Event(LOG, "customer.created", 0), f"customer.created.{REFERENCE}"),
            (Event(LOG, "delta.verified", 1), f"delta.verified.{REFERENCE}.1"),
            (Event(LOG, "checkpoint.verified", 2**63 - 1), f"checkpoint.verified.{REFERENCE}.{2**63 - 1}"),
        ],
    )
    def test_an_id_is_the_kind_and_the_place_and_reads_back(self, event, text):
        assert format_event_id(event) == text
        assert parse_event_id(text) == event

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "customer.created",
            f"customer.created.{REFERENCE}.0",
            f"customer.created.{REFERENCE}.",
            f"delta.verified.{REFERENCE}",
            f"delta.verified.{REFERENCE}.01",
            f"delta.verified.{REFERENCE}.{2**63}",
            f"delta.verified.{REFERENCE}.-1",
            f"delta.verified.{REFERENCE}.1\n",
            f"delta.verified.{REFERENCE.upper()}.1",
            f"delta.verified.{REFERENCE[:-1]}.1",
            f"delta.stored.{REFERENCE}.1",
            f" delta.verified.{REFERENCE}.1",
        ],
    )
    def test_another_spelling_is_none(self, text):
        with pytest.raises(MalformedError):
            parse_event_id(text)


@pytest.fixture
def shop(engine):
    """Alice's deltas of two checkpoints: the entries 1 and 2, and 4."""
    engine.record_many([delta("0.1"), delta("-12.000000001", reference_id='line ä\u2028"1')])
    engine.checkpoint("alice")
    engine.record(delta("123456789012345678.9", reason="late"))
    engine.checkpoint("alice")
    return engine


def sent(store, engine, kind, number=0):
    """The document that is sent, with exact numbers."""
    body = event_body(store, OPERATOR, engine.tenant, Event(engine.log_of("alice"), kind, number))
    return json.loads(body, parse_float=Decimal)


class TestEveryBody:
    @pytest.mark.parametrize("kind", EVENTS)
    def test_it_says_which_event_it_is_whose_and_when(self, store, shop, kind):
        number = {"customer.created": 0, "delta.verified": 1, "checkpoint.verified": 4}[kind]
        document = sent(store, shop, kind, number)
        assert list(document) == ["id", "event", "tenantId", "createdAt", "timestamp", "data"]
        assert document["id"] == format_event_id(Event(shop.log_of("alice"), kind, number))
        assert (document["event"], document["tenantId"]) == (kind, "default")
        assert document["createdAt"] == document["timestamp"]

    @pytest.mark.parametrize("kind", EVENTS)
    def test_it_is_the_same_however_often_it_is_sent(self, store, shop, kind):
        number = {"customer.created": 0, "delta.verified": 1, "checkpoint.verified": 4}[kind]
        event = Event(shop.log_of("alice"), kind, number)
        first = event_body(store, OPERATOR, "default", event)
        recorded(shop, 1)
        shop.checkpoint("alice")
        assert event_body(store, OPERATOR, "default", event) == first


class TestCustomerCreated:
    def test_it_names_the_customer(self, store, shop):
        document = sent(store, shop, "customer.created")
        opened_at = shop.customer("alice").opened_at
        assert document["data"] == {
            "customerId": "alice",
            "customerReference": f"0x{shop.log_of('alice').hex()}",
            "unit": "credits",
            "createdAt": opened_at,
        }
        assert document["createdAt"] == opened_at


class TestDeltaVerified:
    def test_it_says_all_of_the_delta_and_what_first_covered_it(self, store, shop):
        log = f"0x{shop.log_of('alice').hex()}"
        first, _ = shop.checkpoints("alice")
        state = shop.delta(f"{log}.2")
        document = sent(store, shop, "delta.verified", 2)
        assert document["data"] == {
            "recordId": f"{log}.2",
            "receiptId": f"{log}.2",
            "verificationReference": f"chk_{log}.4",
            "proofRoot": f"0x{first.root.hex()}",
            "customerId": "alice",
            "customerReference": log,
            "delta": Decimal("-12.000000001"),
            "unit": "credits",
            "sequenceNumber": 2,
            "referenceId": 'line ä\u2028"1',
            "reason": "usage",
            "recordedAt": state.item.entry.recorded_at,
            "verifiedAt": state.verified_at,
            "blockTimestamp": state.verified_at,
        }
        assert document["createdAt"] == state.verified_at

    def test_amounts_are_numbers_and_exact(self, store, shop):
        for number, amount in ((1, b"0.1"), (4, b"123456789012345678.9")):
            event = Event(shop.log_of("alice"), "delta.verified", number)
            assert b'"delta":' + amount + b"," in event_body(store, OPERATOR, "default", event)

    def test_what_was_not_said_is_null(self, store, shop):
        assert sent(store, shop, "delta.verified", 1)["data"]["referenceId"] is None

    def test_what_was_erased_meanwhile_is_not_sent(self, store, shop):
        for index in (0, 2):
            erase(store, shop.log_of("alice"), index)
        data = sent(store, shop, "delta.verified", 2)["data"]
        assert (data["customerId"], data["referenceId"], data["reason"]) == (None, None, None)
        assert data["delta"] == Decimal("-12.000000001")

    def test_what_no_checkpoint_covers_is_not_sent(self, store, engine):
        recorded(engine, 1)
        with refused("log-corrupt"):
            sent(store, engine, "delta.verified", 1)

    @pytest.mark.parametrize("number", [3, 99])
    def test_what_is_no_delta_is_not_sent(self, store, shop, number):
        with refused("record-not-found"):
            sent(store, shop, "delta.verified", number)


class TestCheckpointVerified:
    def test_it_says_what_the_checkpoint_covers(self, store, shop):
        log = f"0x{shop.log_of('alice').hex()}"
        first, second = shop.checkpoints("alice")
        found = [sent(store, shop, "checkpoint.verified", each.size)["data"] for each in (first, second)]
        assert [(each["size"], each["deltaCount"], each["newDeltas"]) for each in found] == [
            (4, 2, 2),
            (6, 3, 1),
        ]
        through = shop.customer("alice").verified_through_at
        assert found[1] == {
            "checkpointId": f"chk_{log}.6",
            "proofRoot": f"0x{second.root.hex()}",
            "customerId": "alice",
            "customerReference": log,
            "size": 6,
            "deltaCount": 3,
            "newDeltas": 1,
            "verifiedThroughAt": through,
            "note": second.note,
        }
        assert sent(store, shop, "checkpoint.verified", 6)["createdAt"] == through

    def test_its_note_verifies(self, store, shop):
        note = sent(store, shop, "checkpoint.verified", 4)["data"]["note"]
        KeySet([OPERATOR.verifier_key]).verify(parse_checkpoint(note))

    def test_a_checkpoint_that_is_not_there_is_not_sent(self, store, shop):
        with refused("log-corrupt"):
            sent(store, shop, "checkpoint.verified", 5)

    def test_a_customer_that_was_erased_is_not_named(self, store, shop):
        erase(store, shop.log_of("alice"), 0)
        for kind, number in (("checkpoint.verified", 4), ("customer.created", 0)):
            assert sent(store, shop, kind, number)["data"]["customerId"] is None


@pytest.mark.parametrize(
    ("kind", "number"), [("customer.created", 0), ("delta.verified", 1), ("checkpoint.verified", 4)]
)
def test_another_tenants_event_is_not_sent_under_this_ones_name(store, shop, kind, number):
    other = Engine(store, OPERATOR, tenant="other", randomness=seeded(1))
    other.record(delta("1", customer="bob"))
    event = Event(shop.log_of("alice"), kind, number)
    assert event_body(store, OPERATOR, shop.tenant, event)
    with refused("record-not-found"):
        event_body(store, OPERATOR, other.tenant, event)


@pytest.mark.parametrize("kind", ["", "payout.approved", "customer.created ", "CUSTOMER.CREATED"])
def test_an_event_of_a_kind_that_there_is_not_is_not_sent(store, shop, kind):
    with refused("record-not-found"):
        sent(store, shop, kind)


def test_neither_is_one_of_a_log_that_there_is_not(store, shop):
    with refused("record-not-found"):
        event_body(store, OPERATOR, shop.tenant, Event(LOG, "customer.created", 0))
