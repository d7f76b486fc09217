"""Checkpoints over HTTP: of one customer, of all, of a period that is over; and listed."""

import pytest

from counterfoil.engine import closing
from counterfoil.engine.checkpoint import checkpoint_many
from counterfoil.engine.engine import Engine
from counterfoil.engine.windows import parse_month
from counterfoil.engine.worker import work_through
from counterfoil.limits import PAGE_ITEMS_MAX
from tests.support import OPERATOR, SECOND, delta, erase, recorded, respelled, sql
from tests.web.api import exactly, in_memory

APRIL, MAY = parse_month("2026-04"), parse_month("2026-05")
DAY = 86_400 * SECOND
NOBODY = ("customer-not-found", 404, "CUSTOMER_NOT_FOUND")
COMBINATION = ("invalid-scope-combination", 400, "INVALID_SCOPE_COMBINATION")


def checkpoint(api, customer="alice", **members):
    return api.post("checkpoint", {"customerId": customer, **members})


def listed(api, **query):
    return api.get("checkpoints", **query).data


def sizes(data):
    return [each["size"] for each in data["checkpoints"]]


class TestOfOneCustomer:
    def test_it_puts_everything_under_a_signed_root(self, api, engine):
        recorded(engine, 2)
        answer = checkpoint(api)
        [made] = engine.checkpoints("alice")
        reference = f"0x{engine.log_of('alice').hex()}"
        assert answer.status == 201
        assert answer.data == {
            "customerId": "alice",
            "checkpointId": f"chk_{reference}.4",
            "customerReference": reference,
            "proofRoot": f"0x{made.root.hex()}",
            "status": "VERIFIED",
            "outcome": "signed",
            "size": 4,
            "verifiedThroughAt": engine.customer("alice").verified_through_at,
            "verificationReference": f"chk_{reference}.4",
            "scope": None,
        }

    def test_with_nothing_new_it_is_the_same_one(self, api, engine):
        recorded(engine, 2)
        first, again = checkpoint(api), checkpoint(api)
        assert (again.status, again.data["outcome"]) == (200, "unchanged")
        assert again.data == first.data | {"outcome": "unchanged"}
        assert len(list(engine.checkpoints("alice"))) == 1

    def test_with_something_new_it_is_another(self, api):
        api.record("1")
        first = checkpoint(api).data
        api.record("1")
        second = checkpoint(api).data
        assert (first["size"], second["size"]) == (3, 5)
        assert first["proofRoot"] != second["proofRoot"]

    def test_it_leaves_other_customers_alone(self, api, engine):
        recorded(engine, 1, "alice")
        recorded(engine, 1, "bob")
        checkpoint(api)
        assert engine.customer("bob").verified_through_at is None

    def test_without_a_delta_there_is_no_customer(self, api):
        checkpoint(api).refused(*NOBODY)

    def test_another_tenants_customer_is_none(self, api, theirs):
        before = checkpoint(api).shown
        theirs.record("1")
        assert checkpoint(api).shown == before
        assert listed(theirs)["checkpoints"] == []

    def test_a_key_that_may_only_read_makes_none(self, make_api, app, api, engine):
        api.record("1")
        answer = checkpoint(make_api(app, scopes=["read"]))
        answer.refused("insufficient-scope", 403, "INSUFFICIENT_SCOPE")
        assert list(engine.checkpoints("alice")) == []

    @in_memory
    @pytest.mark.parametrize(
        ("members", "field"),
        [
            ({"fingerprints": ["aa"]}, "fingerprints"),
            ({"fingerprints": []}, "fingerprints"),
            ({"mode": "subset"}, "mode"),
            ({"customerId": 7}, "customerId"),
            ({"customerId": "a b"}, "customerId"),
            ({"granularity": "month"}, "granularity"),
            ({"vendorAccountId": "v"}, "vendorAccountId"),
            ({"period": 7}, "period"),
        ],
    )
    def test_what_it_does_not_know_is_refused_and_nothing_is_left_out(self, api, engine, members, field):
        api.record("1")
        checkpoint(api, **members).invalid(field)
        assert list(engine.checkpoints("alice")) == []

    def test_members_that_are_null_are_as_absent(self, api):
        api.record("1")
        assert checkpoint(api, fingerprints=None, mode=None, period=None).status == 201


