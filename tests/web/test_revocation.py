"""A key that is revoked opens nothing any more, in any process; one that is rotated has a successor while it lasts."""

import os
import signal
import threading
import time
from contextlib import closing, contextmanager

import pytest

from counterfoil.engine import apikeys
from counterfoil.engine.clock import HostClock
from counterfoil.storage import open_store
from counterfoil.storage.memory import MemoryStore
from counterfoil.web import access
from counterfoil.web.app import create_app
from counterfoil.web.state import Services, Settings
from tests.support import OPERATOR, SECOND, FakeClock, seeded
from tests.web.api import BALANCE, Api
from tests.web.serving import Served, request

LIMITS = f"{BALANCE}/limits"
# What is promised; a key is looked up again after two.
REVOKED_SECONDS_MAX = 5
PROCESSES = 2
CLIENTS = 16
# Of each client: a thousand together.
AT_ONCE = 64
PATIENCE_SECONDS = 60


class Process:
    """An application over a store that others stand over too, with seconds of its own."""

    def __init__(self, store, clock, started):
        self.steady = FakeClock(started, 0)
        services = Services(store, OPERATOR, Settings(), now=clock, steady=self.steady, randomness=seeded())
        self._services = services
        self._api = Api(create_app(services), None)

    def opens(self, key):
        return self._api.call("GET", LIMITS, headers={"X-Api-Key": key}).status == 200

    def close(self):
        self._api.close()
        self._services.close()


@pytest.fixture
def processes(store, clock):
    """Two over one store; their seconds have nothing to do with each other."""
    found = [Process(store, clock, started) for started in (0, 1_000_000)]
    yield found
    for process in found:
        process.close()


@pytest.fixture
def issued(store):
    return apikeys.create(store, tenant="default", scopes=("read", "write"), randomness=seeded("key"))


def open_in(processes, key):
    return [process.opens(key) for process in processes]


def let_pass(processes, clock, seconds):
    clock.now += seconds * SECOND
    for process in processes:
        process.steady.now += seconds


def assert_revoked_in_time(processes, store, clock, issued):
    assert open_in(processes, issued.text) == [True, True]
    apikeys.revoke(store, issued.key.key_id)
    let_pass(processes, clock, REVOKED_SECONDS_MAX)
    assert open_in(processes, issued.text) == [False, False]


class TestAmongProcesses:
    def test_a_revoked_key_opens_nothing_within_five_seconds(self, processes, store, clock, issued):
        assert_revoked_in_time(processes, store, clock, issued)

    def test_a_process_that_keeps_it_for_longer_is_noticed(
        self, processes, store, clock, issued, monkeypatch
    ):
        monkeypatch.setattr(access, "_KEPT_SECONDS", 60)
        with pytest.raises(AssertionError):
            assert_revoked_in_time(processes, store, clock, issued)

    def test_being_asked_again_and_again_does_not_keep_it_open(self, processes, store, clock, issued):
        assert open_in(processes, issued.text) == [True, True]
        apikeys.revoke(store, issued.key.key_id)
        for _ in range(REVOKED_SECONDS_MAX):
            let_pass(processes, clock, 1)
            open_in(processes, issued.text)
        assert open_in(processes, issued.text) == [False, False]

    def test_one_that_has_expired_opens_nothing_at_once(self, processes, store, clock):
        short = apikeys.create(
            store, tenant="default", scopes=("read",), randomness=seeded("short"), lifetime_seconds=60
        )
        assert open_in(processes, short.text) == [True, True]
        clock.now += 61 * SECOND
        assert open_in(processes, short.text) == [False, False]

    def test_a_new_one_opens_within_two_seconds_though_it_was_asked_for_before(self, processes, store, clock):
        def create(store):
            return apikeys.create(store, tenant="default", scopes=("read",), randomness=seeded("early")).text

        early = create(MemoryStore(clock))
        assert open_in(processes, early) == [False, False]
        assert create(store) == early
        let_pass(processes, clock, 2)
        assert open_in(processes, early) == [True, True]

    def test_during_the_overlap_of_a_rotation_both_open_and_then_the_new_one_alone(
        self, processes, store, clock, issued
    ):
        assert open_in(processes, issued.text) == [True, True]
        new = apikeys.rotate(store, issued.key.key_id, overlap_seconds=3_600, randomness=seeded("new")).text
        for seconds in (0, 5, 3_000):
            let_pass(processes, clock, seconds)
            assert open_in(processes, issued.text) == open_in(processes, new) == [True, True]
        let_pass(processes, clock, 600)
        assert open_in(processes, issued.text) == [False, False]
        assert open_in(processes, new) == [True, True]

    def test_a_rotation_without_an_overlap_is_a_revocation(self, processes, store, clock, issued):
        assert open_in(processes, issued.text) == [True, True]
        new = apikeys.rotate(store, issued.key.key_id, overlap_seconds=0, randomness=seeded("new")).text
        let_pass(processes, clock, REVOKED_SECONDS_MAX)
        assert open_in(processes, issued.text) == [False, False]
        assert open_in(processes, new) == [True, True]


class Client:
    """Asks for something with a key, many times at once, over a connection to one process."""

    def __init__(self, served, key):
        self._connection = served.connect()
        self._data = request("GET", LIMITS, key=key)
        self._thread = threading.Thread(target=self._work)
        self._ending = threading.Event()
        self.seen = []
        self._ask()

    def _ask(self):
        asked = time.monotonic()
        self._connection.send(self._data * AT_ONCE)
        for _ in range(AT_ONCE):
            answer = self._connection.answer()
            # Ids of requests begin with what names their process.
            self.seen.append((asked, answer.headers["x-request-id"].partition("-")[0], answer.status))

    def _work(self):
        while not self._ending.is_set():
            self._ask()
            self._ending.wait(0.05)

    def start(self):
        self._thread.start()

    def end(self):
        self._ending.set()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
        self._connection.close()


@contextmanager
def halted(pid):
    """Let a process stand still, so that the other one takes what comes."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_key_that_is_revoked_under_a_thousand_requests_opens_nothing_five_seconds_later(
    postgres_url, tmp_path
):
    options = ("--processes", PROCESSES, "--checkpoint-every", 0)
    with Served(tmp_path, store=postgres_url, options=options) as served:
        key_id = served.key.split("_")[2].partition(".")[0]
        clients = []
        for pid in served.all_answering(PROCESSES):
            with halted(pid):
                clients += [Client(served, served.key) for _ in range(CLIENTS // PROCESSES)]
        for client in clients:
            client.start()
        with closing(open_store(postgres_url, clock=HostClock())) as store:
            apikeys.revoke(store, key_id)
        revoked = time.monotonic()
        time.sleep(REVOKED_SECONDS_MAX + 0.5)
        for client in clients:
            client.end()

    seen = [each for client in clients for each in client.seen]
    before = {(process, status) for asked, process, status in seen if asked < revoked}
    after = {(process, status) for asked, process, status in seen if asked > revoked + REVOKED_SECONDS_MAX}
    processes = {process for process, _ in before}
    assert len(processes) == PROCESSES
    assert before >= {(process, 200) for process in processes}
    assert after == {(process, 401) for process in processes}
