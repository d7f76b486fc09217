"""Balances over HTTP: which window is meant, what it adds up to, comparisons, counts and gaps."""

import itertools
import json
from fractions import Fraction

import pytest

from counterfoil.core.timestamp import format_time
from counterfoil.engine.engine import Engine
from counterfoil.engine.windows import parse_month
from tests.support import OPERATOR, SECOND, delta, erase, recorded, sql
from tests.web.api import exactly, in_memory, value

APRIL, MAY = parse_month("2026-04"), parse_month("2026-05")
DAY = 86_400 * SECOND
NOBODY = ("customer-not-found", 404, "CUSTOMER_NOT_FOUND")
NO_RECORD = ("record-not-found", 404, "NOT_FOUND", "startingCheckpoint")
COMBINATION = ("invalid-scope-combination", 400, "INVALID_SCOPE_COMBINATION")
TOO_WIDE = ("scope-too-wide", 400, "SCOPE_TOO_WIDE")
# 29 digits before the point and nine behind it: the largest balance that there may be.
LARGEST = "99999999999999999999999999999.999999999"
MAY_2024 = "2024-05-01"

# Every route that takes a scope; those of the customer's record take a period alone.
SCOPED = ("derive/alice", "checkpoints", "receipt/alice", "invoice-proof/alice", "customers/alice/statement")
PERIODS = ("customers", "customers/alice", *SCOPED)
POSTED = {
    "compare": {"customerId": "alice", "yourBalance": 1, "theirBalance": 1},
    "checkpoint": {"customerId": "alice"},
}
# Two ways at once to name a scope, or half of one.
WRONG = (
    {"period": "2026-04", "timePreset": "current_month"},
    {"period": "2026-04", "startDate": "2026-04-01"},
    {"period": "2026-04", "endDate": "2026-04-01"},
    {"timePreset": "last_3_months", "startDate": "2026-04-01", "endDate": "2026-05-01"},
    {"timePreset": "custom"},
    {"timePreset": "custom", "startDate": "2026-04-01"},
    {"startDate": "2026-04-01"},
    {"endDate": "2026-05-01"},
)


def derive(api, name="alice", **query):
    return api.get(f"derive/{name}", **query).data


def compare(api, yours, theirs, **members):
    """Compare; the balances are JSON text."""
    rest = json.dumps({"customerId": "alice", **members})
    return api.post("compare", f'{{"yourBalance":{yours},"theirBalance":{theirs},{rest[1:]}')


def scope(start, end, period=None):
    return {
        "period": period,
        "startDate": f"{start}T00:00:00.000000Z",
        "endDate": f"{end}T00:00:00.000000Z",
    }


@pytest.fixture
def filled(api, engine, clock):
    """Two deltas of April, the first under a checkpoint, and three of May, in which it is."""
    clock.tick = 0
    engine.record(delta("100"))
    engine.checkpoint("alice")
    engine.record(delta("-12.5"))
    clock.now = MAY.start
    recorded(engine, 3, amount="0.000000001")
    clock.now += DAY
    return api


