"""Windows of time: which instants a month, a preset or two dates name."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.timestamp import format_time, month_end, to_microseconds
from counterfoil.engine.windows import (
    GRANULARITIES,
    Window,
    month_of,
    months_until,
    parse_month,
    resolve_scope,
    split,
)
from tests.support import refused

NOW = to_microseconds("2026-04-17T09:00:00.000000Z")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
instants = st.integers(
    to_microseconds("0004-01-01T00:00:00Z"), to_microseconds("9997-12-31T23:59:59.999999Z")
)


def window(start, end):
    return Window(to_microseconds(f"{start}T00:00:00Z"), to_microseconds(f"{end}T00:00:00Z"))


@given(instants)
def test_an_instant_lies_in_the_month_that_it_names(time):
    month = parse_month(month_of(time))
    assert month.start <= time < month.end
    assert month.end == month_end(time)


def test_an_instant_on_the_boundary_belongs_to_the_later_month():
    end = parse_month("2026-04").end
    assert month_of(end) == "2026-05"
    assert month_of(end - 1) == "2026-04"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026",
        "2026-4",
        "2026-13",
        "2026-00",
        "0000-01",
        "2026-04-01",
        " 2026-04",
        "\uff12026-04",
        None,
        202604,
    ],
)
def test_what_is_no_month_is_refused(text):
    with refused("invalid-field", field="period"):
        parse_month(text)


@pytest.mark.parametrize("text", ["0001-01", "9999-12"])
def test_the_first_and_the_last_month_are_months(text):
    month = parse_month(text)
    assert month_of(month.start) == month_of(month.end - 1) == text


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, window("2026-04-01", "2026-05-01")),
        ({"period": "2025-02"}, window("2025-02-01", "2025-03-01")),
        ({"time_preset": "current_month"}, window("2026-04-01", "2026-05-01")),
        ({"time_preset": "previous_month"}, window("2026-03-01", "2026-04-01")),
        ({"time_preset": "last_3_months"}, window("2026-02-01", "2026-05-01")),
        ({"time_preset": "last_12_months"}, window("2025-05-01", "2026-05-01")),
        ({"time_preset": "last_24_months"}, window("2024-05-01", "2026-05-01")),
        (
            {"time_preset": "custom", "start_date": "2026-01-05", "end_date": "2026-01-07"},
            window("2026-01-05", "2026-01-07"),
        ),
        (
            {"start_date": "2026-01-05T01:00:00+01:00", "end_date": "2026-01-07T00:00:00Z"},
            window("2026-01-05", "2026-01-07"),
        ),
        ({"start_date": "2024-04-15", "end_date": "2026-04-15"}, window("2024-04-15", "2026-04-15")),
        ({"start_date": "9998-12-31", "end_date": "9999-12-31"}, window("9998-12-31", "9999-12-31")),
    ],
)
def test_a_scope_is_the_window_that_it_names(given, wanted):
    assert resolve_scope(NOW, **given) == wanted


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"period": "2026-04", "time_preset": "current_month"}, "invalid-scope-combination"),
        ({"period": "2026-04", "start_date": "2026-04-01"}, "invalid-scope-combination"),
        ({"time_preset": "current_month", "end_date": "2026-04-01"}, "invalid-scope-combination"),
        ({"time_preset": "custom", "start_date": "2026-04-01"}, "invalid-scope-combination"),
        ({"time_preset": "custom"}, "invalid-scope-combination"),
        ({"end_date": "2026-04-01"}, "invalid-scope-combination"),
        ({"time_preset": "last_2_months"}, "invalid-field"),
        ({"period": "2026-14"}, "invalid-field"),
        ({"start_date": "2026-04-31", "end_date": "2026-05-01"}, "invalid-field"),
        ({"start_date": "2026-05-01", "end_date": "2026-05-01"}, "invalid-field"),
        ({"start_date": "2026-05-01", "end_date": "2026-04-01"}, "invalid-field"),
        ({"start_date": "2024-04-15", "end_date": "2026-04-15T00:00:00.000001Z"}, "scope-too-wide"),
        ({"start_date": "0001-01-01", "end_date": "9999-12-31"}, "scope-too-wide"),
    ],
)
def test_a_scope_that_names_none_or_several_windows_is_refused(given, code):
    with refused(code):
        resolve_scope(NOW, **given)


@given(instants, st.integers(1, 24))
def test_the_last_months_are_so_many_and_end_with_this_one(now, months):
    found = months_until(now, months)
    assert [month_of(each.start) for each in split(found, "month")][-1] == month_of(now)
    assert len(split(found, "month")) == months


@given(
    instants,
    st.integers(1, 366 * 86_400 * 1_000_000),
    st.sampled_from(GRANULARITIES),
)
def test_the_parts_of_a_window_follow_on_one_another_and_are_the_window(start, length, granularity):
    whole = Window(start, start + length)
    parts = split(whole, granularity)
    assert (parts[0].start, parts[-1].end) == whole
    assert all(part.end == following.start for part, following in itertools.pairwise(parts))
    for part in parts[1:]:
        begins = EPOCH + timedelta(microseconds=part.start)
        assert format_time(part.start).endswith("T00:00:00.000000Z")
        assert granularity != "week" or begins.weekday() == 0
        assert granularity != "month" or begins.day == 1


def test_a_breakdown_by_days_has_its_bound():
    assert len(split(window("2024-01-01", "2025-01-01"), "day")) == 366
    with refused("scope-too-wide", field="granularity"):
        split(window("2024-01-01", "2025-01-02"), "day")
    with refused("invalid-field", field="granularity"):
        split(window("2024-01-01", "2025-01-01"), "hour")
