"""Recording: durable, exactly once, in one place in one log; or refused, and nothing is written."""

import hashlib
import json
from contextlib import contextmanager
from decimal import Decimal

import pytest

from counterfoil.core.amount import NANO
from counterfoil.core.details import commit
from counterfoil.core.entry import DELTA, OPEN, parse_entry
from counterfoil.engine import record as record_module
from counterfoil.engine.engine import Engine
from counterfoil.engine.stored import key_prefix
from counterfoil.errors import EngineError
from tests.support import (
    KEYS,
    OPERATOR,
    assert_refusal,
    delta,
    entries_of,
    erase,
    recorded,
    refused,
    seeded,
)


def rows_of(engine, store, customer="alice"):
    return entries_of(store, engine.log_of(customer))


class TestFirstUse:
    def test_the_log_opens_with_its_first_delta(self, engine, store):
        answer = engine.record(delta("12.5"))
        opened, first = rows_of(engine, store)
        entry = parse_entry(opened.entry)
        assert (entry.type, entry.index, entry.count) == (OPEN, 0, 0)
        assert entry.origin == OPERATOR.origin("default", engine.log_of("alice"))
        assert json.loads(opened.value) == {"customerId": "alice"}
        assert first.entry == answer.data

    def test_a_record_is_its_place(self, engine):
        log = engine.log_of("alice")
        assert [answer.record_id for answer in recorded(engine, 2)] == [
            f"0x{log.hex()}.1",
            f"0x{log.hex()}.2",
        ]

    def test_the_answer_is_what_is_stored(self, engine, store):
        answer = engine.record(delta("-0.000000001", effective_at="2026-04-01", idempotency_key="k"))
        row = rows_of(engine, store)[1]
        assert row.entry == answer.data
        assert parse_entry(row.entry) == answer.entry
        assert (answer.entry.type, answer.entry.amount) == (DELTA, -1)
        assert answer.entry.effective_at == "2026-04-01T00:00:00.000000Z"
        assert (answer.customer_id, answer.idempotency_key, answer.replayed) == ("alice", "k", False)

    def test_details_open_the_commitment(self, engine, store):
        engine.record(delta(reference_id="line 1", metadata={"a": [1.5, None, True]}))
        for row in rows_of(engine, store):
            assert commit(row.salt, row.value) == parse_entry(row.entry).details
        assert json.loads(row.value) == {
            "reason": "usage",
            "referenceId": "line 1",
            "metadata": {"a": [1.5, None, True]},
        }

    def test_no_two_salts_are_alike(self, engine, store):
        engine.record_many([delta(customer=customer) for customer in ("alice", "bob") for _ in range(5)])
        salts = [row.salt for name in ("alice", "bob") for row in rows_of(engine, store, name)]
        assert len(set(salts)) == len(salts) == 12

    def test_totals_are_exact(self, engine):
        answers = engine.record_many(
            [delta("0.1"), delta("0.2"), delta("-0.3"), delta(Decimal("1E+2")), delta(7)]
        )
        last = answers[-1].entry
        assert (last.count, last.credits, last.debits) == (5, 107_300_000_000, 300_000_000)

    @pytest.mark.parametrize(
        "request_",
        [
            delta("nonsense"),
            delta(reason=""),
            delta(adjusts="gone"),
            delta(idempotency_key=""),
            delta(unit="a b"),
        ],
        ids=["amount", "reason", "adjusts", "key", "unit"],
    )
    def test_a_first_delta_that_is_refused_opens_no_log(self, engine, store, request_):
        with pytest.raises(EngineError):
            engine.record(request_)
        assert rows_of(engine, store) == []
        with refused("customer-not-found"):
            engine.customer("alice")

    def test_a_first_delta_that_adjusts_what_is_not_there_opens_no_log(self, engine, store):
        with refused("record-not-found", "adjusts"):
            engine.record(delta(adjusts=f"0x{engine.log_of('alice').hex()}.1"))
        assert rows_of(engine, store) == []

    def test_the_delta_after_a_refused_one_opens_the_log(self, engine, store):
        log = engine.log_of("alice")
        refusal, answer = engine.record_many([delta(adjusts=f"0x{log.hex()}.1"), delta()])
        assert_refusal(refusal, "record-not-found")
        assert answer.entry.index == 1
        assert len(rows_of(engine, store)) == 2