class TestDerive:
    def test_it_adds_up_the_month_that_goes_on(self, filled, engine):
        data = derive(filled)
        reference = f"0x{engine.log_of('alice').hex()}"
        del data["deltas"]
        assert data == {
            "customerId": "alice",
            "customerReference": reference,
            "unit": "credits",
            "startingBalance": 0,
            "computedBalance": exactly("0.000000003"),
            "deltaCount": 3,
            "deltasCount": 3,
            "verifiedCount": 0,
            "credits": exactly("0.000000003"),
            "debits": 0,
            "openingBalance": exactly("87.5"),
            "closingBalance": exactly("87.500000003"),
            "latestReceiptId": f"{reference}.6",
            "scope": scope("2026-05-01", "2026-06-01", "2026-05"),
            "pagination": {"limit": 100, "offset": 0, "total": 3},
        }

    def test_an_instant_on_the_boundary_belongs_to_the_later_month(self, filled):
        assert derive(filled, period="2026-04")["deltaCount"] == 2
        assert derive(filled)["deltas"][0]["time"] == "2026-05-01T00:00:00.000000Z"

    def test_it_says_how_many_of_its_deltas_are_verified(self, filled, engine):
        assert derive(filled, period="2026-04")["verifiedCount"] == 1
        engine.checkpoint("alice")
        assert derive(filled, period="2026-04")["verifiedCount"] == 2

    def test_an_empty_scope_adds_up_to_nothing(self, filled):
        data = derive(filled, period="2026-03")
        assert (data["computedBalance"], data["deltaCount"], data["latestReceiptId"]) == (0, 0, None)
        assert (data["openingBalance"], data["closingBalance"], data["deltas"]) == (0, 0, [])

    @pytest.mark.parametrize(
        ("given", "computed"),
        [
            ("0", "0.000000003"),
            ("100.5", "100.500000003"),
            ("-1e2", "-99.999999997"),
            ("-99999999999999999999999999999.999999999", "-99999999999999999999999999999.999999996"),
            (LARGEST, "100000000000000000000000000000.000000002"),
        ],
    )
    def test_it_adds_the_scope_to_a_starting_balance(self, filled, given, computed):
        data = derive(filled, startingBalance=given)
        assert data["computedBalance"] == exactly(computed)
        assert value(data["startingBalance"]) == value(exactly(computed)) - Fraction("3e-9")

    def test_the_largest_balance_comes_back_to_the_last_digit(self, filled):
        data = derive(filled, period="2026-03", startingBalance=LARGEST)
        assert data["startingBalance"] == data["computedBalance"] == exactly(LARGEST)

    @in_memory
    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ("", "invalid-field"),
            ("ten", "invalid-field"),
            ("NaN", "invalid-field"),
            ("1e-10", "amount-out-of-range"),
            ("1e29", "amount-out-of-range"),
        ],
    )
    def test_a_starting_balance_that_is_none_is_refused(self, filled, given, code):
        filled.get("derive/alice", startingBalance=given).invalid("startingBalance", code)

    def test_the_deltas_come_in_pages_the_oldest_first(self, filled):
        pages = [
            derive(filled, timePreset="last_3_months", limit=2, offset=offset) for offset in (0, 2, 4, 5, 99)
        ]
        numbers = [[item["sequenceNumber"] for item in page["deltas"]] for page in pages]
        assert numbers == [[1, 2], [3, 4], [5], [], []]
        assert [page["pagination"] for page in pages] == [
            {"limit": 2, "offset": offset, "total": 5} for offset in (0, 2, 4, 5, 99)
        ]

    def test_the_balance_is_of_all_of_them_whatever_the_page(self, filled):
        for offset in (0, 4, 99):
            data = derive(filled, timePreset="last_3_months", limit=1, offset=offset)
            assert (data["computedBalance"], data["deltaCount"]) == (exactly("87.500000003"), 5)

    def test_a_page_has_a_hundred_where_nothing_is_said(self, api, engine):
        recorded(engine, 101)
        data = derive(api)
        assert (len(data["deltas"]), data["pagination"]["total"]) == (100, 101)

    @in_memory
    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"limit": 0}, "limit"),
            ({"limit": 1_001}, "limit"),
            ({"limit": "all"}, "limit"),
            ({"offset": -1}, "offset"),
            ({"offset": "x"}, "offset"),
            ({"page": 1}, "page"),
            ({"granularity": "hour"}, "granularity"),
            ({"timePreset": "last_5_months"}, "timePreset"),
        ],
    )
    def test_what_it_does_not_know_is_refused(self, filled, query, field):
        filled.get("derive/alice", **query).invalid(field)

    def test_of_erased_deltas_the_numbers_stay(self, filled, engine, store):
        before = derive(filled, period="2026-04")
        erase(store, engine.log_of("alice"), 1)
        after = derive(filled, period="2026-04")
        assert after["computedBalance"] == before["computedBalance"]
        assert [(item["reason"], item["dataPurged"]) for item in after["deltas"]] == [
            (None, True),
            ("usage", False),
        ]

    def test_without_a_delta_there_is_no_customer(self, api):
        api.get("derive/alice").refused(*NOBODY)
        api.get("derive/a%20b").invalid("customerId")


