"""The customer record over HTTP: totals, months, deltas, lists, and all customers in a few numbers."""

import pytest

from counterfoil.core.timestamp import format_time, to_microseconds
from counterfoil.engine.engine import Engine
from counterfoil.engine.windows import parse_month
from tests.support import OPERATOR, SECOND, delta, erase, recorded, sql
from tests.web.api import exactly, in_memory

APRIL, MAY = parse_month("2026-04"), parse_month("2026-05")
DAY = 86_400 * SECOND
NOBODY = ("customer-not-found", 404, "CUSTOMER_NOT_FOUND")


def customer(api, name="alice", **query):
    return api.get(f"customers/{name}", **query).data


def month(data):
    """Return what a record says of its month: count, amount, verified, opening and closing balance."""
    return [
        data[name]
        for name in (
            "recordedThisPeriod",
            "recordedAmountThisPeriod",
            "verifiedThisPeriod",
            "openingBalance",
            "closingBalance",
        )
    ]


class TestTheRecord:
    def test_it_says_what_was_recorded_and_how_far_it_is_verified(self, api, engine, clock):
        clock.tick = 0
        first, _ = recorded(engine, 2, amount="20")
        checkpoint = engine.checkpoint("alice")
        clock.now += SECOND
        last = engine.record(delta("-0.5"))
        data = customer(api)
        del data["recentActivity"]
        reference = f"0x{engine.log_of('alice').hex()}"
        assert data == {
            "customerId": "alice",
            "customerReference": reference,
            "unit": "credits",
            "totalDeltas": 3,
            "verifiedDeltas": 2,
            "firstActivityAt": first.entry.recorded_at,
            "lastActivityAt": last.entry.recorded_at,
            "computedBalance": exactly("39.5"),
            "cumulativeBalance": 40,
            "verifiedThroughAt": checkpoint.verified_through_at,
            "mostRecentActivePeriod": "2026-04",
            "latestCheckpoint": {
                "checkpointId": f"chk_{reference}.4",
                "proofRoot": f"0x{checkpoint.checkpoint.root.hex()}",
                "size": 4,
                "deltaCount": 2,
                "balance": 40,
                "verifiedThroughAt": checkpoint.verified_through_at,
            },
            "period": "2026-04",
            "recordedThisPeriod": 3,
            "recordedAmountThisPeriod": exactly("39.5"),
            "verifiedThisPeriod": 2,
            "openingBalance": 0,
            "closingBalance": exactly("39.5"),
        }

    def test_before_the_first_checkpoint_nothing_is_verified(self, api):
        api.record("7")
        data = customer(api)
        assert (data["latestCheckpoint"], data["verifiedThroughAt"]) == (None, None)
        assert (data["computedBalance"], data["cumulativeBalance"]) == (7, 0)
        assert (data["verifiedDeltas"], data["verifiedThisPeriod"]) == (0, 0)

    def test_balances_have_every_digit(self, api):
        for _ in range(3):
            api.record("999999999999999999.999999999")
        api.record("-0.000000001")
        data = customer(api)
        assert data["computedBalance"] == exactly("2999999999999999999.999999996")
        assert data["recordedAmountThisPeriod"] == exactly("2999999999999999999.999999996")
        assert data["recentActivity"]["items"][0]["delta"] == exactly("-0.000000001")
        assert data["recentActivity"]["items"][1]["delta"] == exactly("999999999999999999.999999999")

    def test_a_balance_below_zero_is_one(self, api):
        api.record("-0.1")
        assert customer(api)["computedBalance"] == exactly("-0.1")

    def test_the_reference_is_the_same_for_ever(self, api, engine):
        reference = api.record("1")["customerReference"]
        engine.checkpoint("alice")
        api.record("2")
        assert customer(api)["customerReference"] == reference
        assert customer(api, period="2020-01")["customerReference"] == reference

    def test_one_customers_deltas_are_none_of_anothers(self, api):
        api.record("1", customer="alice")
        before = api.get("customers/alice").shown
        api.record("100", customer="bob")
        assert api.get("customers/alice").shown == before

    def test_the_unit_is_that_of_the_log(self, api):
        api.record("1", unit="EUR")
        assert customer(api)["unit"] == "EUR"

    @in_memory
    @pytest.mark.parametrize("name", ["a-b", "a.b", "a:b", "A_1", "0" * 128])
    def test_any_customer_id_stands_in_a_path(self, api, name):
        api.record("1", customer=name)
        assert customer(api, name)["customerId"] == name

    def test_without_a_delta_there_is_none(self, api):
        api.get("customers/alice").refused(*NOBODY)

    @in_memory
    @pytest.mark.parametrize("name", ["a%20b", "%C3%A4", "x" * 129])
    def test_what_is_no_customer_id_is_said_so(self, api, name):
        api.get(f"customers/{name}").invalid("customerId")


