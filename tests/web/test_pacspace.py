"""PacSpace's own Python client, as it is published, against a server of ours: base_url is all that is changed.

The server is the one of `counterfoil serve`, over SQLite and a socket, with its background work; only the processes are
threads here.  Every test has a tenant of its own.  The clock is the host's, because that is the one that the client
reads.
"""

import itertools
import secrets
import shutil
import socket
import threading
import time

import httpx
import pytest
from pacspace_sdk import (
    InvalidApiKeyError,
    InvalidScopeCombinationError,
    NotFoundError,
    PacSpace,
    PacSpaceError,
    RateLimitError,
    ScopeTooWideError,
    ServiceUnavailableError,
)
from pacspace_sdk import TimeoutError as WaitedTooLongError

from counterfoil.core.receipt import verify_receipt
from counterfoil.engine import apikeys
from counterfoil.engine.clock import HostClock
from counterfoil.engine.webhook_deliveries import Attempt
from counterfoil.engine.webhooks import add_webhook
from counterfoil.storage import open_store
from counterfoil.web.background import keep_working
from counterfoil.web.server import answer_requests
from counterfoil.web.state import Services, Settings
from tests.support import OPERATOR, empty_store_file, sql

# Whatever takes longer hangs.
PATIENCE_SECONDS = 30
# Of waiting for a checkpoint; the client counts in milliseconds.
QUICKLY = {"timeout": PATIENCE_SECONDS * 1_000, "pollInterval": 20}
QUEUE = {"autoStart": False, "maxRequestsPerMinute": 60_000, "autoFlushOnShutdown": False}
WINDOW = {"windowStart": "2026-04-01T00:00:00Z", "windowEnd": "2026-04-02T00:00:00Z"}


class Stop:
    """The wish to end."""

    def __init__(self):
        self._event = threading.Event()
        self.is_wanted = self._event.is_set
        self.wait = self._event.wait
        self.end = self._event.set


