"""The group-commit recorder: one COMMIT for many, an answer for each, and no caller is lost."""

import asyncio
import gc
import random
import signal
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from counterfoil.core.entry import parse_entry
from counterfoil.engine.engine import Engine
from counterfoil.engine.recorder import Recorder
from counterfoil.errors import CounterfoilError, EngineError
from counterfoil.storage import open_store
from counterfoil.storage.memory import MemoryStore
from tests.engine.gated import WAIT_SECONDS, Gated
from tests.support import OPERATOR, FakeClock, assert_refusal, delta, entries_of, refused, seeded

OF_THE_STORE = [
    "store-unavailable",
    "commit-outcome-unknown",
    "out-of-space",
    "io-error",
    "clock-regressed",
    "unsafe-settings",
]


@pytest.fixture
def gated(clock):
    return Gated(MemoryStore(clock))


@pytest.fixture
def gated_engine(gated):
    return Engine(gated, OPERATOR, randomness=seeded())


@pytest.fixture
def recorder(gated, gated_engine):
    gated.commits.clear()
    with Recorder(gated_engine, queue_items=8) as recorder:
        yield recorder
        gated.let_through()


def answer_of(future):
    """Return what a future was answered with, a refusal too."""
    return future.exception(WAIT_SECONDS) or future.result()


def hold(gated, recorder, amount=100):
    """Have one delta stand before its COMMIT, so that what comes next gathers."""
    gated.shut()
    future = recorder.submit(delta(amount))
    gated.wait_for_commit()
    return future


def together(gated, recorder, deltas):
    """Record these deltas in one batch, behind one that nothing befalls; return the answers."""
    before, gated.before = gated.before, lambda _amounts: None
    first = hold(gated, recorder)
    futures = [recorder.submit(each) for each in deltas]
    first.add_done_callback(lambda _future: setattr(gated, "before", before))
    gated.let_through()
    answer_of(first)
    return [answer_of(future) for future in futures]


def fail_once(gated, error):
    """Let the next transaction that a test is about fail before its COMMIT."""

    def fail(_amounts):
        gated.before = lambda _amounts: None
        raise error

    gated.before = fail