class TestMonths:
    def test_an_instant_on_the_boundary_belongs_to_the_later_month(self, api, engine, clock):
        engine.record(delta("1"))
        clock.tick = 0
        for time, amount in ((MAY.start - 1, "10"), (MAY.start, "100")):
            clock.now = time
            answer = api.record(amount)
            assert answer["recordedAt"] == format_time(time)
        assert month(customer(api, period="2026-04")) == [2, 11, 0, 0, 11]
        assert month(customer(api, period="2026-05")) == [1, 100, 0, 11, 111]

    def test_a_month_counts_what_is_recorded_in_it_and_what_is_verified_in_it(self, api, engine, clock):
        engine.record(delta("5"))
        clock.now = MAY.start
        engine.checkpoint("alice")
        assert month(customer(api, period="2026-04")) == [1, 5, 0, 0, 5]
        assert month(customer(api, period="2026-05")) == [0, 0, 1, 5, 5]

    def test_where_none_is_named_it_is_the_one_of_the_clock(self, api, clock):
        api.record("5")
        clock.tick = 0
        for time, period in ((MAY.start - 1, "2026-04"), (MAY.start, "2026-05"), (MAY.end, "2026-06")):
            clock.now = time
            assert customer(api)["period"] == period
            assert api.get("customers").data["period"] == period

    def test_an_empty_one_names_the_month_to_look_at(self, api, clock):
        api.record("5")
        clock.now = MAY.end + DAY
        for period in (None, "2026-05", "2026-06", "2026-07", "2031-01"):
            data = customer(api, period=period)
            assert month(data) == [0, 0, 0, 5, 5]
            assert data["recentActivity"] == {
                "items": [],
                "pagination": {"page": 1, "limit": 20, "total": 0, "totalPages": 0},
            }
            assert data["mostRecentActivePeriod"] == "2026-04"
        assert month(customer(api, period=data["mostRecentActivePeriod"]))[0] == 1

    def test_before_the_first_delta_all_is_zero(self, api):
        api.record("5")
        assert month(customer(api, period="2026-03")) == [0, 0, 0, 0, 0]

    def test_what_the_sender_says_of_time_moves_no_delta(self, api):
        api.record("5", effectiveAt="2026-03-15")
        assert month(customer(api, period="2026-03"))[0] == 0
        assert month(customer(api, period="2026-04"))[0] == 1

    def test_all_time_totals_are_the_same_whatever_the_month(self, api, clock, engine):
        api.record("5")
        engine.checkpoint("alice")
        clock.now = MAY.start
        api.record("6")
        for period in ("2026-03", "2026-04", "2026-05", "2026-06"):
            data = customer(api, period=period)
            assert (data["computedBalance"], data["cumulativeBalance"]) == (11, 5)
            assert (data["totalDeltas"], data["verifiedDeltas"]) == (2, 1)