REQUEST = {
    "amount": "10.50",
    "effective_at": "2026-04-01T12:00:00+02:00",
    "reference_id": "line 1",
    "metadata": {"model": "x"},
    "idempotency_key": "k",
}


class TestIdempotency:
    def test_the_same_request_again_is_answered_with_the_first_entry(self, engine, store):
        first = engine.record(delta(**REQUEST))
        before = rows_of(engine, store)
        again = engine.record(delta(**REQUEST))
        assert (again.record_id, again.data, again.replayed) == (first.record_id, first.data, True)
        assert rows_of(engine, store) == before

    def test_another_spelling_of_the_same_values_is_the_same_request(self, engine):
        first = engine.record(delta(**REQUEST))
        other = REQUEST | {"amount": Decimal("1050e-2"), "effective_at": "2026-04-01T10:00:00Z"}
        assert engine.record(delta(**other)).data == first.data

    def test_the_unit_may_be_named_or_left_out(self, engine):
        first = engine.record(delta(**REQUEST))
        assert engine.record(delta(**REQUEST, unit="credits")).data == first.data

    @pytest.mark.parametrize(
        "change",
        [
            {"amount": "10.51"},
            {"amount": "-10.50"},
            {"effective_at": "2026-04-01T12:00:01+02:00"},
            {"effective_at": None},
            {"reason": "other"},
            {"reference_id": None},
            {"reference_id": "line 2"},
            {"metadata": None},
            {"metadata": {"model": "y"}},
        ],
        ids=lambda change: "=".join(map(str, next(iter(change.items())))),
    )
    def test_another_request_under_the_key_is_refused_and_nothing_is_written(self, engine, store, change):
        engine.record(delta(**REQUEST))
        before = rows_of(engine, store)
        with refused("idempotency-conflict") as caught:
            engine.record(delta(**(REQUEST | change)))
        assert caught.value.facts["recordId"] == f"0x{engine.log_of('alice').hex()}.1"
        assert rows_of(engine, store) == before

    def test_another_adjusted_delta_under_the_key_is_refused(self, engine):
        one, two = recorded(engine, 2)
        first = engine.record(delta(adjusts=one.record_id, idempotency_key="k"))
        assert engine.record(delta(adjusts=one.record_id, idempotency_key="k")).data == first.data
        for other in (two.record_id, None):
            with refused("idempotency-conflict"):
                engine.record(delta(adjusts=other, idempotency_key="k"))

    def test_a_replay_is_one_after_checkpoints_too(self, engine):
        first = engine.record(delta(idempotency_key="k"))
        engine.checkpoint("alice")
        recorded(engine, 300)
        engine.checkpoint("alice")
        assert engine.record(delta(idempotency_key="k")).data == first.data

    def test_after_erasure_the_details_are_not_compared_and_the_rest_is(self, engine, store):
        first = engine.record(delta(**REQUEST))
        erase(store, engine.log_of("alice"), 1)
        again = engine.record(delta(**(REQUEST | {"reason": "anything", "metadata": None})))
        assert (again.data, again.replayed) == (first.data, True)
        with refused("idempotency-conflict"):
            engine.record(delta(**(REQUEST | {"amount": "11"})))

    def test_keys_count_within_one_customer(self, engine):
        answers = [engine.record(delta(customer=name, idempotency_key="k")) for name in ("alice", "bob")]
        assert not any(answer.replayed for answer in answers)
        assert answers[0].entry.key != answers[1].entry.key

    def test_keys_count_within_one_tenant(self, engine, store):
        engine.record(delta(idempotency_key="k"))
        other = Engine(store, OPERATOR, tenant="other", randomness=seeded(1))
        assert not other.record(delta("11", idempotency_key="k")).replayed

    def test_without_a_key_a_random_one_is_made_and_can_be_used_again(self, engine):
        first, second = engine.record(delta()), engine.record(delta())
        assert first.idempotency_key != second.idempotency_key
        assert engine.record(delta(idempotency_key=first.idempotency_key)).data == first.data

    def test_two_keys_of_one_prefix_are_two_keys(self, engine, store):
        """The stored prefix is a hint of 8 bytes; the entry's 32 decide."""
        first = engine.record(delta(idempotency_key="k"))
        collided = _AnyKey(store, {key_prefix(bytes.fromhex(first.entry.key))})
        other = Engine(collided, OPERATOR, randomness=seeded(1)).record(delta("99", idempotency_key="other"))
        assert not other.replayed
        assert engine.record(delta(idempotency_key="k")).data == first.data

    def test_a_retry_after_an_unknown_outcome_records_once(self, engine, store):
        lost = _LostAnswer(store)
        with refused("commit-outcome-unknown"):
            Engine(lost, OPERATOR, randomness=seeded(1)).record(delta(idempotency_key="k"))
        again = engine.record(delta(idempotency_key="k"))
        assert (again.replayed, again.entry.index) == (True, 1)
        assert len(rows_of(engine, store)) == 2

    def test_no_answer_is_given_before_the_commit(self, engine, store):
        failing = _FailingCommit(store)
        with refused("out-of-space"):
            Engine(failing, OPERATOR, randomness=seeded(1)).record(delta())
        assert rows_of(engine, store) == []