@in_memory
class TestScopes:
    @pytest.mark.parametrize(
        ("query", "wanted"),
        [
            ({}, scope("2026-05-01", "2026-06-01", "2026-05")),
            ({"timePreset": "current_month"}, scope("2026-05-01", "2026-06-01", "2026-05")),
            ({"timePreset": "previous_month"}, scope("2026-04-01", "2026-05-01", "2026-04")),
            ({"timePreset": "last_3_months"}, scope("2026-03-01", "2026-06-01")),
            ({"timePreset": "last_12_months"}, scope("2025-06-01", "2026-06-01")),
            ({"timePreset": "last_24_months"}, scope("2024-06-01", "2026-06-01")),
            ({"period": "2026-02"}, scope("2026-02-01", "2026-03-01", "2026-02")),
            (
                {"startDate": "2026-04-10", "endDate": "2026-04-20"},
                scope("2026-04-10", "2026-04-20"),
            ),
            (
                {"timePreset": "custom", "startDate": "2026-04-01", "endDate": "2026-05-01"},
                scope("2026-04-01", "2026-05-01", "2026-04"),
            ),
            (
                {"startDate": "2026-04-01T02:00:00+02:00", "endDate": "2026-04-01T00:00:00.000001Z"},
                {
                    "period": None,
                    "startDate": "2026-04-01T00:00:00.000000Z",
                    "endDate": "2026-04-01T00:00:00.000001Z",
                },
            ),
            ({"startDate": MAY_2024, "endDate": "2026-05-01"}, scope(MAY_2024, "2026-05-01")),
            (
                {"period": "9999-12"},
                {
                    "period": "9999-12",
                    "startDate": "9999-12-01T00:00:00.000000Z",
                    "endDate": "9999-12-31T23:59:59.999999Z",
                },
            ),
        ],
    )
    def test_a_window_is_named_by_a_month_a_preset_or_two_dates(self, filled, query, wanted):
        assert derive(filled, **query)["scope"] == wanted
        assert compare(filled, 0, 0, **query).data["scope"] == wanted

    def period_of(self, data):
        return data["period"] if "period" in data else data["scope"]["period"]

    @pytest.mark.parametrize("path", PERIODS)
    def test_every_route_of_a_month_takes_it_alike(self, filled, engine, path):
        engine.checkpoint("alice")
        assert self.period_of(filled.get(path, period="2026-04").data) == "2026-04"

    @pytest.mark.parametrize("path", POSTED)
    def test_every_body_of_a_month_takes_it_alike(self, filled, path):
        answer = filled.post(path, POSTED[path] | {"period": "2026-04"})
        assert self.period_of(answer.data) == "2026-04"

    @pytest.mark.parametrize("text", ["", "2026", "2026-4", "2026-13", "2026-04-01", "0000-01", "april"])
    @pytest.mark.parametrize("path", PERIODS)
    def test_what_is_no_month_is_refused_by_all(self, filled, path, text):
        filled.get(path, period=text).invalid("period")

    @pytest.mark.parametrize("text", ["", "2026-13", 202604])
    @pytest.mark.parametrize("path", POSTED)
    def test_what_is_no_month_is_refused_in_bodies(self, filled, path, text):
        filled.post(path, POSTED[path] | {"period": text}).invalid("period")

    @pytest.mark.parametrize("query", WRONG, ids="+".join)
    @pytest.mark.parametrize("path", SCOPED)
    def test_two_ways_at_once_or_half_of_one_are_refused(self, filled, path, query):
        filled.get(path, **query).refused(*COMBINATION)

    @pytest.mark.parametrize("query", WRONG, ids="+".join)
    @pytest.mark.parametrize("path", POSTED)
    def test_so_they_are_in_bodies(self, filled, path, query):
        filled.post(path, POSTED[path] | query).refused(*COMBINATION)

    @pytest.mark.parametrize("path", SCOPED)
    def test_a_window_has_twenty_four_months_at_most(self, filled, engine, path):
        engine.checkpoint("alice")
        wide = {"startDate": MAY_2024, "endDate": "2026-05-01"}
        assert filled.get(path, **wide).status == 200
        wider = wide | {"endDate": "2026-05-01T00:00:00.000001Z"}
        filled.get(path, **wider).refused(*TOO_WIDE, "endDate")

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"startDate": "yesterday", "endDate": "2026-05-01"}, "startDate"),
            ({"startDate": "2026-05-01", "endDate": "2026-05-32"}, "endDate"),
            ({"startDate": "2026-05-01", "endDate": "2026-05-01"}, "endDate"),
            ({"startDate": "2026-05-02", "endDate": "2026-05-01"}, "endDate"),
            ({"startDate": "2026-05-01T00:00:00", "endDate": "2026-05-02"}, "startDate"),
        ],
    )
    def test_dates_that_are_no_window_are_refused(self, filled, query, field):
        filled.get("derive/alice", **query).invalid(field)

    def test_a_parameter_that_stands_twice_is_refused(self, filled):
        filled.get("derive/alice?period=2026-04&period=2026-05").invalid("period")

    def test_the_limits_say_how_wide(self, api):
        assert api.get("limits").data == {
            "maxScopeMonths": 24,
            "maxLastNDays": 366,
            "maxRetentionDays": None,
        }