class TestActivity:
    @pytest.fixture
    def filled(self, api, engine, clock):
        """Two deltas of April, seven of May."""
        recorded(engine, 2, amount="1")
        clock.now = MAY.start
        recorded(engine, 7, amount="10")
        return api

    def numbers(self, data):
        return [item["sequenceNumber"] for item in data["recentActivity"]["items"]]

    def test_it_holds_the_deltas_of_the_month_the_newest_first(self, filled):
        assert self.numbers(customer(filled)) == [9, 8, 7, 6, 5, 4, 3]
        assert self.numbers(customer(filled, period="2026-04")) == [2, 1]

    def test_it_comes_in_pages(self, filled):
        pages = [customer(filled, deltaPage=page, deltaLimit=3) for page in (1, 2, 3, 4)]
        assert [self.numbers(page) for page in pages] == [[9, 8, 7], [6, 5, 4], [3], []]
        assert [page["recentActivity"]["pagination"] for page in pages] == [
            {"page": page, "limit": 3, "total": 7, "totalPages": 3} for page in (1, 2, 3, 4)
        ]

    def test_a_page_has_twenty_where_nothing_is_said(self, api, engine):
        recorded(engine, 21)
        assert len(self.numbers(customer(api))) == 20

    @in_memory
    @pytest.mark.parametrize("name", ["deltaPage", "deltaLimit"])
    @pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "", "99999999999999999999"])
    def test_a_page_that_is_none_is_refused(self, api, name, value):
        api.get("customers/alice", **{name: value}).invalid(name)

    def test_a_page_has_a_thousand_at_most(self, api):
        api.record("1")
        assert api.get("customers/alice", deltaLimit="1000").status == 200
        api.get("customers/alice", deltaLimit="1001").invalid("deltaLimit")

    def test_a_delta_says_all_that_was_recorded(self, api):
        first = api.record("5", reason="deposit")
        second = api.record(
            "-2.5",
            reason="correction",
            referenceId="line 1",
            metadata={"rate": 1.5, "n": [1, None]},
            effectiveAt="2026-03-31T12:00:00+02:00",
            adjusts={"recordId": first["recordId"]},
        )
        assert customer(api)["recentActivity"]["items"][0] == {
            "recordId": second["recordId"],
            "receiptId": second["recordId"],
            "sequenceNumber": 2,
            "delta": exactly("-2.5"),
            "reason": "correction",
            "referenceId": "line 1",
            "metadata": {"rate": exactly("1.5"), "n": [1, None]},
            "status": "QUEUED",
            "time": second["recordedAt"],
            "effectiveAt": "2026-03-31T10:00:00.000000Z",
            "adjusts": {"recordId": first["recordId"]},
            "verificationReference": None,
            "dataPurged": False,
        }

    def test_a_delta_is_verified_by_the_first_checkpoint_that_covers_it(self, api, engine):
        reference = api.record("1")["customerReference"]
        engine.checkpoint("alice")
        api.record("2")
        engine.checkpoint("alice")
        api.record("3")
        items = customer(api)["recentActivity"]["items"]
        assert [(item["status"], item["verificationReference"]) for item in items] == [
            ("QUEUED", None),
            ("VERIFIED", f"chk_{reference}.5"),
            ("VERIFIED", f"chk_{reference}.3"),
        ]

    def test_of_an_erased_delta_the_numbers_stay(self, api, engine, store):
        api.record("1", reason="secret", referenceId="secret", metadata={"secret": True})
        kept = api.record("2", reason="kept")
        erase(store, engine.log_of("alice"), 1)
        other, item = customer(api)["recentActivity"]["items"]
        assert (item["delta"], item["dataPurged"], item["sequenceNumber"]) == (1, True, 1)
        assert (item["reason"], item["referenceId"], item["metadata"]) == (None, None, None)
        assert (other["recordId"], other["dataPurged"], other["reason"]) == (kept["recordId"], False, "kept")

    def test_a_customer_whose_name_was_erased_is_found_by_it_and_does_not_say_it(self, api, engine, store):
        api.record("1")
        erase(store, engine.log_of("alice"), 0)
        answer = api.get("customers/alice")
        assert (answer.data["customerId"], answer.data["computedBalance"]) == (None, 1)
        assert "alice" not in answer.text


