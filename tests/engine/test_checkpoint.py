"""Checkpoints: all that was recorded gets under a signed root, once, whoever dies or comes between."""

from itertools import count, pairwise, permutations

import pytest

from counterfoil.core.entry import SEAL, parse_entry
from counterfoil.core.timestamp import parse_time
from counterfoil.core.tlog_proof import parse_consistency_file, verify_consistency_file
from counterfoil.engine import checkpoint as checkpoint_module
from counterfoil.engine import sign as sign_module
from counterfoil.engine.engine import Engine
from counterfoil.engine.operator import Operator
from tests.engine.stepping import Crash, Stepping, interleave
from tests.fsck import fsck, tree_root
from tests.support import (
    KEYS,
    OPERATOR,
    SECOND,
    assert_refusal,
    delta,
    entries_of,
    path_of,
    recorded,
    refused,
    respelled,
    seeded,
    sql,
)

# No two engines draw the same keys.
SEEDS = count(1)


class Signer:
    """A signer that remembers what it was asked to sign."""

    def __init__(self):
        self.public_key = OPERATOR.signer.public_key
        self.texts = []

    def sign(self, message):
        self.texts.append(message.decode())
        return OPERATOR.signer.sign(message)


@pytest.fixture
def signer():
    return Signer()


@pytest.fixture
def stepping(store):
    return Stepping(store)


@pytest.fixture
def worker(stepping, signer):
    """An engine whose store can be told to crash, and whose signatures are remembered."""
    return engine_on(stepping, signer)


def engine_on(store, signer):
    operator = Operator(OPERATOR.name, signer, OPERATOR.reference_key)
    return Engine(store, operator, randomness=seeded(next(SEEDS)))


def sizes(engine, customer="alice"):
    return [checkpoint.size for checkpoint in engine.checkpoints(customer)]


def rows_of(engine, store, customer="alice"):
    return entries_of(store, engine.log_of(customer))


def assert_one_root_a_size(texts):
    roots = {}
    for text in texts:
        origin, size, root = text.splitlines()
        assert roots.setdefault((origin, size), root) == root


def assert_sound(engine, customer="alice"):
    """The log audits, each checkpoint extends the one before, and all of it is under the newest."""
    report = engine.audit(customer, KEYS)
    checkpoints = list(engine.checkpoints(customer))
    assert report.checkpoints == len(checkpoints)
    for old, new in pairwise(checkpoints):
        file = engine.consistency_file(customer, old.size, size=new.size)
        verify_consistency_file(old, parse_consistency_file(file), KEYS)
    return report


class TestOneLog:
    def test_it_covers_all_entries_and_the_seal(self, engine, store):
        recorded(engine, 3)
        done = engine.checkpoint("alice")
        rows = rows_of(engine, store)
        assert (done.outcome, done.checkpoint.size, len(rows)) == ("signed", 5, 5)
        assert done.checkpoint.root == tree_root([row.entry for row in rows])
        seal = parse_entry(rows[-1].entry)
        assert (seal.type, seal.recorded_at) == (SEAL, done.verified_through_at)
        KEYS.verify(done.checkpoint)

    def test_it_is_published_as_it_was_answered(self, engine):
        recorded(engine, 3)
        done = engine.checkpoint("alice")
        assert list(engine.checkpoints("alice")) == [done.checkpoint]
        record = engine.customer("alice")
        assert (record.checkpoint_size, record.verified_through_at) == (5, done.verified_through_at)

    @pytest.mark.parametrize("deltas", [1, 253, 254, 255, 256, 257, 510, 600])
    def test_its_root_is_right_around_the_width_of_a_tile(self, engine, store, deltas):
        """With open entry and seal the sizes are two more."""
        recorded(engine, deltas)
        done = engine.checkpoint("alice")
        assert done.checkpoint.root == tree_root([row.entry for row in rows_of(engine, store)])
        recorded(engine, 2)
        done = engine.checkpoint("alice")
        assert done.checkpoint.root == tree_root([row.entry for row in rows_of(engine, store)])
        assert_sound(engine)

    def test_with_nothing_new_nothing_is_written(self, engine, store):
        recorded(engine, 1)
        first = engine.checkpoint("alice")
        before = rows_of(engine, store)
        again = engine.checkpoint("alice")
        assert (again.outcome, again.checkpoint) == ("unchanged", first.checkpoint)
        assert again.verified_through_at == first.verified_through_at
        assert rows_of(engine, store) == before

    def test_a_refresh_seals_again_for_a_later_watermark(self, engine):
        recorded(engine, 1)
        first = engine.checkpoint("alice")
        again = engine.checkpoint("alice", refresh=True)
        assert (again.outcome, again.checkpoint.size) == ("signed", first.checkpoint.size + 1)
        assert again.verified_through_at > first.verified_through_at
        assert_sound(engine)

    def test_a_customer_that_is_not_there_is_refused(self, engine, store):
        recorded(engine, 1)
        with refused("customer-not-found"):
            engine.checkpoint("bob")
        assert rows_of(engine, store, "bob") == []

    def test_another_tenants_customer_is_not_there(self, engine, store):
        recorded(engine, 1)
        other = Engine(store, OPERATOR, tenant="other")
        assert list(other.checkpoint_all()) == []
        with refused("customer-not-found"):
            other.checkpoint("alice")
        assert sizes(engine) == []

    def test_another_tenants_log_is_not_there_though_it_is_named_by_its_reference(self, engine, store):
        recorded(engine, 1)
        (answer,) = checkpoint_module.checkpoint_many(store, OPERATOR, "other", [engine.log_of("alice")])
        assert_refusal(answer, "customer-not-found")
        assert sizes(engine) == []

    def test_a_signature_that_does_not_verify_is_not_published(self, store):
        class Faulty(Signer):
            def sign(self, message):
                return super().sign(message[:-1])

        engine = engine_on(store, Faulty())
        recorded(engine, 1)
        with refused("key-mismatch"):
            engine.checkpoint("alice")
        assert sizes(engine) == []