class TestOfAPeriod:
    @pytest.fixture
    def april(self, engine, clock):
        """April with two deltas and a checkpoint of the first one, seen from May."""
        engine.record(delta("1"))
        engine.checkpoint("alice")
        engine.record(delta("10"))
        clock.now = MAY.start + DAY
        return "2026-04"

    def test_one_that_is_over_is_closed_and_stays_so(self, api, engine, april):
        first = checkpoint(api, period=april)
        assert (first.status, first.data["outcome"]) == (201, "signed")
        assert first.data["verifiedThroughAt"] > "2026-05"
        for _ in range(2):
            engine.record(delta("100"))
            engine.checkpoint("alice")
            again = checkpoint(api, period=april)
            assert again.status == 200
            assert again.data == first.data | {"outcome": "unchanged"}

    def test_it_names_its_scope(self, api, april):
        assert checkpoint(api, period=april).data["scope"] == {
            "period": "2026-04",
            "startDate": "2026-04-01T00:00:00.000000Z",
            "endDate": "2026-05-01T00:00:00.000000Z",
        }

    def test_it_is_the_same_however_the_scope_is_named(self, api, april):
        first = checkpoint(api, period=april).data
        for members in (
            {"timePreset": "previous_month"},
            {"startDate": "2026-04-01", "endDate": "2026-05-01"},
            {"timePreset": "custom", "startDate": "2026-04-01", "endDate": "2026-05-01"},
        ):
            again = checkpoint(api, **members)
            assert again.data == first | {"outcome": "unchanged"}

    def test_where_the_worker_closed_it_nothing_is_signed(self, api, engine, store, april):
        assert [done.closing for done in work_through(store, OPERATOR)] == [False]
        closing = list(engine.checkpoints("alice"))[-1]
        answer = checkpoint(api, period=april)
        assert (answer.status, answer.data["size"]) == (200, closing.size)

    def test_where_another_worker_closes_it_meanwhile_theirs_stands(self, api, engine, april, monkeypatch):
        others = []

        def late(*arguments, **named):
            others.append(engine.checkpoint("alice").checkpoint)
            return checkpoint_many(*arguments, **named)

        monkeypatch.setattr(closing, "checkpoint_many", late)
        answer = checkpoint(api, period=april)
        [theirs] = others
        assert (answer.status, answer.data["outcome"]) == (200, "superseded")
        assert answer.data["size"] == theirs.size
        assert checkpoint(api, period=april).data == answer.data | {"outcome": "unchanged"}

    def test_one_with_nothing_new_is_sealed_once_more_to_close_it(self, api, engine, clock):
        engine.record(delta("1"))
        before = engine.checkpoint("alice")
        clock.now, clock.tick = MAY.start, 0
        answer = checkpoint(api, period="2026-04")
        assert answer.status == 201
        assert answer.data["size"] == before.checkpoint.size + 1
        assert answer.data["verifiedThroughAt"] == "2026-05-01T00:00:00.000000Z"

    def test_of_one_that_goes_on_it_is_the_newest(self, api, engine):
        engine.record(delta("1"))
        first = checkpoint(api, period="2026-04")
        assert (first.status, first.data["outcome"]) == (201, "signed")
        assert checkpoint(api, timePreset="current_month").data["size"] == first.data["size"]
        engine.record(delta("1"))
        assert checkpoint(api, period="2026-04").data["size"] > first.data["size"]

    def test_there_is_none_of_the_future(self, api, engine, clock):
        engine.record(delta("1"))
        checkpoint(api, period="2026-05").invalid("period")
        checkpoint(api, startDate="2026-05-01", endDate="2026-06-01").invalid("startDate")
        assert list(engine.checkpoints("alice")) == []
        clock.now = MAY.start
        assert checkpoint(api, period="2026-05").status == 201

    def test_without_a_delta_there_is_no_customer(self, api):
        checkpoint(api, period="2026-03").refused(*NOBODY)


