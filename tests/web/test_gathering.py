"""From coroutines to the recorder and back: what comes together is handed in together, and everybody is answered."""

import asyncio

import pytest

from counterfoil.engine.recorder import Recorder
from counterfoil.errors import CounterfoilError, EngineError
from counterfoil.web.gathering import Gathering
from tests.support import delta


class Overheard:
    """A recorder that tells how many deltas it was handed each time."""

    def __init__(self, recorder):
        self._recorder = recorder
        self.sizes = []

    def submit_many(self, deltas):
        self.sizes.append(len(deltas))
        return self._recorder.submit_many(deltas)


@pytest.fixture
def recorder(engine):
    with Recorder(engine) as recorder:
        yield Overheard(recorder)


def gathered(recorder, work):
    async def run():
        return await work(Gathering(recorder))

    return asyncio.run(run())


def test_what_comes_in_one_turn_is_handed_in_together_and_answered_each(engine, recorder):
    async def work(gathering):
        return await asyncio.gather(*[gathering.record(delta(str(amount))) for amount in range(1, 11)])

    answers = gathered(recorder, work)
    assert recorder.sizes == [10]
    assert [answer.entry.amount // 10**9 for answer in answers] == list(range(1, 11))
    assert engine.customer("alice").count == 10


def test_what_comes_later_is_handed_in_later(recorder):
    async def work(gathering):
        await gathering.record(delta())
        await gathering.record(delta())

    gathered(recorder, work)
    assert recorder.sizes == [1, 1]


def test_each_has_its_own_refusal(recorder):
    async def work(gathering):
        wanted = [gathering.record(delta(amount)) for amount in ("1", "0", "x")]
        return await asyncio.gather(*wanted, return_exceptions=True)

    first, second, third = gathered(recorder, work)
    assert first.replayed is False
    assert (second.code, third.code) == ("amount-out-of-range", "invalid-field")


def test_whoever_gave_up_keeps_nobody_from_an_answer_and_is_recorded_all_the_same(engine, recorder):
    async def work(gathering):
        first, second = gathering.record(delta("1")), gathering.record(delta("2"))
        first.cancel()
        return await second

    assert gathered(recorder, work).entry.amount == 2 * 10**9
    assert engine.customer("alice").count == 2


def test_where_the_recorder_takes_nothing_everybody_hears_it(engine):
    with Recorder(engine) as recorder:
        recorder.close()

        async def work(gathering):
            wanted = [gathering.record(delta()) for _ in range(3)]
            return await asyncio.gather(*wanted, return_exceptions=True)

        refusals = gathered(recorder, work)
    assert [refusal.code for refusal in refusals] == ["store-unavailable"] * 3
    assert len(set(map(id, refusals))) == 3


def test_what_the_store_says_is_everybodys(engine, recorder, monkeypatch):
    def refuse(*_args, **_named):
        raise EngineError("commit-outcome-unknown", "away")

    monkeypatch.setattr("counterfoil.engine.engine.record_many", refuse)

    async def work(gathering):
        wanted = [gathering.record(delta()) for _ in range(3)]
        return await asyncio.gather(*wanted, return_exceptions=True)

    for refusal in gathered(recorder, work):
        assert isinstance(refusal, CounterfoilError)
        assert refusal.code == "commit-outcome-unknown"
    assert list(engine.customers()) == []


def test_another_event_loop_gets_its_own(quick):
    services = quick.services
    assert quick.record().status_code == 201

    async def work():
        return await services.gathering("acme").record(delta(customer="cust_001"))

    assert asyncio.run(work()).entry.count == 2
    assert quick.record().status_code == 201