class Served:
    """A server in threads of this process, over a store in a file.

    Attributes:
        store: what it answers from.
        url: where it is.
        sent: events that went to webhooks.
    """

    def __init__(self, path, *, works=True, **settings):
        self.store = open_store(f"sqlite:///{path}", clock=HostClock())
        self.sent = []
        self._stop = Stop()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        services = Services(self.store, OPERATOR, Settings(public_url=self.url, **settings))
        answering = threading.Thread(target=answer_requests, args=(self._listener, services, self._stop))
        working = threading.Thread(target=self._work)
        self._threads = [answering, working] if works else [answering]
        self._tenants = itertools.count(1)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.end()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        self._listener.close()
        self.store.close()

    def _work(self):
        keep_working(self.store, OPERATOR, self._stop, self._send, checkpoint_seconds=0.02)

    def _send(self, outgoing):
        self.sent.append(outgoing)
        return Attempt(delivered=True, final=False, outcome="HTTP 204")

    def tenant(self):
        return f"tenant-{next(self._tenants)}"

    def key(self, tenant):
        return apikeys.create(
            self.store, tenant=tenant, scopes=["read", "write"], randomness=secrets.token_bytes
        ).text

    def client(self, tenant, **options):
        """PacSpace's client, which does not try again what was refused."""
        return PacSpace.init(self.key(tenant), base_url=self.url, **{"max_retries": 0} | options)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Where a store is that has its tables and nothing in them."""
    return lambda: shutil.copy(empty_store_file(), tmp_path_factory.mktemp("pacspace") / "store.db")


@pytest.fixture(scope="module")
def served(path):
    with Served(path()) as server:
        yield server


@pytest.fixture(scope="module")
def idle(path):
    """A server that does no background work."""
    with Served(path(), works=False) as server:
        yield server


@pytest.fixture(scope="module")
def limited(path):
    """A server that answers one request of a key, and then none for a while."""
    with Served(path(), works=False, rate_per_second=0.01) as server:
        yield server


@pytest.fixture
def tenant(served):
    return served.tenant()


@pytest.fixture
def pac(served, tenant):
    client = served.client(tenant, submission=QUEUE)
    yield client
    client.close()


@pytest.fixture
def verified(pac):
    """What the client says of a delta that is under a checkpoint."""
    return pac.balance.emit_and_wait("cust_001", 500, "initial_deposit", QUICKLY)


def until(condition):
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def last_month(period):
    year, month = map(int, period.split("-"))
    return f"{year - (month == 1)}-{(month - 2) % 12 + 1:02d}"


class TestRecording:
    def test_emit_records_a_delta(self, pac):
        data = pac.balance.emit("cust_001", -12.5, "api_call")
        assert (data["customerId"], data["delta"], data["status"]) == ("cust_001", -12.5, "QUEUED")
        assert data["recordId"] == data["receiptId"] == f"{data['customerReference']}.1"
        assert data["sequenceNumber"] == 1

    def test_a_double_is_recorded_as_it_is_written(self, pac):
        for amount in (0.1, 0.2, 1e15, 5e-7):
            pac.balance.emit("cust_001", amount, "usage")
        entry = pac.balance.emit("cust_001", -0.3, "usage")["entry"]
        assert (entry["credits"], entry["debits"]) == ("1000000000000000.3000005", "0.3")

    def test_what_else_is_said_is_kept(self, pac):
        options = {"referenceId": "line_001", "metadata": {"model": "aé", "rate": 1.5, "tags": ["a", None]}}
        pac.balance.emit("cust_001", 1, "usage", options)
        [item] = pac.balance.customer("cust_001")["recentActivity"]["items"]
        assert {name: item[name] for name in options} == options

    def test_headers_of_pacspaces_own_mean_nothing_here(self, pac):
        options = {"chainId": 295, "creditPoolId": 7}
        assert pac.balance.emit("cust_001", 1, "usage", options)["sequenceNumber"] == 1

    def test_the_same_under_one_key_is_recorded_once(self, pac):
        first, again = (pac.balance.emit("cust_001", 1, "usage", {"idempotencyKey": "k"}) for _ in range(2))
        assert again["recordId"] == first["recordId"]
        assert again["entry"] == first["entry"]
        assert pac.balance.customer("cust_001")["totalDeltas"] == 1

    def test_another_under_one_key_is_a_conflict(self, pac):
        pac.balance.emit("cust_001", 1, "usage", {"idempotencyKey": "k"})
        with pytest.raises(PacSpaceError) as caught:
            pac.balance.emit("cust_001", 2, "usage", {"idempotencyKey": "k"})
        assert (caught.value.status_code, caught.value.code) == (409, "IDEMPOTENCY_CONFLICT")
        assert pac.balance.customer("cust_001")["totalDeltas"] == 1

    @pytest.mark.parametrize("name", ["recordId", "referenceId"])
    def test_a_correction_names_what_it_corrects(self, pac, name):
        first = pac.balance.emit("cust_001", 10, "usage", {"referenceId": "line_001"})
        adjusts = {name: {"recordId": first["recordId"], "referenceId": "line_001"}[name]}
        second = pac.balance.emit("cust_001", -1, "correction", {"adjusts": adjusts})
        assert pac.balance.delta_status(second["recordId"])["adjusts"] == {"recordId": first["recordId"]}

    def test_a_correction_of_nothing_is_not_found(self, pac):
        reference = pac.balance.emit("cust_001", 1, "usage")["customerReference"]
        for adjusts in ({"referenceId": "nothing"}, {"recordId": f"{reference}.2"}):
            with pytest.raises(NotFoundError):
                pac.balance.emit("cust_001", -1, "correction", {"adjusts": adjusts})


class TestWaiting:
    def test_emit_and_wait_ends_with_the_checkpoint(self, verified):
        assert verified["status"] == "VERIFIED"
        assert verified["verifiedAt"] > verified["recordedAt"]
        assert verified["verificationReference"].startswith("chk_0x")
        assert verified["proofRoot"].startswith("0x")
        assert verified["dataPurged"] is False

    def test_what_was_waited_for_has_a_receipt_that_verifies_offline(self, served, tenant, verified):
        url = f"{served.url}/api/v1/balance/delta/{verified['recordId']}/receipt"
        accept = "application/vnd.counterfoil.receipt+json"
        answer = httpx.get(url, headers={"X-Api-Key": served.key(tenant), "Accept": accept})
        proven = verify_receipt(answer.content, OPERATOR.keys)
        assert (proven.customer_id, proven.entry.amount) == ("cust_001", 500 * 10**9)

    def test_a_status_is_asked_for_by_either_name(self, pac, verified):
        found = pac.balance.delta_status(verified["recordId"])
        assert found == verified == pac.balance.get_record_status(verified["recordId"])

    def test_wait_for_verified_ends_with_the_checkpoint(self, pac):
        record_id = pac.balance.emit("cust_001", 1, "usage")["recordId"]
        assert pac.balance.wait_for_verified(record_id, QUICKLY)["status"] == "VERIFIED"

    def test_what_is_not_there_is_not_found(self, pac):
        for record_id in ("nonsense", f"0x{'0' * 40}.1"):
            with pytest.raises(NotFoundError):
                pac.balance.delta_status(record_id)


class TestBalances:
    @pytest.fixture
    def period(self, pac):
        """The month in which there are 500 and -12.5, both verified: nothing about them changes any more."""
        pac.balance.emit("cust_001", 500, "initial_deposit")
        recorded = pac.balance.emit("cust_001", -12.5, "api_call")
        pac.balance.wait_for_verified(recorded["recordId"], QUICKLY)
        return recorded["recordedAt"][:7]

    def test_derive_adds_up_the_month(self, pac, period):
        data = pac.balance.derive("cust_001")
        assert (data["computedBalance"], data["deltasCount"], data["deltaCount"]) == (487.5, 2, 2)
        assert [each["delta"] for each in data["deltas"]] == [500, -12.5]
        assert data["latestReceiptId"] == data["deltas"][1]["recordId"]
        assert data["scope"]["period"] == period

    def test_it_is_the_same_by_every_way_to_name_the_month(self, pac, period):
        balance = pac.balance
        data = balance.derive("cust_001", {"period": period})
        assert balance.derive_current_month("cust_001") == data
        assert balance.derive_for_period("cust_001", period) == data
        assert balance.derive_months_back("cust_001", 1) == data

    @pytest.mark.usefixtures("period")
    @pytest.mark.parametrize("months", [1, 3, 12, 24])
    def test_so_many_months_back(self, pac, months):
        data = pac.balance.derive_months_back("cust_001", months)
        assert data["computedBalance"] == 487.5
        years, rest = divmod(months, 12)
        start, end = (data["scope"][name] for name in ("startDate", "endDate"))
        assert (int(end[:4]) - int(start[:4])) * 12 + int(end[5:7]) - int(start[5:7]) == 12 * years + rest

    @pytest.mark.usefixtures("period")
    def test_further_back_is_too_wide(self, pac):
        with pytest.raises(ScopeTooWideError):
            pac.balance.derive_months_back("cust_001", 25)

    def test_a_month_that_is_empty_is_one(self, pac, period):
        data = pac.balance.derive_for_period("cust_001", last_month(period), {"startingBalance": 7.25})
        assert (data["computedBalance"], data["deltas"], data["openingBalance"]) == (7.25, [], 0)

    @pytest.mark.usefixtures("period")
    def test_derive_takes_pages_and_a_starting_balance(self, pac):
        data = pac.balance.derive("cust_001", {"limit": 1, "offset": 1, "startingBalance": 100})
        assert (data["computedBalance"], data["deltaCount"]) == (587.5, 2)
        assert [each["delta"] for each in data["deltas"]] == [-12.5]

    @pytest.mark.parametrize("kind", ["proofRoot", "recordId"])
    def test_derive_begins_behind_a_checkpoint_or_a_delta(self, pac, verified, kind):
        pac.balance.emit("cust_001", -12.5, "api_call")
        start = {"startingCheckpoint": verified[kind], "startingCheckpointType": kind}
        data = pac.balance.derive("cust_001", start)
        assert (data["startingBalance"], data["computedBalance"], data["deltaCount"]) == (500, 487.5, 1)

    def test_both_ways_at_once_are_refused(self, pac, verified):
        start = {"startingCheckpoint": verified["proofRoot"], "startingBalance": 5}
        with pytest.raises(InvalidScopeCombinationError):
            pac.balance.derive("cust_001", start)
        with pytest.raises(InvalidScopeCombinationError):
            pac.balance.list_checkpoints({"period": "2026-04", "timePreset": "current_month"})

    @pytest.mark.usefixtures("period")
    def test_compare_holds_both_against_the_record(self, pac):
        data = pac.balance.compare("cust_001", {"yours": 487.5, "theirs": 500})
        assert (data["neutralBalance"], data["matchesYours"], data["matchesTheirs"]) == (487.5, True, False)

    def test_compare_takes_scopes_and_starts(self, pac, period, verified):
        balances = {"yours": 0, "theirs": 1}
        data = pac.balance.compare("cust_001", balances, {"period": last_month(period)})
        assert (data["neutralBalance"], data["matchesYours"]) == (0, True)
        start = {"startingCheckpoint": verified["proofRoot"], "startingCheckpointType": "proofRoot"}
        data = pac.balance.compare("cust_001", balances, start)
        assert (data["neutralBalance"], data["deltaCount"]) == (987.5, 0)

    @pytest.mark.usefixtures("period")
    def test_usage_counts_and_gaps_are_none(self, pac):
        usage = pac.balance.usage()
        assert (usage["used"], usage["allowed"], usage["remaining"]) == (2, None, None)
        gaps = pac.balance.gaps("cust_001", {"fromSequence": 1, "toSequence": 2, "limit": 10})
        assert (gaps["gaps"], gaps["checkedTo"], gaps["nextSequence"]) == ([], 2, None)


class TestCustomers:
    def test_they_are_listed_in_pages_and_searched(self, pac):
        for name in ("cust_1", "cust_2", "other"):
            pac.balance.emit(name, 1, "usage")
        page = pac.balance.customers({"limit": 2, "page": 2})
        assert [each["customerId"] for each in page["customers"]] == ["other"]
        assert page["pagination"] == {"page": 2, "limit": 2, "total": 3, "totalPages": 2}
        found = pac.balance.customers({"search": "cust"})
        assert [each["customerId"] for each in found["customers"]] == ["cust_1", "cust_2"]

    def test_a_record_has_its_month_and_a_page_of_its_deltas(self, pac):
        for amount in (1, 2, 3):
            last = pac.balance.emit("cust_001", amount, "usage")
        period = last["recordedAt"][:7]
        data = pac.balance.customer("cust_001", {"period": period, "deltaPage": 2, "deltaLimit": 2})
        assert (data["recordedThisPeriod"], data["recordedAmountThisPeriod"]) == (3, 6)
        assert [each["delta"] for each in data["recentActivity"]["items"]] == [1]
        empty = pac.balance.customer("cust_001", {"period": last_month(period)})
        assert (empty["recordedThisPeriod"], empty["mostRecentActivePeriod"]) == (0, period)

    def test_it_says_how_far_it_is_verified(self, pac, verified):
        data = pac.balance.customer("cust_001")
        assert (data["cumulativeBalance"], data["verifiedThisPeriod"]) == (500, 1)
        assert data["verifiedThroughAt"] == verified["verifiedAt"]
        assert data["latestCheckpoint"]["proofRoot"] == verified["proofRoot"]

    def test_one_that_is_not_there_is_not_found(self, pac):
        for call in (pac.balance.customer, pac.balance.derive, pac.balance.receipt, pac.balance.gaps):
            with pytest.raises(NotFoundError) as caught:
                call("nobody")
            assert caught.value.api_body["code"] == "CUSTOMER_NOT_FOUND"

    def test_another_tenants_is_not_found(self, served, pac):
        pac.balance.emit("cust_001", 1, "usage")
        with pytest.raises(NotFoundError):
            served.client(served.tenant()).balance.customer("cust_001")


class TestCheckpoints:
    def test_one_customer_gets_one_at_once(self, pac):
        pac.balance.emit("cust_001", 1, "usage")
        made = pac.balance.checkpoint("cust_001")
        assert (made["status"], made["size"] >= 3) == ("VERIFIED", True)
        assert made["checkpointId"] == f"chk_{made['customerReference']}.{made['size']}"
        assert pac.balance.customer("cust_001")["latestCheckpoint"]["proofRoot"] == made["proofRoot"]

    def test_all_customers_get_one_at_once(self, pac):
        for name in ("cust_1", "cust_2"):
            pac.balance.emit(name, 1, "usage")
        made = pac.balance.checkpoint()
        assert (made["status"], made["refused"]) == ("VERIFIED", [])
        listed = pac.balance.list_checkpoints()["checkpoints"]
        assert [each["customerId"] for each in listed] == ["cust_1", "cust_2"]

    def test_of_a_period_that_is_over_it_is_the_same_one(self, pac):
        period = last_month(pac.balance.emit("cust_001", 1, "usage")["recordedAt"][:7])
        first = pac.balance.checkpoint("cust_001", {"period": period})
        pac.balance.emit_and_wait("cust_001", 1, "usage", QUICKLY)
        again = pac.balance.checkpoint("cust_001", {"period": period})
        assert (again["checkpointId"], again["proofRoot"]) == (first["checkpointId"], first["proofRoot"])
        assert again["outcome"] == "unchanged"

    @pytest.mark.parametrize(
        "options", [{"fingerprints": ["aa"]}, {"mode": "subset"}], ids=["subset", "mode"]
    )
    def test_nothing_can_be_left_out(self, pac, options):
        pac.balance.emit("cust_001", 1, "usage")
        with pytest.raises(PacSpaceError) as caught:
            pac.balance.checkpoint("cust_001", options)
        assert (caught.value.status_code, caught.value.code) == (400, "VALIDATION_ERROR")

    def test_they_are_listed(self, pac, verified):
        period = verified["recordedAt"][:7]
        for options in ({}, {"period": period}, {"timePreset": "current_month", "limit": 1, "offset": 0}):
            listed = pac.balance.list_checkpoints({"customerId": "cust_001", **options})
            assert [each["proofRoot"] for each in listed["checkpoints"]] == [verified["proofRoot"]]
        before = {"customerId": "cust_001", "period": last_month(period)}
        assert pac.balance.list_checkpoints(before)["checkpoints"] == []


class TestReceipts:
    def test_one_of_the_month_that_goes_on(self, served, pac, verified):
        data = pac.balance.receipt("cust_001")
        assert (data["deltaCount"], data["startingBalance"], data["finalBalance"]) == (1, 0, 500)
        assert (data["isFinal"], data["proofRoot"]) == (False, verified["proofRoot"])
        assert data["verifyUrl"] == f"{served.url}/api/v1/verify/{verified['proofRoot']}"

    def test_one_of_a_period_comes_as_an_invoice_proof(self, pac, verified):
        period = verified["recordedAt"][:7]
        data = pac.balance.receipt("cust_001", {"period": period})
        proof = pac.balance.invoice_proof("cust_001", {"period": period})
        assert data | {"generatedAt": None} == proof | {"generatedAt": None}
        assert (data["period"], data["finalBalance"], data["customerLinkUrl"]) == (period, 500, None)

    def test_one_of_a_month_that_is_over_is_final(self, pac, verified):
        data = pac.balance.invoice_proof("cust_001", {"period": last_month(verified["recordedAt"][:7])})
        assert (data["isFinal"], data["deltaCount"], data["finalBalance"]) == (True, 0, 0)


class TestVerify:
    @pytest.mark.parametrize("source", [None, "db", "chain", "both"])
    def test_anybody_finds_the_checkpoint_of_a_root(self, pac, verified, source):
        data = pac.verify(verified["proofRoot"], source)
        assert (data["verified"], data["proofRoot"]) == (True, verified["proofRoot"])
        assert data["recordedAt"] == verified["verifiedAt"]
        assert (data["summary"]["recordCount"], data["records"]) == (1, [])

    def test_no_key_is_needed(self, served, verified):
        stranger = PacSpace.init("pk_test_none", base_url=served.url, max_retries=0)
        assert stranger.verify(verified["proofRoot"])["verified"] is True

    def test_a_root_of_nothing_is_not_found(self, pac):
        with pytest.raises(NotFoundError):
            pac.verify(f"0x{'00' * 32}")


class TestWebhooks:
    def test_deliveries_are_listed_and_sent_again(self, served, tenant, pac):
        add_webhook(served.store, tenant, "https://hooks.example.com/x", randomness=secrets.token_bytes)
        record_id = pac.balance.emit_and_wait("cust_001", 1, "usage", QUICKLY)["recordId"]
        event_id = f"delta.verified.{record_id}"

        def delivered():
            found = pac.balance.list_webhook_deliveries({"status": "delivered", "limit": 10, "offset": 0})
            return {each["eventId"]: each for each in found["deliveries"]}

        until(lambda: len(delivered()) == 3)
        assert delivered()[event_id]["lastOutcome"] == "HTTP 204"
        times = len(served.sent)
        assert pac.balance.retry_webhook(event_id)["eventId"] == event_id
        until(lambda: len(served.sent) == times + 1)

    def test_an_event_that_is_not_there_is_not_found(self, pac):
        with pytest.raises(NotFoundError):
            pac.balance.retry_webhook(f"delta.verified.0x{'0' * 40}.1")


class TestSummaries:
    def summary(self, customer="cust_001", delta=42.0):
        return {"customerId": customer, "delta": delta, **WINDOW}

    def counts(self, report):
        return [report[name] for name in ("attempted", "submitted", "replayed", "failed", "requestCount")]

    def test_a_summary_is_recorded_with_its_window(self, pac):
        queued = pac.balance.queue_summary(self.summary())
        assert pac.balance.get_summary_queue_state()["queuedCount"] == 1
        report = pac.balance.flush_summaries()
        assert self.counts(report) == [1, 1, 0, 0, 1]
        assert (report["queuedAfterFlush"], report["failures"]) == (0, [])
        [item] = pac.balance.customer("cust_001")["recentActivity"]["items"]
        assert (item["delta"], item["reason"]) == (42, "usage_summary")
        assert item["referenceId"] == queued["referenceId"]
        assert item["metadata"]["submissionType"] == "tenant_summary"
        assert item["metadata"]["summaryWindowStart"] == WINDOW["windowStart"]

    def test_the_same_again_is_replayed_and_counted_once(self, pac):
        for replayed in (0, 1, 1):
            pac.balance.queue_summary(self.summary())
            assert self.counts(pac.balance.flush_summaries()) == [1, 1, replayed, 0, 1]
        data = pac.balance.customer("cust_001")
        assert (data["totalDeltas"], data["computedBalance"]) == (1, 42)

    def test_another_total_of_the_window_is_another_delta(self, pac):
        for delta in (42.0, 43.0):
            pac.balance.queue_summary(self.summary(delta=delta))
            assert self.counts(pac.balance.flush_summaries()) == [1, 1, 0, 0, 1]
        assert pac.balance.customer("cust_001")["totalDeltas"] == 2

    def test_many_go_in_hundreds(self, pac):
        names = [f"cust_{number}" for number in range(101)]
        assert len(pac.balance.queue_summaries(map(self.summary, names))) == 101
        assert self.counts(pac.balance.flush_summaries()) == [101, 101, 0, 0, 2]
        assert pac.balance.customers()["pagination"]["total"] == 101

    def test_as_many_as_are_wanted_are_flushed(self, pac):
        pac.balance.queue_summaries(map(self.summary, ("cust_1", "cust_2", "cust_3")))
        report = pac.balance.flush_summaries({"maxItems": 2})
        assert (self.counts(report), report["queuedAfterFlush"]) == ([2, 2, 0, 0, 1], 1)

    def test_one_that_is_refused_stays_in_the_queue_and_others_do_not(self, pac):
        pac.balance.queue_summaries(map(self.summary, ("cust_1", "no customer", "cust_3")))
        report = pac.balance.flush_summaries()
        assert (self.counts(report), report["queuedAfterFlush"]) == ([3, 2, 0, 1, 1], 1)
        assert [each["customerId"] for each in report["failures"]] == ["no customer"]

    def test_the_queue_flushes_itself(self, served, tenant):
        pac = served.client(tenant, submission=QUEUE | {"cadenceMs": 20})
        pac.balance.queue_summary(self.summary())
        pac.balance.start_summary_scheduler()
        assert pac.balance.get_summary_queue_state()["isRunning"] is True
        until(lambda: pac.balance.get_summary_queue_state()["queuedCount"] == 0)
        pac.balance.stop_summary_scheduler()
        assert pac.balance.get_summary_queue_state()["isRunning"] is False
        assert pac.balance.customer("cust_001")["totalDeltas"] == 1

    def test_what_waits_at_the_end_is_flushed(self, served, tenant, pac):
        pac.balance.queue_summary(self.summary(delta=1.0))
        pac.balance.shutdown_summary_scheduler()
        assert pac.balance.customer("cust_001")["computedBalance"] == 1
        pac.balance.queue_summary(self.summary(delta=2.0))
        pac.shutdown()
        assert served.client(tenant).balance.customer("cust_001")["computedBalance"] == 3


class TestRefusals:
    def test_a_key_that_opens_nothing(self, served, tenant):
        key = served.key(tenant)
        for wrong in (key[:-1] + ("1" if key[-1] == "0" else "0"), "pk_test_x", key.replace("test", "live")):
            client = PacSpace.init(wrong, base_url=served.url, max_retries=0)
            with pytest.raises(InvalidApiKeyError):
                client.balance.usage()

    @pytest.mark.parametrize(
        ("customer", "delta", "reason"),
        [("cust_001", 0, "usage"), ("a b", 1, "usage"), ("cust_001", 1, ""), ("cust_001", 1e-10, "usage")],
    )
    def test_a_field_that_breaks_its_rule(self, pac, customer, delta, reason):
        # The client keeps its ValidationError for answers without a code.
        with pytest.raises(PacSpaceError) as caught:
            pac.balance.emit(customer, delta, reason)
        assert (caught.value.status_code, caught.value.code) == (400, "VALIDATION_ERROR")
        assert caught.value.message

    def test_a_window_that_is_too_wide(self, pac):
        pac.balance.emit("cust_001", 1, "usage")
        with pytest.raises(ScopeTooWideError):
            pac.balance.derive("cust_001", {"startDate": "2020-01-01", "endDate": "2026-01-01"})

    def test_too_many_requests(self, limited):
        pac = limited.client("acme")
        assert pac.balance.usage()["used"] == 0
        with pytest.raises(RateLimitError) as caught:
            pac.balance.usage()
        assert caught.value.code == "RATE_LIMITED"
        assert 0 < caught.value.retry_after <= 100

    def test_waiting_for_a_checkpoint_that_nobody_makes(self, idle):
        pac = idle.client("acme")
        with pytest.raises(WaitedTooLongError):
            pac.balance.emit_and_wait("cust_001", 1, "usage", {"timeout": 1, "pollInterval": 1})

    def test_a_store_that_somebody_changed(self, idle):
        pac = idle.client("acme")
        log = bytes.fromhex(pac.balance.emit("cust_002", 1, "usage")["customerReference"][2:])
        assert sql(idle.store, "UPDATE entries SET entry = x'7b7d' WHERE log = ? AND idx = 1", log) == 1
        with pytest.raises(ServiceUnavailableError) as caught:
            pac.balance.customer("cust_002")
        assert caught.value.retry_after == 30