class TestWatermark:
    def test_it_never_goes_back_and_all_that_was_accepted_up_to_it_is_covered(self, engine, clock):
        accepted, watermarks = [], []
        for turn in range(12):
            accepted += recorded(engine, turn % 3 + 1)
            clock.now += (turn % 5 - 2) * SECOND  # back and forth
            done = engine.checkpoint("alice", refresh=turn % 2 == 0)
            watermarks.append(done.verified_through_at)
            accepted += recorded(engine, 1)
            for answer in accepted:
                covered = answer.entry.index < done.checkpoint.size
                assert covered == (answer.entry.recorded_at <= done.verified_through_at)
        assert watermarks == sorted(set(watermarks))

    def test_what_comes_later_is_later(self, engine, clock):
        clock.tick = 0
        recorded(engine, 1)
        done = engine.checkpoint("alice")
        (late,) = recorded(engine, 1)
        assert late.entry.recorded_at > done.verified_through_at


class TestManyLogs:
    def test_each_gets_its_own_outcome_in_order(self, engine):
        for name in ("alice", "bob"):
            recorded(engine, 1, name)
        engine.checkpoint("bob")
        alice, ghost, bob = engine.checkpoint_many(["alice", "ghost", "bob"])
        assert (alice.outcome, bob.outcome) == ("signed", "unchanged")
        assert_refusal(ghost, "customer-not-found")

    def test_a_customer_named_twice_is_done_once(self, engine):
        recorded(engine, 1)
        assert len(list(engine.checkpoint_many(["alice", "alice"], refresh=True))) == 1

    def test_all_means_those_with_work(self, engine):
        for name in ("alice", "bob", "carol"):
            recorded(engine, 1, name)
        engine.checkpoint("bob")
        done = list(engine.checkpoint_all())
        assert {item.log for item in done} == {engine.log_of("alice"), engine.log_of("carol")}
        assert list(engine.checkpoint_all()) == []

    def test_all_with_refresh_means_everybody(self, engine):
        for name in ("alice", "bob"):
            recorded(engine, 1, name)
        engine.checkpoint("bob")
        assert [item.outcome for item in engine.checkpoint_all(refresh=True)] == ["signed", "signed"]

    def test_rounds_and_pages_change_nothing_of_the_outcome(self, engine, monkeypatch):
        monkeypatch.setattr(checkpoint_module, "ROUND_LOGS", 3)
        for module in (checkpoint_module, sign_module):
            monkeypatch.setattr(module, "PAGE_ENTRIES", 7)
        names = [f"c{n}" for n in range(11)]
        for turn in range(3):
            for place, name in enumerate(names):
                recorded(engine, (place * 5 + turn) % 17 + 1, name)
            done = list(engine.checkpoint_all())
            assert len(done) == 11
            assert {item.outcome for item in done} == {"signed"}
        for name in names:
            assert_sound(engine, name)

    def test_a_log_whose_clock_lies_ahead_does_not_stop_the_others(self, engine, clock):
        recorded(engine, 1)
        clock.now -= 10 * SECOND
        recorded(engine, 1, "bob")
        alice, bob = engine.checkpoint_many(["alice", "bob"])
        assert_refusal(alice, "clock-regressed")
        assert bob.outcome == "signed"