class TestOfAllCustomers:
    def test_everyone_with_something_new_gets_one(self, api, engine):
        for name in ("alice", "bob", "carol"):
            recorded(engine, 1, name)
        engine.checkpoint("carol")
        answer = api.post("checkpoint", {})
        assert answer.status == 201
        data = answer.data
        assert (data["status"], data["refused"]) == ("VERIFIED", [])
        made = {each["customerReference"]: each for each in data["checkpoints"]}
        assert made.keys() == {f"0x{engine.log_of(name).hex()}" for name in ("alice", "bob")}
        for name in ("alice", "bob"):
            [newest] = engine.checkpoints(name)
            each = made[f"0x{engine.log_of(name).hex()}"]
            assert each == {
                "checkpointId": f"chk_{each['customerReference']}.{newest.size}",
                "customerReference": each["customerReference"],
                "proofRoot": f"0x{newest.root.hex()}",
                "status": "VERIFIED",
                "outcome": "signed",
                "size": newest.size,
                "verifiedThroughAt": engine.customer(name).verified_through_at,
                "verificationReference": each["checkpointId"],
            }

    def test_with_nothing_new_there_are_none(self, api, engine):
        recorded(engine, 1)
        api.post("checkpoint", {})
        answer = api.post("checkpoint", {})
        assert (answer.status, answer.data["checkpoints"]) == (200, [])

    def test_those_of_other_tenants_are_left_alone(self, api, theirs):
        theirs.record("1")
        api.record("1")
        assert len(api.post("checkpoint", {}).data["checkpoints"]) == 1
        assert listed(theirs)["checkpoints"] == []

    @in_memory
    def test_a_thousand_at_a_time(self, api, engine):
        engine.record_many([delta("1", f"cust_{number}") for number in range(PAGE_ITEMS_MAX + 1)])
        first = api.post("checkpoint", {}).data
        assert (len(first["checkpoints"]), first["status"]) == (PAGE_ITEMS_MAX, "QUEUED")
        rest = api.post("checkpoint", {}).data
        assert (len(rest["checkpoints"]), rest["status"]) == (1, "VERIFIED")

    def test_a_period_goes_with_one_customer(self, api):
        api.post("checkpoint", {"period": "2026-04"}).refused(*COMBINATION)
        api.post("checkpoint", {"timePreset": "current_month"}).refused(*COMBINATION)

    def test_one_that_is_damaged_is_named_and_holds_up_no_other(self, sqlite_api, sqlite_store):
        engine = Engine(sqlite_store, OPERATOR)
        for name in ("alice", "bob"):
            recorded(engine, 3, name)
        log = engine.log_of("alice")
        assert sql(sqlite_store, "UPDATE entries SET entry = x'7b7d' WHERE idx = 2 AND log = ?", log) == 1
        data = sqlite_api.post("checkpoint", {}).data
        assert data["refused"] == [{"customerReference": f"0x{log.hex()}", "code": "log-corrupt"}]
        assert [each["customerReference"] for each in data["checkpoints"]] == [
            f"0x{engine.log_of('bob').hex()}"
        ]
        checkpoint(sqlite_api).refused("log-corrupt", 503, "SERVICE_UNAVAILABLE")