class TestBatch:
    def test_answers_and_the_entries_of_each_customer_stand_in_the_order_of_the_requests(self, engine):
        names = ["bob", "alice", "bob", "carol", "alice"]
        answers = engine.record_many([delta(str(n + 1), name) for n, name in enumerate(names)])
        assert [answer.customer_id for answer in answers] == names
        assert [answer.entry.index for answer in answers] == [1, 1, 2, 1, 2]
        assert [answer.entry.amount // NANO for answer in answers] == [1, 2, 3, 4, 5]

    def test_each_item_succeeds_or_fails_by_itself(self, engine, store):
        answers = engine.record_many(
            [
                delta("1"),
                delta("0"),
                delta("2", idempotency_key="k"),
                delta("3", idempotency_key="k"),
                delta("4", customer="summary"),
                delta("5", adjusts=f"0x{engine.log_of('alice').hex()}.9"),
                delta("6", unit="EUR"),
                delta("7"),
            ]
        )
        codes = [answer.code if isinstance(answer, EngineError) else None for answer in answers]
        assert codes == [
            None,
            "amount-out-of-range",
            None,
            "idempotency-conflict",
            "invalid-field",
            "record-not-found",
            "invalid-field",
            None,
        ]
        amounts = [parse_entry(row.entry).amount // NANO for row in rows_of(engine, store)]
        assert amounts == [0, 1, 2, 7]

    def test_a_batch_of_refused_items_writes_nothing(self, engine, store):
        answers = engine.record_many([delta("0"), delta(reason="")])
        assert [answer.code for answer in answers] == ["amount-out-of-range", "invalid-field"]
        assert rows_of(engine, store) == []

    def test_an_empty_batch_has_no_answers(self, engine):
        assert engine.record_many([]) == []

    def test_the_same_key_twice_in_one_batch_is_one_delta(self, engine, store):
        first, second = engine.record_many([delta(idempotency_key="k"), delta(idempotency_key="k")])
        assert (first.replayed, second.replayed) == (False, True)
        assert first.data == second.data
        assert len(rows_of(engine, store)) == 2

    def test_under_a_batch_key_each_item_has_a_key_by_its_position(self, engine):
        answers = engine.record_many([delta(), delta(idempotency_key="own"), delta()], batch_key="b-1")
        assert [answer.idempotency_key for answer in answers] == [
            hashlib.sha256(b"b-1\n0").hexdigest(),
            "own",
            hashlib.sha256(b"b-1\n2").hexdigest(),
        ]

    def test_the_same_batch_again_gives_the_same_answers(self, engine, store):
        requests = [delta(), delta("0"), delta(customer="bob"), delta(), delta(idempotency_key="own")]
        first = engine.record_many(requests, batch_key="b")
        before = {name: rows_of(engine, store, name) for name in ("alice", "bob")}
        again = engine.record_many(requests, batch_key="b")
        assert [answer.replayed for answer in again if not isinstance(answer, EngineError)] == [True] * 4
        for old, new in zip(first, again, strict=True):
            if isinstance(old, EngineError):
                assert_refusal(new, old.code)
            else:
                assert new.data == old.data
        assert {name: rows_of(engine, store, name) for name in ("alice", "bob")} == before

    def test_a_longer_batch_under_the_same_key_records_what_is_new(self, engine):
        requests = [delta(str(n + 1)) for n in range(3)]
        engine.record_many(requests, batch_key="b")
        again = engine.record_many([*requests, delta("4")], batch_key="b")
        assert [answer.replayed for answer in again] == [True, True, True, False]

    def test_an_item_of_a_batch_can_be_sent_again_alone(self, engine):
        answers = engine.record_many([delta("1"), delta("2")], batch_key="b")
        again = engine.record(delta("2", idempotency_key=hashlib.sha256(b"b\n1").hexdigest()))
        assert again.data == answers[1].data

    @pytest.mark.parametrize("key", ["", "a b", "k" * 256, "é", 5], ids=repr)
    def test_a_batch_key_that_is_none_refuses_the_batch(self, engine, store, key):
        with refused("invalid-field", "idempotencyKey"):
            engine.record_many([delta()], batch_key=key)
        assert rows_of(engine, store) == []

    def test_more_items_than_the_bound_refuse_the_batch(self, engine, store, monkeypatch):
        monkeypatch.setattr(record_module, "BATCH_ITEMS_MAX", 3)
        with refused("invalid-field", "batch"):
            engine.record_many([delta()] * 4)
        assert rows_of(engine, store) == []
        assert len(engine.record_many([delta()] * 3)) == 3


class TestUnit:
    def test_it_is_credits_where_nobody_said_otherwise(self, engine):
        assert engine.record(delta()).entry.unit == "credits"

    def test_it_is_the_tenants_where_one_was_set(self, engine):
        engine.set_unit("EUR")
        assert engine.record(delta()).entry.unit == "EUR"

    def test_it_is_the_one_that_the_first_delta_names(self, engine):
        engine.set_unit("EUR")
        first, second = engine.record_many([delta(unit="tokens"), delta()])
        assert (first.entry.unit, second.entry.unit) == ("tokens", "tokens")

    def test_it_never_changes(self, engine):
        first = engine.record(delta(unit='"\\'))
        engine.set_unit("EUR")
        with refused("invalid-field", "unit"):
            engine.record(delta(unit="EUR"))
        assert engine.record(delta()).entry.unit == first.entry.unit == '"\\'
        engine.checkpoint("alice")
        assert engine.audit("alice", KEYS).last.unit == '"\\'

    def test_a_replay_that_names_another_unit_is_refused(self, engine):
        engine.record(delta(idempotency_key="k"))
        with refused("invalid-field", "unit"):
            engine.record(delta(idempotency_key="k", unit="EUR"))

    @pytest.mark.parametrize("unit", ["", "a b", "x" * 33, "€", "a\n", 5], ids=repr)
    def test_what_is_no_unit_is_refused(self, engine, unit):
        with refused("invalid-field", "unit"):
            engine.record(delta(unit=unit))
        with refused("invalid-field", "unit"):
            engine.set_unit(unit)


class TestAdjusts:
    def test_a_delta_corrects_an_earlier_one(self, engine):
        first = engine.record(delta())
        assert engine.record(delta("-10", adjusts=first.record_id)).entry.adjusts == 1

    def test_a_delta_corrects_one_of_the_same_batch(self, engine):
        record_id = f"0x{engine.log_of('alice').hex()}.1"
        _, correction = engine.record_many([delta(), delta("-10", adjusts=record_id)])
        assert correction.entry.adjusts == 1
        *_, second, third = engine.record_many([delta(), delta("-1", adjusts=f"{record_id[:-1]}3")])
        assert (second.entry.index, third.entry.adjusts) == (3, 3)

    def test_it_corrects_nothing_of_another_customer(self, engine):
        other = engine.record(delta(customer="bob"))
        engine.record(delta())
        with refused("invalid-field", "adjusts"):
            engine.record(delta(adjusts=other.record_id))

    @pytest.mark.parametrize("index", [0, 2], ids=["open", "seal"])
    def test_it_corrects_only_deltas(self, engine, index):
        engine.record(delta())
        engine.checkpoint("alice")
        with refused("invalid-field", "adjusts"):
            engine.record(delta(adjusts=f"0x{engine.log_of('alice').hex()}.{index}"))

    @pytest.mark.parametrize("index", [2, 3, 2**63 - 1])
    def test_it_corrects_nothing_that_is_not_there_yet(self, engine, index):
        engine.record(delta())
        with refused("record-not-found", "adjusts"):
            engine.record(delta(adjusts=f"0x{engine.log_of('alice').hex()}.{index}"))

    def test_in_a_batch_it_corrects_neither_itself_nor_the_next(self, engine):
        place = f"0x{engine.log_of('alice').hex()}."
        _, itself, following = engine.record_many(
            [delta(), delta(adjusts=f"{place}2"), delta(adjusts=f"{place}3")]
        )
        assert_refusal(itself, "record-not-found", "adjusts")
        assert_refusal(following, "record-not-found", "adjusts")

    @pytest.mark.parametrize(
        "text", ["", "1", "x.1", "0x00.1", ".1", "LOG.", "LOG.01", "LOG.-1", "LOG", "LOG.1 "]
    )
    def test_what_is_no_record_id_is_refused(self, engine, text):
        engine.record(delta())
        with refused("invalid-field"):
            engine.record(delta(adjusts=text.replace("LOG", f"0x{engine.log_of('alice').hex()}")))


class TestTotals:
    @pytest.fixture(autouse=True)
    def small_totals(self, monkeypatch):
        # 29 digits are 10^11 of the largest amounts away.
        monkeypatch.setattr(record_module, "TOTAL_NANO_END", 1_000 * NANO)

    @pytest.mark.parametrize("sign", ["", "-"], ids=["credits", "debits"])
    def test_a_total_does_not_pass_its_digits(self, engine, store, sign):
        answers = engine.record_many([delta(f"{sign}999"), delta(f"{sign}1"), delta(f"{sign}0.999999999")])
        assert_refusal(answers[1], "amount-out-of-range", "delta")
        assert answers[2].entry.index == 2
        assert len(rows_of(engine, store)) == 3

    def test_the_other_total_still_grows(self, engine):
        _, refusal, answer = engine.record_many([delta("999"), delta("1"), delta("-1")])
        assert_refusal(refusal, "amount-out-of-range")
        assert (answer.entry.credits, answer.entry.debits) == (999 * NANO, NANO)


# Metadata under the name "value" are on level 3 of the details.
NESTED = {"4": {"5": {"6": {"7": {"8": {}}}}}}


class TestInput:
    @pytest.mark.parametrize("reason", ["", None, 5, b"x", ["x"]], ids=repr)
    def test_a_reason_is_words(self, engine, reason):
        with refused("invalid-field", "reason"):
            engine.record(delta(reason=reason))

    @pytest.mark.parametrize("reference", [5, b"x", ["x"]], ids=repr)
    def test_a_reference_is_text(self, engine, reference):
        with refused("invalid-field", "referenceId"):
            engine.record(delta(reference_id=reference))

    @pytest.mark.parametrize("metadata", [[], "x", 5, True], ids=repr)
    def test_metadata_are_an_object(self, engine, metadata):
        with refused("invalid-field", "metadata"):
            engine.record(delta(metadata=metadata))

    @pytest.mark.parametrize(
        "value",
        [
            float("nan"),
            float("inf"),
            2**53,
            -(2**53),
            1e16,
            -1e300,
            Decimal(1),
            b"bytes",
            {1, 2},
            object,
            "\ud800",
            {"\udfff": 1},
            {1: "number as a name"},
            {None: 1},
            {"é": {2: 3}},
            [[[[[[[]]]]]]],
            ((((((((),),),),),),),),
            {"deeper": NESTED},
            "x" * 16_384,
            {str(n): "" for n in range(4_000)},
        ],
        ids=lambda value: ascii(value)[:24],
    )
    def test_metadata_that_two_readers_could_take_differently_are_refused(self, engine, store, value):
        with refused("invalid-field"):
            engine.record(delta(metadata={"value": value}))
        assert rows_of(engine, store) == []

    @pytest.mark.parametrize(
        "value",
        [
            2**53 - 1,
            -(2**53 - 1),
            0.1,
            -0.0,
            1e-300,
            5e-324,
            4503599627370497.5,
            1e15,
            "\u2028\x00é😀",
            NESTED,
        ],
        ids=lambda value: ascii(value)[:24],
    )
    def test_metadata_that_are_taken_come_out_in_a_receipt_that_verifies(self, engine, value):
        answer = engine.record(delta(metadata={"value": value}))
        engine.checkpoint("alice")
        assert engine.verify_record(answer.record_id).details["metadata"] == {"value": value}

    def test_details_of_exactly_the_bound_are_taken(self, engine, store):
        empty = len('{"reason":""}')
        answer = engine.record(delta(reason="x" * (16_384 - empty)))
        assert len(rows_of(engine, store)[answer.entry.index].value) == 16_384
        with refused("invalid-field"):
            engine.record(delta(reason="x" * (16_385 - empty)))

    @pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "é", "a\n", "\x7f", 5, b"k"], ids=repr)
    def test_an_idempotency_key_is_visible_ascii(self, engine, key):
        with refused("invalid-field", "idempotencyKey"):
            engine.record(delta(idempotency_key=key))

    @pytest.mark.parametrize("key", ["k" * 255, "!", "~", '"\\'], ids=lambda key: key[:4])
    def test_every_visible_character_may_stand_in_an_idempotency_key(self, engine, key):
        first = engine.record(delta(idempotency_key=key))
        assert engine.record(delta(idempotency_key=key)).data == first.data

    @pytest.mark.parametrize(
        "customer",
        ["", "summary", ".a", "-a", "a/b", "a b", "ü", "a\n", "x" * 129, None, 5, b"a", ["a"], "\uff11"],
        ids=lambda customer: ascii(customer)[:12],
    )
    def test_what_is_no_customer_id_is_refused(self, engine, customer):
        with refused("invalid-field", "customerId"):
            engine.record(delta(customer=customer))
        (answer,) = engine.record_many([delta(customer=customer)])
        assert_refusal(answer, "invalid-field")

    @pytest.mark.parametrize(
        "customer", ["x" * 128, "0", "Summary", "a.b_c:d-e"], ids=lambda customer: customer[:8]
    )
    def test_every_customer_id_is_taken(self, engine, customer):
        engine.record(delta(customer=customer))
        assert engine.customer(customer).customer_id == customer

    @pytest.mark.parametrize(
        ("amount", "code"),
        [
            (1.5, "invalid-field"),
            (True, "invalid-field"),
            (None, "invalid-field"),
            ("", "invalid-field"),
            ("NaN", "invalid-field"),
            ("1_000", "invalid-field"),
            ("\uff11", "invalid-field"),
            (Decimal("Infinity"), "invalid-field"),
            ("0" * 41, "invalid-field"),
            ("0", "amount-out-of-range"),
            ("-0.0", "amount-out-of-range"),
            (0, "amount-out-of-range"),
            ("1e500", "amount-out-of-range"),
            ("1000000000000000000", "amount-out-of-range"),
            (10**5000, "amount-out-of-range"),
            ("0.0000000001", "amount-out-of-range"),
        ],
        ids=lambda value: ascii(value)[:16] if not isinstance(value, int) else f"int{value % 7}",
    )
    def test_what_is_no_exact_amount_is_refused(self, engine, store, amount, code):
        with refused(code, "delta"):
            engine.record(delta(amount))
        assert rows_of(engine, store) == []

    @pytest.mark.parametrize(
        "text", ["", "yesterday", "2026-02-30", "2026-04-01T00:00:00", 5, "0000-01-01"], ids=repr
    )
    def test_what_is_no_time_is_refused(self, engine, text):
        with refused("invalid-field", "effectiveAt"):
            engine.record(delta(effective_at=text))


class _Wrapped:
    """A store that does as another does."""

    def __init__(self, store):
        self._store = store

    def read(self):
        return self._store.read()

    def write(self):
        return self._store.write()


class _LostAnswer(_Wrapped):
    """Commits, and says that nobody knows."""

    @contextmanager
    def write(self):
        with self._store.write() as transaction:
            yield transaction
        raise EngineError("commit-outcome-unknown", "the connection was lost")


class _FailingCommit(_Wrapped):
    """Undoes everything at the end."""

    @contextmanager
    def write(self):
        with self._store.write() as transaction:
            yield transaction
            raise EngineError("out-of-space", "the disk is full")


class _AnyKey(_Wrapped):
    """Finds for every key the places of some prefixes too, as if they had collided."""

    def __init__(self, store, prefixes):
        super().__init__(store)
        self._prefixes = prefixes

    @contextmanager
    def write(self):
        with self._store.write() as transaction:
            found = transaction.find_keys

            def find_keys(wanted):
                return {
                    key: [
                        index
                        for prefix in {key[1], *self._prefixes}
                        for index in found([(key[0], prefix)]).get((key[0], prefix), [])
                    ]
                    for key in wanted
                }

            transaction.find_keys = find_keys
            yield transaction