class TestCrash:
    SEAL, GATHER, PUBLISH = range(3)

    def test_a_pending_seal_is_signed_with_the_same_bytes(self, worker, stepping, engine, store, signer):
        recorded(worker, 3)
        stepping.crash_at(self.PUBLISH)
        with pytest.raises(Crash):
            worker.checkpoint("alice")
        before = rows_of(engine, store)
        assert sizes(engine) == []
        stepping.crash_at(None)
        done = worker.checkpoint("alice")
        assert (done.outcome, rows_of(engine, store)) == ("signed", before)
        assert signer.texts == [done.checkpoint.text] * 2

    @pytest.mark.parametrize("step", [SEAL, GATHER, PUBLISH], ids=["seal", "gather", "publish"])
    def test_whoever_comes_next_finishes_what_was_left(self, worker, stepping, engine, step):
        recorded(worker, 3)
        stepping.crash_at(step)
        with pytest.raises(Crash):
            worker.checkpoint("alice")
        (done,) = engine.checkpoint_all()
        assert (done.outcome, done.checkpoint.size) == ("signed", 5)
        assert assert_sound(engine).covered == 5

    def test_entries_behind_a_pending_seal_get_their_own(self, worker, stepping, engine):
        recorded(worker, 3)
        stepping.crash_at(self.GATHER)
        with pytest.raises(Crash):
            worker.checkpoint("alice")
        recorded(engine, 2)
        done = engine.checkpoint("alice")
        assert (done.outcome, done.checkpoint.size) == ("signed", 8)
        assert sizes(engine) == [5, 8]
        assert assert_sound(engine).covered == 8

    def test_a_refresh_is_not_content_with_a_pending_seal(self, worker, stepping, engine, clock):
        recorded(worker, 1)
        stepping.crash_at(self.GATHER)
        with pytest.raises(Crash):
            worker.checkpoint("alice")
        clock.now += 3_600 * SECOND
        asked_at = clock.now
        done = engine.checkpoint("alice", refresh=True)
        assert parse_time(done.verified_through_at) >= asked_at
        assert sizes(engine) == [3, 4]

    def test_a_round_of_many_logs_is_taken_up_again(self, worker, stepping, engine):
        for name in ("alice", "bob", "carol"):
            recorded(worker, 2, name)
        stepping.crash_at(3)  # the list of logs is a transaction too
        with pytest.raises(Crash):
            list(worker.checkpoint_all())
        assert {item.outcome for item in engine.checkpoint_all()} == {"signed"}
        for name in ("alice", "bob", "carol"):
            assert assert_sound(engine, name).covered == 4


class TestBacklog:
    @pytest.fixture(autouse=True)
    def small_pages(self, monkeypatch):
        for module in (checkpoint_module, sign_module):
            monkeypatch.setattr(module, "PAGE_ENTRIES", 300)
        monkeypatch.setattr(sign_module, "_TILES_HELD", 2)

    def test_complete_tiles_are_stored_ahead_and_the_root_is_right(self, worker, stepping, engine, store):
        recorded(worker, 1_700)
        stepping.steps = 0
        done = worker.checkpoint("alice")
        # Seal, gather, publish and settle; five more pages; 1,702 leaves are six complete tiles, two at a time.
        assert stepping.steps == 4 + 5 + 3
        assert done.checkpoint.root == tree_root([row.entry for row in rows_of(engine, store)])
        assert assert_sound(engine).covered == 1_702

    @pytest.mark.parametrize("step", range(9))
    def test_a_crash_anywhere_loses_nothing(self, worker, stepping, store, step, signer):
        engine = engine_on(store, signer)
        recorded(worker, 300)
        worker.checkpoint("alice")
        recorded(worker, 1_400)
        stepping.crash_at(step)
        with pytest.raises(Crash):
            worker.checkpoint("alice")
        recorded(engine, 5)
        done = engine.checkpoint("alice")
        assert done.checkpoint.root == tree_root([row.entry for row in rows_of(engine, store)])
        assert_one_root_a_size(signer.texts)
        assert_sound(engine)

    def test_receipts_do_not_stand_on_tiles_that_were_stored_ahead(self, worker, stepping, engine):
        first, *_ = recorded(worker, 300)
        worker.checkpoint("alice")
        recorded(worker, 1_400)
        stepping.crash_at(8)  # at publication
        with pytest.raises(Crash):
            worker.checkpoint("alice")
        assert engine.verify_record(first.record_id).checkpoint.size == 302
        assert engine.audit("alice", KEYS).covered == 302