class TestTheList:
    def names(self, data):
        return [each["customerId"] for each in data["customers"]]

    def test_it_holds_the_record_of_each_with_the_month(self, api, engine, clock):
        recorded(engine, 2, "alice", amount="3")
        engine.checkpoint("alice")
        clock.now = MAY.start
        engine.record(delta("0.5", "bob"))
        for period in ("2026-04", "2026-05"):
            data = api.get("customers", period=period).data
            for each in data["customers"]:
                alone = customer(api, each["customerId"], period=period)
                del alone["recentActivity"]
                assert each == alone
            assert (data["period"], data["refused"]) == (period, [])
            assert [month(each)[0] for each in data["customers"]] == (
                [2, 0] if period == "2026-04" else [0, 1]
            )

    def test_it_is_empty_before_the_first_delta(self, api):
        data = api.get("customers").data
        assert (data["customers"], data["refused"]) == ([], [])
        assert data["pagination"] == {"page": 1, "limit": 25, "total": 0, "totalPages": 0}

    def test_it_comes_in_pages_by_customer_id(self, api, engine):
        engine.record_many([delta("1", name) for name in ("d", "B", "a", "c", "e")])
        pages = [api.get("customers", page=page, limit=2).data for page in (1, 2, 3, 4)]
        assert [self.names(page) for page in pages] == [["B", "a"], ["c", "d"], ["e"], []]
        assert [page["pagination"] for page in pages] == [
            {"page": page, "limit": 2, "total": 5, "totalPages": 3} for page in (1, 2, 3, 4)
        ]

    def test_it_has_twenty_five_where_nothing_is_said(self, api, engine):
        engine.record_many([delta("1", f"cust_{number}") for number in range(26)])
        assert len(self.names(api.get("customers").data)) == 25

    @pytest.mark.parametrize(
        ("search", "found"),
        [
            ("cust_", ["cust_1", "cust_12", "cust_2"]),
            ("CUST_1", ["cust_1", "cust_12"]),
            ("_2", ["cust_2"]),
            ("partner", ["Partner.x"]),
            ("%", []),
            ("\\", []),
            ("' OR 1=1 --", []),
            ("", ["Partner.x", "cust_1", "cust_12", "cust_2"]),
        ],
    )
    def test_it_is_searched_by_a_part_of_the_customer_id(self, api, engine, search, found):
        engine.record_many([delta("1", name) for name in ("cust_1", "cust_12", "cust_2", "Partner.x")])
        data = api.get("customers", search=search).data
        assert self.names(data) == found
        assert data["pagination"]["total"] == len(found)

    @in_memory
    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"page": 0}, "page"),
            ({"page": "x"}, "page"),
            ({"limit": 0}, "limit"),
            ({"limit": 1_001}, "limit"),
            ({"search": "x" * 129}, "search"),
            ({"period": "2026"}, "period"),
            ({"offset": 1}, "offset"),
        ],
    )
    def test_what_it_does_not_know_is_refused(self, api, query, field):
        api.get("customers", **query).invalid(field)

    def test_another_tenants_are_on_no_page(self, api, theirs):
        before = api.get("customers").shown
        theirs.record("1")
        assert api.get("customers").shown == before
        assert self.names(theirs.get("customers").data) == ["alice"]


class TestAllInAFewNumbers:
    def test_it_adds_up_every_customer_by_unit(self, api, engine):
        recorded(engine, 3, "alice", amount="2.5")
        recorded(engine, 2, "bob", amount="-1")
        last = engine.record(delta("0.000000001", "carol", unit="EUR"))
        engine.checkpoint("alice")
        assert api.get("customers/summary").data == {
            "totalCustomers": 3,
            "totalDeltas": 6,
            "verifiedDeltas": 3,
            "pendingDeltas": 3,
            "lastActivityAt": last.entry.recorded_at,
            "totals": [
                {
                    "unit": "EUR",
                    "customers": 1,
                    "credits": exactly("0.000000001"),
                    "debits": 0,
                    "computedBalance": exactly("0.000000001"),
                    "cumulativeBalance": 0,
                },
                {
                    "unit": "credits",
                    "customers": 2,
                    "credits": exactly("7.5"),
                    "debits": 2,
                    "computedBalance": exactly("5.5"),
                    "cumulativeBalance": exactly("7.5"),
                },
            ],
            "verification": {
                "health": "PENDING",
                "customersFullyVerified": 1,
                "customersRefused": 0,
                "verifiedThroughAt": None,
            },
        }

    def test_it_is_verified_through_the_earliest_of_all_watermarks(self, api, engine, clock):
        recorded(engine, 1, "alice")
        recorded(engine, 1, "bob")
        earliest = engine.checkpoint("bob").verified_through_at
        clock.now += SECOND
        engine.checkpoint("alice")
        verification = api.get("customers/summary").data["verification"]
        assert (verification["health"], verification["verifiedThroughAt"]) == ("VERIFIED", earliest)
        assert verification["customersFullyVerified"] == 2

    def test_without_customers_all_is_zero(self, api):
        data = api.get("customers/summary").data
        assert (data["totalCustomers"], data["totals"], data["lastActivityAt"]) == (0, [], None)
        assert data["verification"]["health"] == "VERIFIED"

    def test_it_is_kept_for_ten_seconds(self, api, steady):
        api.record("1")
        assert api.get("customers/summary").data["totalDeltas"] == 1
        api.record("1")
        steady.now = 9.9
        assert api.get("customers/summary").data["totalDeltas"] == 1
        steady.now = 10
        assert api.get("customers/summary").data["totalDeltas"] == 2

    def test_each_tenant_has_its_own(self, api, theirs):
        theirs.record("1")
        assert theirs.get("customers/summary").data["totalDeltas"] == 1
        assert api.get("customers/summary").data["totalDeltas"] == 0


