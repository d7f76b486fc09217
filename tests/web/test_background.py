"""What a server does beside answering: in turns that a test counts, on each of the three stores."""

import json
import logging
from contextlib import contextmanager

import pytest

from counterfoil.engine import webhooks
from counterfoil.engine.webhook_deliveries import Attempt
from counterfoil.errors import EngineError
from counterfoil.web.background import keep_working
from counterfoil.web.logs import LOGGER, JsonLines
from tests.support import OPERATOR, FakeClock, recorded, refused, seeded


class Turns:
    """Wishes to end after so many turns; while it waits, time passes and a test may do something."""

    def __init__(self, turns, steady, between=lambda _turn: None):
        self._left = turns
        self._steady = steady
        self._between = between
        self.rests = []

    def is_wanted(self):
        return self._left <= 0

    def wait(self, seconds):
        self.rests.append(seconds)
        self._steady.now += seconds
        self._left -= 1
        self._between(len(self.rests))


@pytest.fixture
def steady():
    return FakeClock(1_000, 0)


@pytest.fixture
def work(store, steady):
    """Work for so many turns; return how long it rested after each."""

    def begin(turns, *, store=store, between=lambda _turn: None, send=None, every=1.0):
        stop = Turns(turns, steady, between)
        keep_working(store, OPERATOR, stop, send, checkpoint_seconds=every, steady=steady)
        return stop.rests

    return begin


def verified(engine, customer="alice"):
    return engine.customer(customer).verified_count


class TestCheckpoints:
    def test_what_is_due_is_checkpointed_at_once_and_again_when_it_has_rested(self, engine, work):
        recorded(engine, 2)
        seen = []

        def between(_turn):
            seen.append(verified(engine))
            recorded(engine, 1)

        work(3, between=between)
        assert seen == [2, 3, 4]

    def test_it_rests_for_as_long_as_was_said_at_least(self, work):
        assert work(3) == [1, 1, 1]
        assert work(2, every=0.25) == [0.25, 0.25]

    def test_events_are_looked_for_more_often_than_that(self, work):
        assert work(3, every=60) == [1, 1, 1]

    def test_with_no_pause_it_is_left_to_others(self, engine, work):
        recorded(engine, 1)
        assert work(5, every=0) == [1] * 5
        assert verified(engine) == 0

    def test_a_log_that_is_refused_is_logged_and_holds_up_no_other(
        self, engine, store, work, monkeypatch, logged
    ):
        recorded(engine, 1, "alice")
        recorded(engine, 1, "bob")
        log = engine.log_of("alice")
        through = store.write

        @contextmanager
        def write():
            with through() as transaction:
                lock = transaction.lock_heads

                def lock_heads(logs):
                    return {
                        each: head._replace(last_entry=None) if each == log else head
                        for each, head in lock(logs).items()
                    }

                transaction.lock_heads = lock_heads
                yield transaction

        monkeypatch.setattr(store, "write", write)
        work(1)
        [line] = logged
        assert (line["code"], line["tenant"], line["customerReference"]) == (
            "log-corrupt",
            "default",
            f"0x{log.hex()}",
        )
        monkeypatch.undo()
        assert verified(engine, "bob") == 1


class TestEvents:
    def test_they_are_sent(self, engine, store, work):
        webhooks.add_webhook(store, "default", "https://example.com/hook", randomness=seeded())
        recorded(engine, 1)
        sent = []

        def send(request):
            sent.append(json.loads(request.body)["event"])
            return Attempt(delivered=True, final=True, outcome="HTTP 200")

        work(20, send=send)
        assert sorted(sent) == ["checkpoint.verified", "customer.created", "delta.verified"]


class TestTheStore:
    @pytest.fixture
    def spoil(self, store, monkeypatch):
        """Let the store refuse to be written to; what is returned ends that."""

        def begin(code):
            def refuse():
                raise EngineError(code, "why")

            monkeypatch.setattr(store, "write", refuse)
            return monkeypatch.undo

        return begin

    @pytest.mark.parametrize(
        "code", ["store-unavailable", "commit-outcome-unknown", "out-of-space", "io-error"]
    )
    def test_what_the_world_does_to_it_is_logged_and_waited_out(self, engine, work, spoil, logged, code):
        recorded(engine, 1)
        mend = spoil(code)
        rests = work(4, between=lambda turn: mend() if turn == 2 else None)
        assert rests[:2] == [1, 1]
        assert verified(engine) == 1
        assert [line["code"] for line in logged] == [code, code]

    @pytest.mark.parametrize("code", ["clock-regressed", "log-corrupt", "unsafe-settings", "key-mismatch"])
    def test_what_puts_it_in_question_ends_the_work(self, engine, work, spoil, code):
        recorded(engine, 1)
        spoil(code)
        with refused(code):
            work(4)


@pytest.fixture
def logged():
    """The lines that were logged, as warnings."""
    lines = []

    class Kept(logging.Handler):
        def emit(self, record):
            lines.append(json.loads(JsonLines().format(record)))

    handler = Kept(logging.WARNING)
    LOGGER.addHandler(handler)
    propagate, LOGGER.propagate = LOGGER.propagate, False
    yield lines
    LOGGER.propagate = propagate
    LOGGER.removeHandler(handler)