def orders(*names):
    return sorted({"".join(order) for order in permutations("".join(names))})


class TestTwoWorkers:
    """Their transactions in every order: seal, gather and publish of each."""

    def run(self, order, store, signer, customer="alice"):
        """Let A and B checkpoint and R record, in this order; return what each was answered."""

        def work(name):
            stepping = Stepping(store)
            engine = engine_on(stepping, signer)

            def step_by_step(before):
                stepping.before = before
                return engine.record(delta("7", customer)) if name == "R" else engine.checkpoint(customer)

            return step_by_step

        return interleave(order, {name: work(name) for name in sorted(set(order))})

    def check(self, answers, engine, signer, customer="alice"):
        assert_one_root_a_size(signer.texts)
        report = assert_sound(engine, customer)
        done = [answer for name, answer in answers.items() if name != "R"]
        assert "signed" in {each.outcome for each in done} <= {"signed", "superseded", "unchanged"}
        for each in done:
            # What a worker answers with is published, and covers what was there when it was asked.
            assert each.checkpoint in list(engine.checkpoints(customer))
            assert each.verified_through_at <= report.verified_through_at

    @pytest.mark.parametrize("order", orders("AAA", "BBB"))
    def test_one_of_them_publishes_and_that_stands(self, order, store, engine, signer):
        recorded(engine, 3)
        self.check(self.run(order, store, signer), engine, signer)
        assert sizes(engine) == [5]

    @pytest.mark.parametrize("order", orders("AAA", "BBB"))
    def test_so_it_is_on_top_of_an_older_checkpoint(self, order, store, engine, signer):
        recorded(engine, 1)
        engine.checkpoint("alice")
        recorded(engine, 1)
        self.check(self.run(order, store, signer), engine, signer)
        assert sizes(engine) == [3, 5]

    def test_a_delta_recorded_in_between_is_lost_in_no_order(self, engine, store, signer):
        for number, order in enumerate(orders("AAA", "BBB", "R")):
            customer = f"c{number}"
            recorded(engine, 1, customer)
            answers = self.run(order, store, signer, customer)
            self.check(answers, engine, signer, customer)
            engine.checkpoint(customer)
            report = assert_sound(engine, customer)
            assert (report.covered, report.deltas) == (report.entries, 2)
            assert engine.verify_record(answers["R"].record_id).entry == answers["R"].entry


class TestForkRefused:
    def test_a_head_that_was_set_back_is_not_signed_on(self, sqlite_store, signer):
        engine = engine_on(sqlite_store, signer)
        recorded(engine, 2)
        engine.checkpoint("alice")
        recorded(engine, 2)
        engine.checkpoint("alice")
        log = engine.log_of("alice")
        sql(sqlite_store, "UPDATE logs SET size = 4, sealed_size = 4, checkpoint_size = 4 WHERE log = ?", log)
        sql(sqlite_store, "DELETE FROM entries WHERE log = ? AND idx >= 4", log)
        engine.record(delta("99"))
        before = list(signer.texts)
        with refused("fork-refused"):
            engine.checkpoint("alice")
        assert signer.texts == before
        assert sizes(engine) == [4, 7]

    def test_a_checkpoint_that_appears_while_one_is_signed_stands(self, sqlite_store, signer):
        """The comparison at publication, not the lock at sealing, is the fence."""
        stepping = Stepping(sqlite_store)
        worker = engine_on(stepping, signer)
        recorded(worker, 2)
        stepping.steps = 0
        stepping.before = lambda step: (
            engine_on(sqlite_store, signer).checkpoint("alice") if step == 2 else None
        )
        done = worker.checkpoint("alice")
        assert done.outcome == "superseded"
        assert sizes(worker) == [4]