@pytest.mark.parametrize(
    ("path", "items"),
    [
        ("customers?page={place}&limit=1000", lambda data: data["customers"]),
        ("customers/alice?deltaPage={place}&deltaLimit=1000", lambda data: data["recentActivity"]["items"]),
        ("derive/alice?offset={place}&limit=1000", lambda data: data["deltas"]),
        ("checkpoints?offset={place}&limit=1000", lambda data: data["checkpoints"]),
        ("checkpoints?customerId=alice&offset={place}&limit=1000", lambda data: data["checkpoints"]),
    ],
)
def test_a_page_far_behind_the_last_one_is_empty(api, path, items):
    api.record("1")
    api.post("checkpoint", {"customerId": "alice"})
    first = 0 if "offset" in path else 1
    assert len(items(api.get(path.format(place=first)).data)) == 1
    assert items(api.get(path.format(place=(2**63 - 1) // 1_000)).data) == []


class TestSomebodyElses:
    def test_a_customer_looks_as_one_that_is_not_there(self, api, theirs):
        before = api.get("customers/alice").shown
        theirs.record("1")
        assert api.get("customers/alice").shown == before
        api.get("customers/alice").refused(*NOBODY)

    def test_customers_of_one_name_are_two(self, api, theirs):
        api.record("1")
        theirs.record("2")
        assert customer(api)["computedBalance"] == 1
        assert customer(theirs)["computedBalance"] == 2
        assert customer(api)["customerReference"] != customer(theirs)["customerReference"]


class TestDamage:
    @pytest.fixture
    def damaged(self, sqlite_api, sqlite_store):
        """Of two customers the entries of one are not what they were."""
        engine = Engine(sqlite_store, OPERATOR)
        for name in ("alice", "bob"):
            recorded(engine, 3, name)
        log = engine.log_of("alice")
        assert sql(sqlite_store, "UPDATE entries SET entry = x'7b7d' WHERE idx = 3 AND log = ?", log)
        return sqlite_api, f"0x{log.hex()}"

    def test_the_record_is_not_answered_and_our_words_are_not_shown(self, damaged):
        api, _ = damaged
        answer = api.get("customers/alice")
        answer.refused("log-corrupt", 503, "SERVICE_UNAVAILABLE")
        assert answer.document["detail"] == answer.document["title"] == answer.document["error"]["message"]
        assert "entry" not in answer.text
        assert answer.headers["retry-after"] == str(answer.document["error"]["retryAfterSeconds"])

    def test_others_are_listed_and_it_is_named(self, damaged):
        api, reference = damaged
        data = api.get("customers").data
        assert [each["customerId"] for each in data["customers"]] == ["bob"]
        assert data["refused"] == [{"customerReference": reference, "code": "log-corrupt"}]
        assert data["pagination"]["total"] == 2

    def test_the_summary_says_how_many(self, damaged):
        api, _ = damaged
        data = api.get("customers/summary").data
        assert (data["totalCustomers"], data["totalDeltas"]) == (2, 3)
        assert data["verification"]["health"] == "REFUSED"
        assert data["verification"]["customersRefused"] == 1


@in_memory
class TestWhoMayAsk:
    PATHS = ("customers", "customers/summary", "customers/alice")

    @pytest.mark.parametrize("path", PATHS)
    def test_a_key_that_may_only_write_reads_nothing(self, make_api, app, path):
        answer = make_api(app, scopes=["write"]).get(path)
        answer.refused("insufficient-scope", 403, "INSUFFICIENT_SCOPE")

    @pytest.mark.parametrize("path", PATHS)
    def test_a_key_that_may_only_read_is_enough(self, api, make_api, app, path):
        api.record("1")
        assert make_api(app, scopes=["read"]).get(path).status == 200

    @pytest.mark.parametrize("path", PATHS)
    def test_a_parameter_that_is_misspelt_is_refused(self, api, path):
        api.get(path, perod="2026-04").invalid("perod")


def test_a_record_is_read_at_any_time_from_the_first_to_the_last_year(api, engine, clock):
    """The first month that can be named, and the last one."""
    engine.record(delta("5"))
    assert month(customer(api, period="0001-01")) == [0, 0, 0, 0, 0]
    assert month(customer(api, period="9999-12")) == [0, 0, 0, 5, 5]
    clock.now = to_microseconds("2026-12-31T23:59:59.999999Z")
    clock.tick = 0
    engine.record(delta("6"))
    assert customer(api)["period"] == "2026-12"
    assert month(customer(api, period="2026-12"))[:2] == [1, 6]