class TestBreakdown:
    def test_months_come_one_by_one_each_with_its_figures(self, filled):
        data = derive(filled, timePreset="last_3_months", granularity="month")
        march, april, may = data["breakdown"]
        assert (march["period"], march["deltaCount"], march["closingBalance"]) == ("2026-03", 0, 0)
        assert april == {
            **scope("2026-04-01", "2026-05-01", "2026-04"),
            "deltaCount": 2,
            "credits": 100,
            "debits": exactly("12.5"),
            "netChange": exactly("87.5"),
            "openingBalance": 0,
            "closingBalance": exactly("87.5"),
            "verifiedThisPeriod": 1,
            "cumulativeBalance": 100,
        }
        assert (may["openingBalance"], may["netChange"]) == (exactly("87.5"), exactly("0.000000003"))

    @pytest.mark.parametrize("granularity", ["day", "week", "month"])
    def test_the_parts_add_up_to_the_whole(self, filled, granularity):
        data = derive(filled, timePreset="last_3_months", granularity=granularity)
        parts = data["breakdown"]
        assert sum(value(part["netChange"]) for part in parts) == value(data["computedBalance"])
        assert sum(part["deltaCount"] for part in parts) == data["deltaCount"]
        assert parts[0]["startDate"] == data["scope"]["startDate"]
        assert parts[-1]["endDate"] == data["scope"]["endDate"]
        for part, following in itertools.pairwise(parts):
            assert part["endDate"] == following["startDate"]
            assert part["closingBalance"] == following["openingBalance"]

    def test_a_month_is_as_in_the_customers_record(self, filled):
        [april] = derive(filled, period="2026-04", granularity="month")["breakdown"]
        record = filled.get("customers/alice", period="2026-04").data
        assert april["deltaCount"] == record["recordedThisPeriod"]
        assert april["netChange"] == record["recordedAmountThisPeriod"]
        for name in ("verifiedThisPeriod", "openingBalance", "closingBalance"):
            assert april[name] == record[name]

    def test_days_are_three_hundred_sixty_six_at_most(self, filled):
        year = {"startDate": "2024-01-01", "endDate": "2025-01-01"}
        assert len(derive(filled, granularity="day", **year)["breakdown"]) == 366
        longer = year | {"endDate": "2025-01-01T00:00:00.000001Z"}
        filled.get("derive/alice", granularity="day", **longer).refused(*TOO_WIDE, "granularity")

    def test_without_a_granularity_there_is_none(self, filled):
        assert "breakdown" not in derive(filled)