def amounts_in(engine, store, *customers):
    """Return the amounts that stand in the logs, in whole units."""
    logs = [engine.log_of(customer) for customer in customers or ("alice",)]
    return [parse_entry(row.entry).amount // 10**9 for log in logs for row in entries_of(store, log)[1:]]


def until(condition):
    """Wait for something that another thread is about to do."""
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def waits_for_room(recorder):
    return bool(recorder._room._waiters)  # noqa: SLF001  -- nothing else tells a thread that waits from one that is late


def run_program(path, lines):
    """Run Python lines that have an engine over a store, as a process of its own."""
    program = (
        "from counterfoil import CounterfoilError, Delta, Engine, HostClock, Recorder, open_store\n"
        "from tests.support import OPERATOR\n"
        f"engine = Engine(open_store('sqlite:///{path}', clock=HostClock()), OPERATOR)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program + lines], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


class TestAnswers:
    def test_a_record_is_that_of_the_engine(self, engine, store):
        with Recorder(engine) as recorder:
            answer = recorder.record(delta("12.5", idempotency_key="k"))
        assert entries_of(store, engine.log_of("alice"))[1].entry == answer.data
        assert engine.record(delta("12.5", idempotency_key="k")) == answer._replace(replayed=True)

    def test_a_refusal_is_raised(self, recorder):
        with refused("amount-out-of-range"):
            recorder.record(delta("0"))

    def test_what_is_no_delta_is_refused(self, recorder):
        with refused("invalid-field", "batch"):
            recorder.record("10")

    def test_the_answer_comes_after_commit(self, gated, recorder):
        future = hold(gated, recorder)
        assert not future.done()
        gated.let_through()
        assert answer_of(future).entry.index == 1

    def test_what_arrives_during_a_commit_shares_the_next_one(self, gated, recorder):
        together(gated, recorder, [delta(1), delta(2, "bob"), delta(3)])
        assert gated.commits == [[100], [1, 2, 3]]

    def test_deltas_are_recorded_in_the_order_of_arrival(self, gated, recorder):
        answers = together(gated, recorder, [delta(number) for number in range(1, 9)])
        assert [answer.entry.index for answer in answers] == list(range(2, 10))

    def test_each_answer_in_a_batch_is_its_own(self, gated, recorder):
        customers = ["alice", "bob", "alice", "carol"]
        answers = together(
            gated, recorder, [delta(1, customer, idempotency_key=customer) for customer in customers]
        )
        assert [answer.customer_id for answer in answers] == customers
        assert [answer.replayed for answer in answers] == [False, False, True, False]

    def test_a_refused_item_keeps_back_no_other(self, gated, recorder):
        answers = together(gated, recorder, [delta(1), delta(2, reason=""), delta(3)])
        assert_refusal(answers[1], "invalid-field", "reason")
        assert [answers[0].entry.index, answers[2].entry.index] == [2, 3]
        assert gated.commits == [[100], [1, 3]]

    def test_one_key_in_a_batch_is_one_entry(self, gated, gated_engine, recorder):
        answers = together(gated, recorder, [delta(5, idempotency_key="k") for _ in range(4)])
        assert [answer.replayed for answer in answers] == [False, True, True, True]
        assert {answer._replace(replayed=False) for answer in answers} == {answers[0]}
        assert amounts_in(gated_engine, gated) == [100, 5]

    def test_another_request_under_the_key_is_a_conflict(self, gated, recorder):
        first, second = together(
            gated, recorder, [delta(5, idempotency_key="k"), delta(6, idempotency_key="k")]
        )
        assert_refusal(second, "idempotency-conflict")
        assert second.facts["recordId"] == first.record_id

    def test_threads_get_their_own_answers(self, engine):
        def work(name):
            return [
                recorder.record(delta(1, name, idempotency_key=f"{name}-{number}")) for number in range(9)
            ]

        names = [f"customer-{number}" for number in range(24)]
        with Recorder(engine) as recorder, ThreadPoolExecutor(len(names)) as threads:
            found = dict(zip(names, threads.map(work, names), strict=True))
        for name, answers in found.items():
            assert [answer.idempotency_key for answer in answers] == [
                f"{name}-{number}" for number in range(9)
            ]
            assert [answer.entry.index for answer in answers] == list(range(1, 10))

    def test_a_future_is_awaitable(self, recorder):
        async def gather():
            return await asyncio.gather(
                *(asyncio.wrap_future(recorder.submit(delta(amount))) for amount in (1, 2, 0, 4)),
                return_exceptions=True,
            )

        one, two, refusal, four = asyncio.run(gather())
        assert [one.entry.index, two.entry.index, four.entry.index] == [1, 2, 3]
        assert_refusal(refusal, "amount-out-of-range")


class TestGathering:
    """With a linger that would outlast the test, so that what waits shows."""

    @pytest.fixture
    def recorder(self, gated, gated_engine):
        gated.commits.clear()
        with Recorder(gated_engine, linger_seconds=10 * WAIT_SECONDS, queue_items=8) as recorder:
            yield recorder
            gated.let_through()

    def test_a_caller_alone_waits_for_nobody(self, gated, recorder):
        for amount in (1, 2, 3):
            answer_of(recorder.submit(delta(amount)))
        assert gated.commits == [[1], [2], [3]]

    def test_those_who_were_there_are_waited_for(self, gated, recorder):
        first = hold(gated, recorder)
        second = recorder.submit(delta(1))
        gated.let_through()
        answer_of(first)
        # Two were there: one of them alone is not taken.
        third = recorder.submit(delta(2))
        assert [answer_of(second).entry.index, answer_of(third).entry.index] == [2, 3]
        assert gated.commits == [[100], [1, 2]]

    def test_no_more_are_waited_for_than_the_queue_holds(self, gated, recorder):
        first = hold(gated, recorder)
        futures = [recorder.submit(delta(1)) for _ in range(8)]
        gated.let_through()
        for future in (first, *futures):
            answer_of(future)
        assert [len(commit) for commit in gated.commits] == [1, 8]

    def test_closing_waits_for_nobody(self, gated, recorder):
        first = hold(gated, recorder)
        second = recorder.submit(delta(1))
        gated.let_through()
        answer_of(first)
        recorder.close()
        assert answer_of(second).entry.index == 2


class TestFailures:
    @pytest.mark.parametrize("code", OF_THE_STORE)
    def test_what_the_store_refuses_everybody_is_told(self, gated, gated_engine, recorder, code):
        fail_once(gated, EngineError(code, "planted", path="/"))
        answers = together(gated, recorder, [delta(number, f"customer-{number}") for number in range(1, 6)])
        for answer in answers:
            assert_refusal(answer, code)
            assert (answer.message, answer.facts) == ("planted", {"path": "/"})
        # One exception raised in five threads would be changed by each.
        assert len({id(answer) for answer in answers}) == 5
        assert gated.commits == [[100], [1, 2, 3, 4, 5]]
        assert amounts_in(gated_engine, gated, *(f"customer-{number}" for number in range(1, 6))) == []

    @pytest.mark.parametrize("code", ["log-corrupt", "internal"])
    @pytest.mark.parametrize("guilty", [{1}, {3}, {5}, {1, 2}, {2, 5}, {1, 2, 3, 4, 5}], ids=str)
    def test_what_one_delta_may_cause_only_the_guilty_are_refused(
        self, gated, gated_engine, recorder, code, guilty
    ):
        def fail(amounts):
            if guilty & set(amounts):
                raise EngineError(code, "planted")

        gated.before = fail
        answers = together(gated, recorder, [delta(number) for number in range(1, 6)])
        for number, answer in enumerate(answers, start=1):
            if number in guilty:
                assert_refusal(answer, code)
            else:
                assert answer.entry.amount == number * 10**9
        innocent = [number for number in range(1, 6) if number not in guilty]
        assert amounts_in(gated_engine, gated) == [100, *innocent]

    def test_a_delta_alone_is_not_tried_again(self, gated, recorder):
        fail_once(gated, EngineError("log-corrupt", "planted"))
        with refused("log-corrupt"):
            recorder.record(delta(1))
        assert gated.commits == [[1]]

    def test_a_store_that_fails_meanwhile_ends_what_is_tried_again(self, gated, gated_engine, recorder):
        codes = iter(["log-corrupt", "out-of-space"])

        def fail(_amounts):
            if (code := next(codes, None)) is not None:
                raise EngineError(code, "planted")

        gated.before = fail
        answers = together(gated, recorder, [delta(number) for number in range(1, 5)])
        for answer in answers[:2]:
            assert_refusal(answer, "out-of-space")
        assert [answer.entry.index for answer in answers[2:]] == [2, 3]
        assert amounts_in(gated_engine, gated) == [100, 3, 4]

    def test_after_an_unknown_outcome_the_same_keys_are_replays(self, gated, gated_engine, recorder):
        deltas = [delta(number, idempotency_key=f"k{number}") for number in range(1, 4)]

        def lose(amounts):
            if amounts == [1, 2, 3]:
                raise EngineError("commit-outcome-unknown", "planted")

        gated.after = lose
        for answer in together(gated, recorder, deltas):
            assert_refusal(answer, "commit-outcome-unknown")
        assert all(recorder.record(each).replayed for each in deltas)
        assert amounts_in(gated_engine, gated) == [100, 1, 2, 3]

    @pytest.mark.parametrize("defect", [ZeroDivisionError, MemoryError, SystemExit, KeyboardInterrupt])
    def test_a_defect_is_internal_and_the_next_is_recorded(self, gated, recorder, defect):
        fail_once(gated, defect("of a secret"))
        answers = together(gated, recorder, [delta(1), delta(2)])
        for answer in answers:
            assert_refusal(answer, "internal")
            assert "secret" not in str(answer)
            assert type(answer.__cause__) is defect
        assert answers[0] is not answers[1]
        # A defect does not say whether it was before COMMIT.
        assert gated.commits == [[100], [1, 2]]
        assert recorder.record(delta(3)).entry.index == 2

    def test_an_engine_that_answers_too_few_is_a_defect(self, gated_engine, recorder, monkeypatch):
        monkeypatch.setattr(gated_engine, "record_many", lambda _deltas: [])
        with refused("internal"):
            recorder.record(delta(1))

    def test_a_refusal_tells_where_it_came_from(self, gated, recorder):
        planted = EngineError("io-error", "planted")
        fail_once(gated, planted)
        (answer,) = together(gated, recorder, [delta(1)])
        assert answer is not planted
        assert answer.__cause__ is planted

    @pytest.mark.parametrize("seed", range(8))
    def test_what_is_acknowledged_is_stored_and_what_is_refused_is_not(self, gated, gated_engine, seed):
        """Threads against a store that fails at random, before COMMIT and after it, until each fault has fired."""
        rng = random.Random(seed)  # noqa: S311  -- faults, not secrets
        missing = {"log-corrupt", "internal", "store-unavailable", "out-of-space", "commit-outcome-unknown"}

        def fail(*codes):
            if rng.random() < 0.2:
                code = rng.choice(codes)
                missing.discard(code)
                raise EngineError(code, "planted")

        def work(thread):
            answers = {}
            while missing or len(answers) < 20:
                amount = 16 * len(answers) + thread + 1
                try:
                    answers[amount] = recorder.record(delta(amount))
                except CounterfoilError as refusal:
                    answers[amount] = refusal
            return answers

        gated.before = lambda _amounts: fail("log-corrupt", "internal", "store-unavailable", "out-of-space")
        gated.after = lambda _amounts: fail("commit-outcome-unknown")
        with Recorder(gated_engine) as recorder, ThreadPoolExecutor(16) as threads:
            answers = {
                amount: answer for told in threads.map(work, range(16)) for amount, answer in told.items()
            }
        stored = amounts_in(gated_engine, gated)
        assert len(set(stored)) == len(stored)
        assert set(stored) <= answers.keys()
        for amount, answer in answers.items():
            if not isinstance(answer, CounterfoilError):
                assert stored[answer.entry.index - 1] == amount
            elif answer.code != "commit-outcome-unknown":
                assert amount not in stored


class StoppedError(Exception):
    """What a signal's handler raises."""


def test_who_is_interrupted_keeps_back_no_other(gated, gated_engine, recorder):
    interrupted = threading.Event()

    def interrupt(_number, _frame):
        if not interrupted.is_set():
            interrupted.set()
            raise StoppedError

    def stop_main():
        gated.wait_for_commit()
        others = [threads.submit(recorder.record, delta(number)) for number in (2, 3)]
        until(lambda: len(recorder._gathering.deltas) == 2)  # noqa: SLF001  -- both are in
        # Again, because a thread that is about to wait does not hear the first.
        while not interrupted.wait(0.01):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        return others

    handler = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with ThreadPoolExecutor(3) as threads:
            gated.shut()
            stopping = threads.submit(stop_main)
            with pytest.raises(StoppedError):
                recorder.record(delta(1))
            gated.let_through()
            assert sorted(answer_of(other).entry.index for other in answer_of(stopping)) == [2, 3]
    finally:
        signal.signal(signal.SIGUSR1, handler)
    # What was interrupted was on its way already.
    assert sorted(amounts_in(gated_engine, gated)) == [1, 2, 3]


class TestBackPressure:
    @pytest.fixture
    def full(self, gated, recorder):
        """The futures of a queue that has no more room."""
        return [hold(gated, recorder), *(recorder.submit(delta(number)) for number in range(1, 9))]

    def test_a_full_queue_refuses_and_says_so(self, gated, gated_engine, recorder, full):
        for attempt in (recorder.submit, lambda each: recorder.record(each, timeout_seconds=0.01)):
            with refused("store-unavailable") as caught:
                attempt(delta(9))
            assert caught.value.message == "the recorder's queue is full, nothing was recorded"
        gated.let_through()
        for future in full:
            answer_of(future)
        recorder.close()
        assert amounts_in(gated_engine, gated) == [100, *range(1, 9)]

    @pytest.mark.parametrize("way", ["record", "submit"])
    def test_room_is_waited_for(self, gated, recorder, full, way):
        def work():
            if way == "record":
                return recorder.record(delta(9), timeout_seconds=WAIT_SECONDS)
            return answer_of(recorder.submit(delta(9), timeout_seconds=WAIT_SECONDS))

        with ThreadPoolExecutor(1) as thread:
            late = thread.submit(work)
            until(lambda: waits_for_room(recorder))
            gated.let_through()
            assert answer_of(late).entry.index == len(full) + 1
        assert gated.commits == [[100], list(range(1, 9)), [9]]

    def test_more_threads_than_room_are_all_recorded(self, engine):
        with Recorder(engine, queue_items=2) as recorder, ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(recorder.record, [delta(1)] * 64))
        assert sorted(answer.entry.index for answer in answers) == list(range(1, 65))

    @pytest.mark.parametrize("items", [0, 10_001])
    def test_a_queue_that_no_batch_can_hold_is_refused(self, gated_engine, items):
        with refused("invalid-field", "queue_items"):
            Recorder(gated_engine, queue_items=items)


class TestCancelling:
    def test_what_is_cancelled_before_it_is_taken_is_not_recorded(self, gated, gated_engine, recorder):
        first = hold(gated, recorder)
        second, third, fourth = [recorder.submit(delta(number)) for number in (1, 2, 3)]
        assert third.cancel()
        gated.let_through()
        assert [answer_of(future).entry.index for future in (first, second, fourth)] == [1, 2, 3]
        assert third.cancelled()
        assert amounts_in(gated_engine, gated) == [100, 1, 3]

    def test_what_is_taken_cannot_be_cancelled(self, gated, recorder):
        future = hold(gated, recorder)
        assert not future.cancel()
        gated.let_through()
        assert answer_of(future).entry.index == 1

    def test_a_batch_of_which_nothing_is_left_makes_no_transaction(self, gated, recorder):
        first = hold(gated, recorder)
        second = recorder.submit(delta(1))
        assert second.cancel()
        gated.let_through()
        answer_of(first)
        assert recorder.record(delta(2)).entry.index == 2
        assert [commit for commit in gated.commits if commit] == [[100], [2]]

    def test_a_task_that_is_cancelled_withdraws_its_delta(self, gated, gated_engine, recorder):
        async def give_up():
            task = asyncio.wrap_future(recorder.submit(delta(1)))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        first = hold(gated, recorder)
        asyncio.run(give_up())
        gated.let_through()
        answer_of(first)
        recorder.close()
        assert amounts_in(gated_engine, gated) == [100]


class TestCallbacks:
    def test_a_callback_that_fails_harms_nobody(self, gated, recorder):
        def fail(_future):
            raise SystemExit

        first = hold(gated, recorder)
        second, third = recorder.submit(delta(1)), recorder.submit(delta(2))
        second.add_done_callback(fail)
        gated.let_through()
        assert [answer_of(future).entry.index for future in (first, second, third)] == [1, 2, 3]
        assert recorder.record(delta(3)).entry.index == 4

    @pytest.mark.parametrize("when", ["gathering", "recording"])
    def test_a_future_that_somebody_else_answered_harms_nobody(self, gated, recorder, when):
        first = hold(gated, recorder)
        second, third = recorder.submit(delta(1)), recorder.submit(delta(2))
        (second if when == "gathering" else first).set_result(None)
        gated.let_through()
        answer_of(third)
        assert recorder.record(delta(3)).customer_id == "alice"

    def test_a_callback_cannot_wait_for_a_record(self, gated, recorder):
        told = []

        def record(_future):
            with refused("usage"):
                recorder.record(delta(1))
            told.append(recorder.submit(delta(2)))

        first = hold(gated, recorder)
        first.add_done_callback(record)
        gated.let_through()
        until(lambda: told)
        assert answer_of(told[0]).entry.index == 2

    def test_a_callback_may_close(self, gated, recorder):
        first = hold(gated, recorder)
        second = recorder.submit(delta(1))
        closed = []
        first.add_done_callback(lambda _future: closed.append(recorder.close()))
        gated.let_through()
        assert answer_of(second).entry.index == 2
        assert closed == [None]
        with refused("store-unavailable"):
            recorder.record(delta(2))


class TestClosing:
    def test_what_waits_is_recorded(self, gated, recorder):
        futures = [hold(gated, recorder), *(recorder.submit(delta(1)) for _ in range(3))]
        closing = threading.Thread(target=recorder.close)
        closing.start()
        gated.let_through()
        closing.join(WAIT_SECONDS)
        assert not closing.is_alive()
        assert [future.result(0).entry.index for future in futures] == [1, 2, 3, 4]

    def test_afterwards_nothing_is_taken(self, gated_engine, gated):
        with Recorder(gated_engine) as recorder:
            pass
        recorder.close()
        for attempt in (recorder.record, recorder.submit):
            with refused("store-unavailable") as caught:
                attempt(delta(1))
            assert caught.value.message == "the recorder is closed, nothing was recorded"
        assert amounts_in(gated_engine, gated) == []

    def test_no_thread_is_left(self, gated_engine):
        before = set(threading.enumerate())
        with Recorder(gated_engine):
            (thread,) = set(threading.enumerate()) - before
        assert not thread.is_alive()

    def test_nothing_is_left_of_it(self, gated_engine):
        with Recorder(gated_engine) as recorder:
            recorder.record(delta(1))
        left = weakref.ref(recorder)
        del recorder
        gc.collect()
        assert left() is None

    def test_who_waits_for_room_is_refused(self, gated, recorder):
        futures = [hold(gated, recorder), *(recorder.submit(delta(1)) for _ in range(8))]
        with ThreadPoolExecutor(2) as threads:
            late = threads.submit(recorder.record, delta(2), timeout_seconds=WAIT_SECONDS)
            until(lambda: waits_for_room(recorder))
            closing = threads.submit(recorder.close)
            assert_refusal(answer_of(late), "store-unavailable")
            gated.let_through()
            closing.result(WAIT_SECONDS)
        assert [future.result(0).entry.index for future in futures] == list(range(1, 10))

    def test_at_exit_what_was_handed_in_is_recorded(self, sqlite_path):
        run_program(
            sqlite_path,
            "recorder = Recorder(engine)\n"
            "for number in range(100):\n"
            "    recorder.submit(Delta('alice', '1', 'usage', idempotency_key=str(number)))\n",
        )
        with closing(open_store(f"sqlite:///{sqlite_path}", clock=FakeClock())) as store:
            assert Engine(store, OPERATOR).customer("alice").count == 100

    def test_a_forked_process_makes_its_own(self, sqlite_path):
        run_program(
            sqlite_path,
            "import os, warnings\n"
            "warnings.simplefilter('ignore')\n"
            "recorder = Recorder(engine)\n"
            "recorder.record(Delta('alice', '1', 'usage'))\n"
            # The worst moment to fork in: another thread is about to hand something in, and will never be done.
            "recorder._lock.acquire()\n"
            "child = os.fork()\n"
            "if not child:\n"
            "    try:\n"
            "        recorder.record(Delta('alice', '1', 'usage'))\n"
            "    except CounterfoilError as error:\n"
            "        recorder.close()\n"
            "        raise SystemExit(7 if error.code == 'unsafe-settings' else 8)\n"
            "recorder._lock.release()\n"
            "_, status = os.waitpid(child, 0)\n"
            "assert os.waitstatus_to_exitcode(status) == 7\n"
            "assert recorder.record(Delta('alice', '1', 'usage')).entry.index == 2\n",
        )


class TestSeveral:
    def test_they_are_answered_in_their_order(self, engine):
        with Recorder(engine) as recorder:
            answers = recorder.submit_many([delta("1"), delta("0"), delta("3", "bob")]).result(10)
        assert [getattr(each, "code", None) for each in answers] == [None, "amount-out-of-range", None]
        assert [answers[0].entry.amount, answers[2].entry.amount] == [10**9, 3 * 10**9]

    def test_they_stay_together_in_one_transaction(self, engine, monkeypatch):
        sizes = []
        record_many = engine.record_many
        monkeypatch.setattr(
            engine, "record_many", lambda deltas: sizes.append(len(deltas)) or record_many(deltas)
        )
        with Recorder(engine, queue_items=4) as recorder:
            waiting = [
                recorder.submit_many([delta(), delta(), delta()], timeout_seconds=10) for _ in range(5)
            ]
            assert all(len(each.result(10)) == 3 for each in waiting)
        assert sizes == [3] * 5

    def test_none_and_more_than_the_queue_holds_are_refused(self, engine):
        with Recorder(engine, queue_items=2) as recorder:
            for count in (0, 3):
                with refused("invalid-field", field="batch"):
                    recorder.submit_many([delta()] * count)

    def test_those_that_were_cancelled_are_not_recorded(self, engine, monkeypatch):
        release = threading.Event()
        record_many = engine.record_many
        monkeypatch.setattr(engine, "record_many", lambda deltas: release.wait(10) and record_many(deltas))
        with Recorder(engine) as recorder:
            first = recorder.submit(delta("1"))
            while not first.running():
                time.sleep(0.001)
            cancelled = recorder.submit_many([delta("2"), delta("3")])
            kept = recorder.submit_many([delta("4")])
            assert cancelled.cancel()
            release.set()
            assert kept.result(10)[0].entry.count == 2
        assert engine.customer("alice").count == 2
