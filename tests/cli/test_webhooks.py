"""The operator says where events go, on the command line alone."""

import pytest

from counterfoil.engine.clock import HostClock
from counterfoil.engine.webhook_deliveries import settle
from counterfoil.storage import open_store
from tests.cli.conftest import record_id
from tests.engine.outbox import DOWN, GONE, due, spread_all
from tests.support import seeded

URL = "https://hooks.example.com/counterfoil"
UNKNOWN = f"delta.verified.0x{'0' * 40}.1"


def added(call, *options):
    return call("webhook", "add", URL, *options, "--json").findings[0]


@pytest.fixture
def shop(book):
    """A delta under a checkpoint, spread to a webhook as a server does it: three events."""
    added(book)
    assert book("record", "cust_001", "5", "--reason", "x").status == 0
    assert book("checkpoint", "cust_001").status == 0
    in_store(spread_all)
    return book


def in_store(do):
    store = open_store("sqlite:///counterfoil.db", clock=HostClock())
    try:
        return do(store)
    finally:
        store.close()


def let_meet(attempt):
    in_store(
        lambda store: settle(store, [(each.delivery, attempt) for each in due(store)], randomness=seeded())
    )


class TestAdd:
    def test_it_says_the_id_and_the_secret(self, book):
        added_now = book("webhook", "add", URL)
        assert added_now.status == 0
        said = dict(line.split(maxsplit=1) for line in added_now.lines)
        assert said["url"] == URL
        assert said["events"] == "checkpoint.verified customer.created delta.verified"
        assert book("webhook", "secret", said["webhook"]).lines == [said["secret"]]

    def test_it_takes_the_events_that_are_named(self, book):
        found = added(book, "--event", "delta.verified", "--event", "customer.created")
        assert found["events"] == ["customer.created", "delta.verified"]
        assert (found["secretVersion"], found["overlapUntil"]) == (1, None)

    @pytest.mark.parametrize(
        "url",
        ["http://hooks.example.com/", "hooks.example.com", "https://u:p@example.com/", "http://[x"],
    )
    def test_a_url_that_is_none_is_refused(self, book, url):
        refusal = book("webhook", "add", url)
        assert (refusal.status, refusal.code) == (14, "invalid-field")
        assert book("webhook", "list", "--json").findings == []

    def test_http_is_taken_where_it_is_allowed(self, book):
        taken = book("webhook", "add", "http://10.0.0.1/", "--allow-http")
        assert taken.status == 0
        assert "--allow-private-webhooks" in taken.err

    def test_a_refusal_of_http_names_what_allows_it(self, book):
        assert "--allow-http" in book("webhook", "add", "http://10.0.0.1/").err

    def test_an_event_that_there_is_none_of_is_refused(self, book):
        assert book("webhook", "add", URL, "--event", "delta.stored").status == 2

    def test_a_query_is_shown_nowhere(self, book):
        outcomes = [
            book("webhook", "add", f"{URL}?token=abc"),
            book("webhook", "list"),
            book("webhook", "list", "--json"),
        ]
        assert all("?..." in each.out and "abc" not in each.out for each in outcomes)

    def test_keys_of_another_store_make_no_secret(self, book):
        assert book("init", "--keys", "others", "--store", "sqlite:///others.db").status == 0
        assert book("webhook", "add", URL, "--keys", "others").code == "key-mismatch"


class TestList:
    def test_without_webhooks_it_says_so(self, book):
        assert book("webhook", "list").out.startswith("no webhooks yet")
        assert book("webhook", "list", "--json").out == ""

    def test_it_shows_each_without_its_secret(self, book):
        first, second = added(book), added(book, "--event", "delta.verified")
        shown = book("webhook", "list", "--json").findings
        assert shown == [{name: each[name] for name in each if name != "secret"} for each in (first, second)]
        assert "whsec" not in book("webhook", "list").out

    def test_it_shows_those_of_the_tenant_alone(self, book):
        added(book, "--tenant", "other")
        assert book("webhook", "list", "--json").findings == []
        assert len(book("webhook", "list", "--json", "--tenant", "other").findings) == 1


class TestRotate:
    def test_it_says_the_new_secret_and_how_long_the_old_one_is_good(self, book):
        old = added(book)
        [new] = book("webhook", "rotate", old["webhookId"], "--json").findings
        assert new["secret"] != old["secret"]
        assert (new["secretVersion"], new["overlapUntil"] is None) == (2, False)
        assert book("webhook", "secret", old["webhookId"]).lines == [new["secret"]]
        assert "signs as well until" in book("webhook", "rotate", old["webhookId"]).out

    def test_without_an_overlap_the_old_one_ends_at_once(self, book):
        old = added(book)
        [new] = book("webhook", "rotate", old["webhookId"], "--overlap", "0", "--json").findings
        assert new["overlapUntil"] is None


class TestRemove:
    def test_it_is_gone(self, book):
        webhook = added(book)
        assert book("webhook", "remove", webhook["webhookId"]).lines == [f"removed  {webhook['webhookId']}"]
        assert book("webhook", "list", "--json").findings == []


@pytest.mark.parametrize("name", ["remove", "rotate", "secret"])
def test_a_webhook_that_is_not_there_or_another_tenants_is_not_found(book, name):
    webhook = added(book, "--tenant", "other")
    for webhook_id in ("wh_1", webhook["webhookId"]):
        refusal = book("webhook", name, webhook_id)
        assert (refusal.status, refusal.code) == (14, "not-found")


class TestDeliveries:
    def test_without_any_it_says_so(self, book):
        assert book("webhook", "deliveries").out.startswith("no deliveries")

    def test_it_shows_how_each_stands(self, shop):
        let_meet(DOWN)
        [found, *_] = shop("webhook", "deliveries", "--json").findings
        assert (found["status"], found["attempts"], found["lastOutcome"]) == ("pending", 1, "HTTP 503")
        lines = shop("webhook", "deliveries").lines
        assert len(lines) == 3
        assert all("1 attempt, last HTTP 503, next at 20" in line for line in lines)

    def test_it_shows_those_of_one_status(self, shop):
        let_meet(GONE)
        assert shop("webhook", "deliveries", "--status", "pending", "--json").findings == []
        assert len(shop("webhook", "deliveries", "--status", "failed", "--json").findings) == 3

    def test_it_says_that_there_are_more_than_it_shows(self, shop):
        outcome = shop("webhook", "deliveries", "--limit", "2", "--json")
        assert len(outcome.findings) == 2
        assert "1 more" in outcome.err


class TestRetry:
    def test_an_event_is_due_again(self, shop):
        let_meet(GONE)
        name = f"delta.verified.{record_id(shop, 1)}"
        [line] = shop("webhook", "retry", name).lines
        assert line.startswith(f"pending    {name}  wh_")
        assert len(shop("webhook", "deliveries", "--status", "failed", "--json").findings) == 2

    def test_one_that_is_not_there_is_not_found(self, shop):
        refusal = shop("webhook", "retry", UNKNOWN)
        assert (refusal.status, refusal.code) == (14, "record-not-found")
