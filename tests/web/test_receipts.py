"""Receipts of a period over HTTP: what it adds up to under one checkpoint, final or not."""

import pytest

from counterfoil.engine.engine import Engine
from counterfoil.engine.windows import parse_month
from counterfoil.web.state import Settings
from tests.support import OPERATOR, SECOND, delta, erase, recorded, respelled, sql
from tests.web.api import exactly, in_memory, value
from tests.web.conftest import PUBLIC_URL

APRIL, MAY = parse_month("2026-04"), parse_month("2026-05")
DAY = 86_400 * SECOND
NOBODY = ("customer-not-found", 404, "CUSTOMER_NOT_FOUND")
NOT_YET = ("not-yet-checkpointed", 409, "NOT_YET_VERIFIED")


def receipt(api, name="alice", **query):
    return api.get(f"receipt/{name}", **query).data


@pytest.fixture
def april(engine, clock):
    """Two deltas of April, one of May; all under a checkpoint of May."""
    clock.tick = 0
    engine.record(delta("500"))
    engine.record(delta("-12.5"))
    clock.now = MAY.start
    engine.record(delta("0.000000001"))
    return engine.checkpoint("alice")


class TestOfAMonthThatIsOver:
    def test_it_is_final(self, api, april, engine):
        reference = f"0x{engine.log_of('alice').hex()}"
        root = f"0x{april.checkpoint.root.hex()}"
        assert receipt(api, period="2026-04") == {
            "customerId": "alice",
            "customerReference": reference,
            "receiptId": f"chk_{reference}.5",
            "checkpointId": f"chk_{reference}.5",
            "generatedAt": "2026-05-01T00:00:00.000000Z",
            "period": "2026-04",
            "startDate": "2026-04-01T00:00:00.000000Z",
            "endDate": "2026-05-01T00:00:00.000000Z",
            "unit": "credits",
            "isFinal": True,
            "deltaCount": 2,
            "deltasCount": 2,
            "pendingCount": 0,
            "startingBalance": 0,
            "finalBalance": exactly("487.5"),
            "netChange": exactly("487.5"),
            "credits": 500,
            "debits": exactly("12.5"),
            "proofRoot": root,
            "verifiedThroughAt": april.verified_through_at,
            "verifyUrl": f"{PUBLIC_URL}/api/v1/verify/{root}",
            "verificationApiUrl": f"{PUBLIC_URL}/api/v1/verify/{root}",
        }

    def test_it_stays_the_same_whatever_comes_after(self, api, april, engine, clock):
        first = receipt(api, period="2026-04")
        assert first["verifiedThroughAt"] == april.verified_through_at
        for _ in range(2):
            clock.now += DAY
            engine.record(delta("1000"))
            engine.checkpoint("alice")
            again = receipt(api, period="2026-04")
            assert again["generatedAt"] > first["generatedAt"]
            assert again | {"generatedAt": None} == first | {"generatedAt": None}

    def test_an_instant_on_the_boundary_belongs_to_the_later_month(self, api, april):
        data = receipt(api, period="2026-05")
        assert (data["deltaCount"], data["netChange"]) == (1, exactly("0.000000001"))
        assert data["startingBalance"] == exactly("487.5")
        assert data["finalBalance"] == exactly("487.500000001")
        assert data["proofRoot"] == f"0x{april.checkpoint.root.hex()}"

    @pytest.mark.usefixtures("april")
    def test_months_add_up(self, api):
        march, spring, may = (receipt(api, period=period) for period in ("2026-03", "2026-04", "2026-05"))
        assert (march["deltaCount"], march["finalBalance"]) == (0, 0)
        assert march["finalBalance"] == spring["startingBalance"]
        assert spring["finalBalance"] == may["startingBalance"]
        for each in (march, spring, may):
            assert value(each["startingBalance"]) + value(each["netChange"]) == value(each["finalBalance"])
            assert value(each["credits"]) - value(each["debits"]) == value(each["netChange"])

    def test_a_seal_at_the_last_microsecond_makes_it_final(self, api, engine, clock):
        clock.tick = 0
        engine.record(delta("5"))
        clock.now = APRIL.end - 1
        engine.checkpoint("alice")
        assert receipt(api, period="2026-04")["isFinal"] is True

    def test_one_that_is_not_closed_is_not_final(self, api, engine, clock):
        clock.tick = 0
        engine.record(delta("5"))
        clock.now = APRIL.end - 2
        engine.checkpoint("alice")
        clock.now = APRIL.end + DAY
        assert receipt(api, period="2026-04")["isFinal"] is False
        engine.checkpoint("alice", refresh=True)
        assert receipt(api, period="2026-04")["isFinal"] is True


