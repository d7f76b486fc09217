"""Times: the host's clock is believed until it is caught, and the times of a log only grow."""

import pytest

from counterfoil.core.timestamp import parse_time
from counterfoil.engine.clock import HostClock, next_time
from tests.support import SECOND, START, assert_refusal, delta, entries_of, recorded, refused

NANOSECOND = 1
SECOND_NS = 1_000_000_000


class Hand:
    """A clock whose time is what was last put into it, in nanoseconds."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def wall():
    return Hand(START * 1_000)


@pytest.fixture
def steady():
    return Hand(77 * SECOND_NS)


@pytest.fixture
def host_clock(wall, steady):
    return HostClock(wall, steady)


def times_of(store, log):
    return [row.entry.split(b'"recordedAt":"')[1][:27].decode() for row in entries_of(store, log)]


class TestHostClock:
    def test_it_tells_the_wall_clocks_time_in_whole_microseconds(self, host_clock, wall, steady):
        wall.now += 1_999
        steady.now += 1_999
        assert host_clock() == START + 1

    def test_the_hosts_own_two_clocks_are_taken_where_none_are_given(self):
        first = HostClock()()
        assert first > parse_time("2024-01-01T00:00:00.000000Z")

    @pytest.mark.parametrize("sign", [1, -1], ids=["forward", "back"])
    def test_parting_by_five_seconds_is_borne(self, host_clock, wall, sign):
        wall.now += sign * 5 * SECOND_NS
        assert host_clock() == START + sign * 5 * SECOND

    @pytest.mark.parametrize("sign", [1, -1], ids=["forward", "back"])
    def test_parting_by_more_is_refused(self, host_clock, wall, sign):
        wall.now += sign * (5 * SECOND_NS + NANOSECOND)
        with refused("clock-regressed"):
            host_clock()

    def test_time_that_passes_on_both_is_no_parting(self, host_clock, wall, steady):
        wall.now += 86_400 * SECOND_NS
        steady.now += 86_400 * SECOND_NS
        assert host_clock() == START + 86_400 * SECOND

    def test_slow_drift_adds_up(self, host_clock, wall, steady):
        for _ in range(5):
            wall.now += 2 * SECOND_NS
            steady.now += SECOND_NS
            host_clock()
        wall.now += 2 * SECOND_NS
        steady.now += SECOND_NS
        with refused("clock-regressed"):
            host_clock()


class TestNextTime:
    def test_the_clocks_time_is_taken_where_it_is_later(self):
        assert next_time(START + 1, START) == START + 1

    def test_the_same_time_again_becomes_one_microsecond_more(self):
        assert next_time(START, START) == START + 1

    def test_five_seconds_behind_go_on_from_the_last_time(self):
        assert next_time(START - 5 * SECOND, START) == START + 1

    def test_more_than_five_seconds_behind_are_refused(self):
        with refused("clock-regressed"):
            next_time(START - 5 * SECOND - 1, START)


class TestTimesOfALog:
    def test_they_strictly_increase_under_a_clock_that_stands_still(self, engine, store, clock):
        clock.tick = 0
        recorded(engine, 3)
        engine.checkpoint("alice")
        recorded(engine, 2)
        engine.checkpoint("alice", refresh=True)
        engine.checkpoint("alice", refresh=True)
        micros = [parse_time(text) for text in times_of(store, engine.log_of("alice"))]
        assert micros == list(range(START, START + 9))

    def test_they_strictly_increase_under_a_clock_that_falls_back_a_little(self, engine, store, clock):
        for _ in range(4):
            engine.record(delta())
            clock.now -= SECOND
        times = times_of(store, engine.log_of("alice"))
        assert times == sorted(set(times))

    def test_a_clock_too_far_behind_records_nothing(self, engine, store, clock):
        engine.record(delta())
        before = entries_of(store, engine.log_of("alice"))
        clock.now -= 6 * SECOND
        with refused("clock-regressed"):
            engine.record(delta())
        assert entries_of(store, engine.log_of("alice")) == before

    def test_a_clock_too_far_behind_stops_only_the_logs_that_are_ahead_of_it(self, engine, clock):
        engine.record(delta(customer="alice"))
        clock.now -= 6 * SECOND
        ahead, behind = engine.record_many([delta(customer="alice"), delta(customer="bob")])
        assert_refusal(ahead, "clock-regressed")
        assert behind.entry.index == 1

    def test_a_replay_needs_no_clock(self, engine, clock):
        first = engine.record(delta(idempotency_key="k"))
        clock.now -= 60 * SECOND
        assert engine.record(delta(idempotency_key="k")).entry == first.entry

    def test_a_clock_too_far_behind_seals_and_signs_nothing(self, engine, store, clock):
        engine.record(delta())
        before = entries_of(store, engine.log_of("alice"))
        clock.now -= 6 * SECOND
        with refused("clock-regressed"):
            engine.checkpoint("alice")
        assert entries_of(store, engine.log_of("alice")) == before
        assert list(engine.checkpoints("alice")) == []

    def test_recording_goes_on_once_the_clock_is_right_again(self, engine, clock):
        engine.record(delta())
        clock.now -= 6 * SECOND
        with refused("clock-regressed"):
            engine.record(delta())
        clock.now += 6 * SECOND
        assert engine.record(delta()).entry.index == 2