# What an insider does to alice's log before the next signature.  Entry 4 is the seal under its checkpoint.
TAMPERING = {
    "a new entry is other bytes": "UPDATE entries SET entry = x'7b7d' WHERE idx = 6",
    "a new entry is a copy of another": "UPDATE entries SET entry = (SELECT entry FROM entries WHERE idx = 5) WHERE idx = 6",
    "a new amount is another": respelled("entry", 'amount":"1"', 'amount":"2"', "idx = 6"),
    "a new unit is another": respelled("entry", ':"credits"', ':"debits"', "idx = 6"),
    "a new time is earlier": respelled("entry", "2026-", "2025-", "idx = 6"),
    "a new type is unknown": respelled("entry", "delta@v1", "delta@v2", "idx = 6"),
    "a new entry is gone": "DELETE FROM entries WHERE idx = 6",
    "the first new entry is gone": "DELETE FROM entries WHERE idx = 5",
    "the last new entry is gone": "DELETE FROM entries WHERE idx = 7",
    "the last new entry is other bytes": "UPDATE entries SET entry = x'7b7d' WHERE idx = 7",
    "the seal is changed": respelled("entry", 'credits":"3"', 'credits":"4"', "idx = 4"),
    "the seal is gone": "DELETE FROM entries WHERE idx = 4",
    "a tile is changed": "UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE true",
    "a hash of the middle is changed": "UPDATE tiles SET hashes = CAST(substr(hashes, 33, 32) || substr(hashes, 33) AS BLOB) WHERE true",
    "a tile is short": "UPDATE tiles SET hashes = substr(hashes, 1, 32) WHERE true",
    "a tile is gone": "DELETE FROM tiles WHERE true",
    "the checkpoint is another log's": "UPDATE checkpoints SET note = (SELECT note FROM checkpoints AS other"
    " WHERE other.log != checkpoints.log) WHERE true",
    "the signature is another": "UPDATE checkpoints SET note = CAST(substr(CAST(note AS TEXT), 1, length(CAST(note AS TEXT)) - 9)"
    " || 'AAAA' || substr(CAST(note AS TEXT), -5) AS BLOB) WHERE true",
    "the checkpoint is no note": "UPDATE checkpoints SET note = x'00' WHERE true",
    "the checkpoint has another size": respelled("note", "\n5\n", "\n4\n", "true"),
    "the checkpoint is gone": "DELETE FROM checkpoints WHERE true",
    "the head claims another checkpoint": "UPDATE logs SET checkpoint_size = 6 WHERE true",
    "the head claims a seal that is none": "UPDATE logs SET sealed_size = 8 WHERE true",
    "the head claims an entry more": "UPDATE logs SET size = 9 WHERE true",
    "the head claims an entry less": "UPDATE logs SET size = 7 WHERE true",
}


class TestTampered:
    @pytest.fixture
    def engine(self, sqlite_store, signer):
        engine = engine_on(sqlite_store, signer)
        for name in ("alice", "bob"):
            recorded(engine, 3, name)
            engine.checkpoint(name)
            recorded(engine, 3, name)
        return engine

    @pytest.mark.parametrize("what", TAMPERING)
    def test_nothing_is_signed(self, engine, sqlite_store, signer, what):
        assert sql(sqlite_store, TAMPERING[what] + " AND log = ?", engine.log_of("alice")) > 0
        before = list(signer.texts)
        with refused("log-corrupt"):
            engine.checkpoint("alice")
        assert signer.texts == before

    @pytest.mark.parametrize("what", TAMPERING)
    def test_the_other_logs_of_the_round_are_signed(self, engine, sqlite_store, what):
        sql(sqlite_store, TAMPERING[what] + " AND log = ?", engine.log_of("alice"))
        alice, bob = engine.checkpoint_many(["alice", "bob"])
        assert_refusal(alice, "log-corrupt")
        assert bob.outcome == "signed"

    @pytest.mark.parametrize(
        "statement", ["DELETE FROM entries", "UPDATE entries SET entry = x'7b7d'"], ids=["gone", "changed"]
    )
    def test_a_corrupt_log_with_nothing_new_does_not_stop_the_others(self, engine, sqlite_store, statement):
        engine.checkpoint("alice")
        log = engine.log_of("alice")
        sql(sqlite_store, f"{statement} WHERE log = ? AND idx = 8", log)
        alice, bob = engine.checkpoint_many(["alice", "bob"])
        assert_refusal(alice, "log-corrupt")
        assert bob.outcome == "signed"

    def test_an_entry_that_an_older_checkpoint_covers_is_not_read_again(self, engine, sqlite_store):
        """What costs only what is new cannot see this; the audit does."""
        sql(
            sqlite_store,
            "UPDATE entries SET entry = x'7b7d' WHERE log = ? AND idx = 1",
            engine.log_of("alice"),
        )
        assert engine.checkpoint("alice").outcome == "signed"
        with refused("malformed"):
            engine.audit("alice", KEYS)


class TestIndependently:
    def test_the_file_holds_what_was_answered(self, sqlite_engine, sqlite_store):
        for turn in range(3):
            for name in ("alice", "bob"):
                recorded(sqlite_engine, 100 * turn + 1, name)
            list(sqlite_engine.checkpoint_all())
        recorded(sqlite_engine, 2)
        found = fsck(path_of(sqlite_store), operator=OPERATOR.name, public_key=OPERATOR.signer.public_key)
        assert (found.logs, found.deltas, found.checkpoints, found.unsigned) == (2, 608, 6, 2)