class TestFromAStart:
    @pytest.fixture
    def places(self, engine, filled):  # noqa: ARG002  -- what lies there
        """The checkpoint of the first delta, by its three names."""
        [checkpoint] = engine.checkpoints("alice")
        reference = f"0x{engine.log_of('alice').hex()}"
        return {
            "proofRoot": f"0x{checkpoint.root.hex()}",
            "checkpointId": f"chk_{reference}.{checkpoint.size}",
            "recordId": f"{reference}.1",
        }

    @pytest.mark.parametrize("kind", ["proofRoot", "checkpointId", "recordId"])
    def test_everything_behind_it_is_added_to_the_balance_then(self, filled, places, kind):
        data = derive(filled, startingCheckpoint=places[kind])
        assert (data["startingBalance"], data["computedBalance"]) == (100, exactly("87.500000003"))
        assert (data["openingBalance"], data["closingBalance"]) == (100, exactly("87.500000003"))
        assert (data["deltaCount"], data["scope"]) == (4, None)
        assert [item["sequenceNumber"] for item in data["deltas"]] == [2, 3, 4, 5]
        assert data["pagination"]["total"] == 4

    def test_its_deltas_come_in_pages(self, filled, places):
        data = derive(filled, startingCheckpoint=places["proofRoot"], limit=2, offset=1)
        assert [item["sequenceNumber"] for item in data["deltas"]] == [3, 4]

    def test_a_root_may_stand_without_its_prefix(self, filled, places):
        bare = places["proofRoot"].removeprefix("0x").upper()
        assert derive(filled, startingCheckpoint=bare) == derive(
            filled, startingCheckpoint=places["proofRoot"]
        )

    @pytest.mark.parametrize("kind", ["proofRoot", "checkpointId", "recordId"])
    def test_its_type_may_be_said(self, filled, places, kind):
        start = places[kind]
        assert derive(filled, startingCheckpoint=start, startingCheckpointType=kind) == derive(
            filled, startingCheckpoint=start
        )

    @in_memory
    @pytest.mark.parametrize("said", ["proofRoot", "checkpointId", "recordId"])
    @pytest.mark.parametrize("kind", ["proofRoot", "checkpointId", "recordId"])
    def test_a_type_that_it_is_not_is_refused(self, filled, places, kind, said):
        answer = filled.get("derive/alice", startingCheckpoint=places[kind], startingCheckpointType=said)
        if kind == said:
            assert answer.status == 200
        else:
            answer.invalid("startingCheckpoint")

    def test_a_type_that_there_is_not_is_refused(self, filled, places):
        filled.get(
            "derive/alice", startingCheckpoint=places["proofRoot"], startingCheckpointType="anchorId"
        ).invalid("startingCheckpointType")

    @pytest.mark.parametrize(
        "query",
        [
            {"period": "2026-04"},
            {"timePreset": "current_month"},
            {"startDate": "2026-04-01", "endDate": "2026-05-01"},
            {"granularity": "month"},
            {"startingBalance": "1"},
        ],
        ids="+".join,
    )
    def test_it_stands_alone(self, filled, places, query):
        start = {"startingCheckpoint": places["proofRoot"]}
        filled.get("derive/alice", **start, **query).refused(*COMBINATION)
        compare(filled, 0, 0, **start, **query).refused(*COMBINATION)

    def test_a_starting_balance_of_zero_is_none(self, filled, places):
        start = {"startingCheckpoint": places["proofRoot"]}
        assert derive(filled, startingBalance="0", **start) == derive(filled, **start)
        assert compare(filled, 0, 0, startingBalance=0, **start).data["startingBalance"] == 100

    def test_a_type_alone_is_refused(self, filled):
        filled.get("derive/alice", startingCheckpointType="proofRoot").refused(*COMBINATION)

    @in_memory
    @pytest.mark.parametrize("start", ["", "nonsense", "0x12", "chk_1"])
    def test_what_is_no_start_is_refused(self, filled, start):
        filled.get("derive/alice", startingCheckpoint=start).invalid("startingCheckpoint")

    def test_what_is_nobodys_is_not_found(self, filled, engine):
        reference = f"0x{engine.log_of('alice').hex()}"
        for start in ("00" * 32, f"chk_{reference}.2", f"{reference}.0", f"{reference}.2", f"{reference}.99"):
            filled.get("derive/alice", startingCheckpoint=start).refused(*NO_RECORD)

    def test_what_is_another_customers_looks_as_if_it_were_not_there(self, filled, engine, theirs):
        engine.record(delta("1", "bob"))
        root = engine.checkpoint("bob").checkpoint.root.hex()
        theirs.record("1")
        other = theirs.post("checkpoint", {"customerId": "alice"}).data["proofRoot"]
        nowhere = filled.get("derive/alice", startingCheckpoint="00" * 32).shown
        for start in (root, other):
            assert filled.get("derive/alice", startingCheckpoint=start).shown == nowhere