class TestTheList:
    @pytest.fixture
    def filled(self, api, engine, clock):
        """Of alice a checkpoint at the end of April and two of May, of bob one of May, of carol none."""
        clock.tick = 0
        engine.record(delta("1"))
        for time in (MAY.start - 1, MAY.start, MAY.start + DAY):
            clock.now = time
            engine.checkpoint("alice", refresh=True)
        engine.record(delta("-0.5", "bob"))
        engine.checkpoint("bob")
        engine.record(delta("1", "carol"))
        return api

    def test_each_says_what_it_covers(self, filled, engine):
        [found] = listed(filled, customerId="bob")["checkpoints"]
        [made] = engine.checkpoints("bob")
        reference = f"0x{engine.log_of('bob').hex()}"
        sealed = engine.customer("bob").verified_through_at
        assert found == {
            "checkpointId": f"chk_{reference}.3",
            "customerId": "bob",
            "customerReference": reference,
            "proofRoot": f"0x{made.root.hex()}",
            "status": "VERIFIED",
            "size": 3,
            "deltaCount": 1,
            "balance": exactly("-0.5"),
            "createdAt": sealed,
            "verifiedThroughAt": sealed,
            "verificationReference": f"chk_{reference}.3",
        }

    def test_of_a_customer_it_has_all_the_newest_first(self, filled):
        data = listed(filled, customerId="alice")
        assert sizes(data) == [5, 4, 3]
        assert data["scope"] is None

    def test_it_comes_in_pages(self, filled):
        pages = [listed(filled, customerId="alice", limit=2, offset=offset) for offset in (0, 1, 2, 3)]
        assert [sizes(page) for page in pages] == [[5, 4], [4, 3], [3], []]
        assert [page["pagination"] for page in pages] == [
            {"limit": 2, "offset": 0, "hasMore": True},
            {"limit": 2, "offset": 1, "hasMore": False},
            {"limit": 2, "offset": 2, "hasMore": False},
            {"limit": 2, "offset": 3, "hasMore": False},
        ]

    def test_a_scope_holds_those_whose_seals_lie_in_it(self, filled):
        assert sizes(listed(filled, customerId="alice", period="2026-04")) == [3]
        assert sizes(listed(filled, customerId="alice", period="2026-05")) == [5, 4]
        assert sizes(listed(filled, customerId="alice", period="2026-03")) == []
        assert sizes(listed(filled, customerId="alice", period="2026-05", offset=1)) == [4]
        data = listed(filled, customerId="alice", timePreset="previous_month")
        assert (sizes(data), data["scope"]["period"]) == ([3], "2026-04")

    def test_without_a_customer_it_has_the_newest_of_each(self, filled):
        found = listed(filled)["checkpoints"]
        assert [(each["customerId"], each["size"]) for each in found] == [("alice", 5), ("bob", 3)]
        found = listed(filled, period="2026-04")["checkpoints"]
        assert [(each["customerId"], each["size"]) for each in found] == [("alice", 3)]

    def test_these_pages_are_of_customers(self, filled):
        pages = [listed(filled, limit=1, offset=offset) for offset in (0, 1, 2, 3)]
        assert [sizes(page) for page in pages] == [[5], [3], [], []]
        assert [page["pagination"]["hasMore"] for page in pages] == [True, True, False, False]

    def test_it_has_twenty_five_where_nothing_is_said(self, api, engine):
        recorded(engine, 1)
        for _ in range(26):
            engine.checkpoint("alice", refresh=True)
        data = listed(api, customerId="alice")
        assert (len(data["checkpoints"]), data["pagination"]["hasMore"]) == (25, True)

    def test_of_a_customer_whose_name_was_erased_it_is_not_said(self, filled, engine, store):
        erase(store, engine.log_of("bob"), 0)
        [found] = listed(filled, customerId="bob")["checkpoints"]
        assert (found["customerId"], found["size"]) == (None, 3)

    @in_memory
    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"limit": 0}, "limit"),
            ({"limit": 1_001}, "limit"),
            ({"offset": -1}, "offset"),
            ({"page": 1}, "page"),
            ({"customerId": "a b"}, "customerId"),
        ],
    )
    def test_what_it_does_not_know_is_refused(self, api, query, field):
        api.get("checkpoints", **query).invalid(field)

    def test_without_a_delta_there_is_no_customer(self, api):
        api.get("checkpoints", customerId="alice").refused(*NOBODY)

    def test_another_tenants_are_not_there(self, api, theirs):
        for query in ({}, {"customerId": "alice"}):
            before = api.get("checkpoints", **query).shown
            theirs.record("1")
            checkpoint(theirs)
            assert api.get("checkpoints", **query).shown == before

    def test_a_key_that_may_only_write_lists_none(self, make_api, app):
        answer = make_api(app, scopes=["write"]).get("checkpoints")
        answer.refused("insufficient-scope", 403, "INSUFFICIENT_SCOPE")

    def test_one_whose_signature_does_not_hold_is_not_listed(self, sqlite_api, sqlite_store):
        engine = Engine(sqlite_store, OPERATOR)
        recorded(engine, 1)
        engine.checkpoint("alice")
        assert sql(sqlite_store, respelled("note", "— ", "— x", "true")) == 1
        for query in ({}, {"customerId": "alice"}):
            answer = sqlite_api.get("checkpoints", **query)
            answer.refused("log-corrupt", 503, "SERVICE_UNAVAILABLE")
            assert answer.document["detail"] == answer.document["title"]