class TestOfAMonthThatGoesOn:
    def test_it_covers_what_is_verified_and_counts_the_rest(self, api, engine):
        engine.record(delta("5"))
        made = engine.checkpoint("alice")
        recorded(engine, 2, amount="7")
        data = receipt(api)
        assert (data["period"], data["isFinal"]) == ("2026-04", False)
        assert (data["deltaCount"], data["pendingCount"], data["finalBalance"]) == (1, 2, 5)
        assert data["proofRoot"] == f"0x{made.checkpoint.root.hex()}"

    def test_the_next_checkpoint_covers_more(self, api, engine):
        engine.record(delta("5"))
        engine.checkpoint("alice")
        engine.record(delta("7"))
        engine.checkpoint("alice")
        data = receipt(api)
        assert (data["deltaCount"], data["pendingCount"], data["finalBalance"]) == (2, 0, 12)

    def test_one_in_which_nothing_happened_yet_says_what_it_starts_with(self, api, engine, clock):
        engine.record(delta("5"))
        engine.checkpoint("alice")
        clock.now = MAY.start + DAY
        data = receipt(api)
        assert (data["period"], data["deltaCount"], data["isFinal"]) == ("2026-05", 0, False)
        assert (data["startingBalance"], data["finalBalance"]) == (5, 5)

    def test_any_other_window_will_do(self, api, april):
        second = api.get("customers/alice", period="2026-04").data["recentActivity"]["items"][0]["time"]
        data = receipt(api, startDate=second, endDate="2026-05-01T00:00:00.000001Z")
        assert (data["period"], data["deltaCount"]) == (None, 2)
        assert (data["startingBalance"], data["finalBalance"]) == (500, exactly("487.500000001"))
        assert data["isFinal"] is True
        assert data["proofRoot"] == f"0x{april.checkpoint.root.hex()}"
        assert receipt(api, timePreset="last_3_months")["deltaCount"] == 3


class TestNotYet:
    @pytest.mark.parametrize("path", ["receipt/alice", "invoice-proof/alice"])
    def test_before_the_first_checkpoint_there_is_none(self, api, path):
        api.record("5")
        answer = api.get(path)
        answer.refused(*NOT_YET)
        assert answer.headers["retry-after"] == "1"

    def test_a_starting_balance_that_no_root_covers_is_not_claimed(self, api, engine, clock):
        engine.record(delta("5"))
        engine.checkpoint("alice")
        engine.record(delta("7"))
        clock.now = MAY.start
        engine.record(delta("9"))
        api.get("receipt/alice", period="2026-05").refused(*NOT_YET)
        assert receipt(api, period="2026-04")["pendingCount"] == 1
        engine.checkpoint("alice")
        assert receipt(api, period="2026-05")["startingBalance"] == 12

    def test_there_is_none_of_the_future(self, api, engine):
        engine.record(delta("5"))
        engine.checkpoint("alice")
        api.get("receipt/alice", period="2026-05").invalid("period")
        api.get("receipt/alice", startDate="2026-05-01", endDate="2026-05-02").invalid("startDate")


class TestInvoiceProof:
    @pytest.mark.usefixtures("april")
    def test_it_is_the_receipt_and_there_are_no_links(self, api):
        for query in ({}, {"period": "2026-04"}, {"timePreset": "last_3_months"}):
            proof = api.get("invoice-proof/alice", **query).data
            assert proof == receipt(api, **query) | {
                "accessHint": None,
                "customerLinkUrl": None,
                "customerLinkHost": None,
            }


class TestDigits:
    def test_every_one_of_them_is_there(self, api, engine, clock):
        recorded(engine, 3, amount="999999999999999999.999999999")
        clock.now = MAY.start
        engine.record(delta("-0.000000001"))
        engine.checkpoint("alice")
        data = receipt(api, period="2026-05")
        assert data["startingBalance"] == exactly("2999999999999999999.999999997")
        assert data["finalBalance"] == exactly("2999999999999999999.999999996")
        assert (data["netChange"], data["debits"]) == (exactly("-0.000000001"), exactly("0.000000001"))


class TestWhoMayAsk:
    @pytest.mark.parametrize("path", ["receipt/alice", "invoice-proof/alice"])
    def test_without_a_delta_there_is_no_customer(self, api, path):
        api.get(path).refused(*NOBODY)

    @pytest.mark.parametrize("path", ["receipt/alice", "invoice-proof/alice"])
    def test_another_tenants_customer_is_none(self, api, theirs, path):
        before = api.get(path).shown
        theirs.record("1")
        theirs.post("checkpoint", {"customerId": "alice"})
        assert theirs.get(path).status == 200
        assert api.get(path).shown == before

    @in_memory
    @pytest.mark.parametrize("path", ["receipt/alice", "invoice-proof/alice"])
    def test_what_it_does_not_know_is_refused(self, api, path):
        api.get(path, size=5).invalid("size")
        api.get(f"{path[:-5]}a%20b").invalid("customerId")

    @in_memory
    @pytest.mark.parametrize("path", ["receipt/alice", "invoice-proof/alice"])
    def test_a_key_that_may_only_write_gets_none(self, make_api, app, path):
        make_api(app, scopes=["write"]).get(path).refused("insufficient-scope", 403, "INSUFFICIENT_SCOPE")


@pytest.mark.usefixtures("april")
def test_erased_details_change_nothing(api, engine, store):
    before = receipt(api, period="2026-04")
    for index in (0, 1, 2):
        erase(store, engine.log_of("alice"), index)
    assert receipt(api, period="2026-04") == before


def test_a_checkpoint_whose_signature_does_not_hold_gives_none(sqlite_api, sqlite_store):
    engine = Engine(sqlite_store, OPERATOR)
    recorded(engine, 1)
    engine.checkpoint("alice")
    assert sql(sqlite_store, respelled("note", "— ", "— x", "true")) == 1
    answer = sqlite_api.get("receipt/alice")
    answer.refused("log-corrupt", 503, "SERVICE_UNAVAILABLE")
    assert answer.document["detail"] == answer.document["title"]


class TestWithoutAnAddressOfTheServer:
    @pytest.fixture
    def settings(self):
        return Settings()

    @pytest.mark.usefixtures("april")
    def test_links_are_paths(self, api):
        data = receipt(api)
        assert data["verifyUrl"] == data["verificationApiUrl"] == f"/api/v1/verify/{data['proofRoot']}"