class TestCompare:
    def test_two_balances_are_held_against_the_record(self, filled):
        answer = compare(filled, "87.5", '"90"', period="2026-04")
        data = answer.data
        assert answer.status == 200
        assert (data["neutralBalance"], data["customerId"]) == (exactly("87.5"), "alice")
        assert (data["yourBalance"], data["matchesYours"], data["yourDifference"]) == (
            exactly("87.5"),
            True,
            0,
        )
        assert (data["theirBalance"], data["matchesTheirs"], data["theirDifference"]) == (
            90,
            False,
            exactly("2.5"),
        )

    def test_it_says_what_derive_says(self, filled):
        data = compare(filled, 1, 2, timePreset="last_3_months", granularity="month", startingBalance=7).data
        derived = derive(filled, timePreset="last_3_months", granularity="month", startingBalance=7)
        del derived["deltas"], derived["pagination"]
        assert {name: data[name] for name in derived} == derived
        assert data["neutralBalance"] == derived["computedBalance"]

    def test_the_last_digit_decides(self, filled):
        whole = {"timePreset": "last_3_months"}
        data = compare(filled, "87.500000003", "87.500000004", **whole).data
        assert (data["matchesYours"], data["matchesTheirs"]) == (True, False)
        assert data["theirDifference"] == exactly("0.000000001")

    def test_digits_that_a_double_would_lose_decide_too(self, filled):
        negative = f"-{LARGEST}"
        data = compare(filled, LARGEST, negative, startingBalance=LARGEST, period="2026-03").data
        assert (data["yourBalance"], data["matchesYours"], data["yourDifference"]) == (
            exactly(LARGEST),
            True,
            0,
        )
        assert (data["theirBalance"], data["matchesTheirs"]) == (exactly(negative), False)
        assert data["theirDifference"] == exactly("-199999999999999999999999999999.999999998")

    @in_memory
    @pytest.mark.parametrize("text", ["87.50", '"87.5"', "8.75e1", '"+87.500000000"', "0.875E+2"])
    def test_a_balance_is_its_value_however_it_is_written(self, filled, text):
        assert compare(filled, text, 0, period="2026-04").data["matchesYours"] is True

    def test_it_needs_the_customer_and_both_balances(self, filled):
        whole = {"customerId": "alice", "yourBalance": 1, "theirBalance": 1}
        for name in whole:
            rest = {other: text for other, text in whole.items() if other != name}
            filled.post("compare", rest).invalid(name)
            filled.post("compare", rest | {name: None}).invalid(name)

    @in_memory
    @pytest.mark.parametrize("name", ["yourBalance", "theirBalance", "startingBalance"])
    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("true", "invalid-field"),
            ('"ten"', "invalid-field"),
            ("[1]", "invalid-field"),
            ("1e-10", "amount-out-of-range"),
            ("1e29", "amount-out-of-range"),
        ],
    )
    def test_a_balance_that_is_none_is_refused(self, filled, name, text, code):
        whole = {"yourBalance": "1", "theirBalance": "1", name: text}
        members = ",".join(f'"{key}":{token}' for key, token in whole.items())
        filled.post("compare", f'{{"customerId":"alice",{members}}}').invalid(name, code)

    @in_memory
    @pytest.mark.parametrize(
        ("members", "field"),
        [
            ({"offset": 1}, "offset"),
            ({"customerId": 7}, "customerId"),
            ({"granularity": "hour"}, "granularity"),
            ({"granularity": 1}, "granularity"),
            ({"timePreset": "always"}, "timePreset"),
            ({"startingCheckpointType": "x", "startingCheckpoint": "00" * 32}, "startingCheckpointType"),
            ({"startingCheckpoint": "nonsense"}, "startingCheckpoint"),
        ],
    )
    def test_what_it_does_not_know_is_refused(self, filled, members, field):
        compare(filled, 1, 1, **members).invalid(field)

    @pytest.mark.usefixtures("filled")
    def test_a_key_that_may_only_read_is_enough(self, make_api, app):
        assert compare(make_api(app, scopes=["read"]), 1, 1).status == 200
        answer = compare(make_api(app, scopes=["write"]), 1, 1)
        answer.refused("insufficient-scope", 403, "INSUFFICIENT_SCOPE")

    def test_without_a_delta_there_is_no_customer(self, api):
        compare(api, 1, 1).refused(*NOBODY)


class TestUsage:
    def test_it_counts_what_is_recorded_and_there_is_no_allotment(self, filled):
        assert filled.get("usage").data == {
            "totalDeltas": 5,
            "verifiedDeltas": 1,
            "totalCustomers": 1,
            "used": 5,
            "allowed": None,
            "remaining": None,
        }

    def test_it_is_kept_for_ten_seconds(self, filled, steady):
        assert filled.get("usage").data["used"] == 5
        filled.record("1")
        assert filled.get("usage").data["used"] == 5
        steady.now = 10
        assert filled.get("usage").data["used"] == 6

    def test_another_tenants_is_not_counted(self, filled, theirs):
        theirs.record("1")
        assert (theirs.get("usage").data["used"], filled.get("usage").data["used"]) == (1, 5)


