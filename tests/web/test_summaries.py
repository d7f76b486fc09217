"""What looks at every customer is made once for all who ask, and holds up nobody else."""

import asyncio
import threading

import pytest
from starlette.concurrency import run_in_threadpool

from counterfoil.engine.summary import Summary
from counterfoil.errors import EngineError
from counterfoil.web.summaries import Summaries
from tests.support import FakeClock

# More than there are threads for requests.
CROWD = 100


class Slow:
    """An engine whose summary waits until it may go on."""

    tenant = "acme"

    def __init__(self):
        self.may_go_on = threading.Event()
        self.made = 0

    def summary(self):
        assert self.may_go_on.wait(10)
        self.made += 1
        return Summary(customers=self.made)


@pytest.fixture
def slow():
    return Slow()


@pytest.fixture
def steady():
    return FakeClock(0, 0)


def test_a_crowd_gets_one_answer_and_leaves_the_threads_to_others(slow, steady):
    summaries = Summaries(steady)

    async def ask():
        crowd = [asyncio.create_task(summaries.get(slow)) for _ in range(CROWD)]
        await asyncio.sleep(0)
        assert await asyncio.wait_for(run_in_threadpool(lambda: "another request"), 5) == "another request"
        slow.may_go_on.set()
        return await asyncio.gather(*crowd)

    assert {found.customers for found in asyncio.run(ask())} == {1}
    assert slow.made == 1


def test_an_answer_is_kept_for_ten_seconds(slow, steady):
    summaries = Summaries(steady)
    slow.may_go_on.set()
    seen = []
    for seconds in (0, 9.9, 0.1):
        steady.now += seconds
        seen.append(asyncio.run(summaries.get(slow)).customers)
    assert seen == [1, 1, 2]


def test_a_refusal_is_everybodys_and_is_not_kept(slow, steady, monkeypatch):
    summaries = Summaries(steady)

    def refuse():
        raise EngineError("store-unavailable", "away")

    monkeypatch.setattr(slow, "summary", refuse)

    async def ask():
        return await asyncio.gather(*(summaries.get(slow) for _ in range(3)), return_exceptions=True)

    refusals = asyncio.run(ask())
    assert [error.code for error in refusals] == ["store-unavailable"] * 3
    assert len(set(map(id, refusals))) == 3
    monkeypatch.undo()
    slow.may_go_on.set()
    assert asyncio.run(summaries.get(slow)).customers == 1