class TestGaps:
    def test_there_are_none(self, filled):
        assert filled.get("gaps/alice").data == {
            "customerId": "alice",
            "gaps": [],
            "checkedFrom": 1,
            "checkedTo": 5,
            "newestSequence": 5,
            "nextSequence": None,
        }

    @pytest.mark.parametrize(
        ("query", "wanted"),
        [
            ({"fromSequence": 2}, (2, 5, None)),
            ({"toSequence": 3}, (1, 3, None)),
            ({"fromSequence": 2, "toSequence": 99}, (2, 5, None)),
            ({"limit": 2}, (1, 2, 3)),
            ({"fromSequence": 3, "limit": 2}, (3, 4, 5)),
            ({"fromSequence": 4, "limit": 2}, (4, 5, None)),
            ({"fromSequence": 2, "toSequence": 4, "limit": 2}, (2, 3, 4)),
            ({"fromSequence": 6}, (6, 5, None)),
        ],
    )
    def test_they_are_looked_for_in_pieces(self, filled, query, wanted):
        data = filled.get("gaps/alice", **query).data
        assert (data["checkedFrom"], data["checkedTo"], data["nextSequence"]) == wanted
        assert (data["gaps"], data["newestSequence"]) == ([], 5)

    @in_memory
    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"fromSequence": 0}, "fromSequence"),
            ({"fromSequence": "x"}, "fromSequence"),
            ({"fromSequence": 10**19}, "fromSequence"),
            ({"toSequence": 0}, "toSequence"),
            ({"fromSequence": 3, "toSequence": 2}, "fromSequence"),
            ({"limit": 1_001}, "limit"),
            ({"period": "2026-04"}, "period"),
        ],
    )
    def test_what_it_does_not_know_is_refused(self, filled, query, field):
        filled.get("gaps/alice", **query).invalid(field)

    def test_without_a_delta_there_is_no_customer(self, api):
        api.get("gaps/alice").refused(*NOBODY)

    def test_one_that_somebody_made_is_found(self, sqlite_api, sqlite_store):
        engine = Engine(sqlite_store, OPERATOR)
        recorded(engine, 9)
        assert sql(sqlite_store, "DELETE FROM entries WHERE idx IN (3, 4, 7)") == 3
        data = sqlite_api.get("gaps/alice").data
        assert data["gaps"] == [3, 4, 7]


class TestSomebodyElses:
    @pytest.mark.parametrize("path", ["derive/alice", "gaps/alice"])
    def test_a_customer_looks_as_one_that_is_not_there(self, api, theirs, path):
        before = api.get(path).shown
        theirs.record("1")
        assert api.get(path).shown == before

    def test_so_it_does_in_a_comparison(self, api, theirs):
        before = compare(api, 1, 1).shown
        theirs.record("1")
        assert compare(api, 1, 1).shown == before


class TestDamage:
    @pytest.mark.parametrize("path", ["derive/alice", "gaps/alice"])
    def test_a_log_that_contradicts_itself_is_not_answered_for(self, sqlite_api, sqlite_store, path):
        recorded(Engine(sqlite_store, OPERATOR), 3)
        assert sql(sqlite_store, "UPDATE entries SET entry = x'7b7d' WHERE idx = 2") == 1
        answer = sqlite_api.get(path)
        answer.refused("log-corrupt", 503, "SERVICE_UNAVAILABLE")
        assert answer.document["detail"] == answer.document["title"]


@in_memory
@pytest.mark.parametrize("path", ["derive/alice", "limits", "usage", "gaps/alice"])
class TestWhoMayAsk:
    def test_a_key_that_may_only_write_reads_nothing(self, make_api, app, path):
        make_api(app, scopes=["write"]).get(path).refused("insufficient-scope", 403, "INSUFFICIENT_SCOPE")

    @pytest.mark.usefixtures("filled")
    def test_a_key_that_may_only_read_is_enough(self, make_api, app, path):
        assert make_api(app, scopes=["read"]).get(path).status == 200

    def test_a_parameter_that_is_misspelt_is_refused(self, api, path):
        api.get(path, perod="2026-04").invalid("perod")


def test_a_month_begins_with_the_clock_that_is_passed_in(filled, clock):
    """One microsecond before the month's end it is this month, and then it is the next."""
    for time, period in ((MAY.end - 1, "2026-05"), (MAY.end, "2026-06")):
        clock.now = time
        assert derive(filled)["scope"]["period"] == period, format_time(time)
