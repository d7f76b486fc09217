"""Deliveries over HTTP: a tenant's own, without anything of where they go, and sent again by hand."""

import pytest

from counterfoil.core.timestamp import format_time
from counterfoil.engine.webhook_deliveries import STATUSES, settle
from counterfoil.engine.webhooks import remove_webhook
from tests.engine.outbox import DOWN, GONE, OK, due, event_id, hook, spread_all, stored
from tests.support import seeded

UNKNOWN = f"delta.verified.0x{'0' * 40}.1"


@pytest.fixture
def announced(api, store):
    """A delta under a checkpoint, spread to a webhook: three events."""
    webhook = hook(store)
    api.record("5")
    assert api.post("checkpoint", {"customerId": "alice"}).status == 201
    spread_all(store)
    return webhook


def let_meet(store, *attempts):
    """Let deliveries meet these, one each."""
    taken = due(store)[: len(attempts)]
    settle(
        store, [(each.delivery, attempt) for each, attempt in zip(taken, attempts, strict=True)],
        randomness=seeded(),
    )  # fmt: skip
    return [event_id(each.delivery) for each in taken]


class TestListing:
    def test_where_there_are_none_the_list_is_empty(self, api):
        assert api.get("webhooks").data == {"deliveries": [], "total": 0, "limit": 100, "offset": 0}

    def test_a_delivery_says_how_it_stands(self, api, store, announced):
        pending, delivered, failed = let_meet(store, DOWN, OK, GONE)
        found = {each["eventId"]: each for each in api.get("webhooks").data["deliveries"]}
        rows = {event_id(each): each for each in stored(store)}
        assert found == {
            name: {
                "eventId": name,
                "event": rows[name].kind,
                "webhookId": announced.webhook_id,
                "status": status,
                "attempts": 1,
                "nextAttemptAt": due_at,
                "createdAt": format_time(rows[name].created_at),
                "lastOutcome": outcome,
            }
            for name, status, due_at, outcome in (
                (pending, "pending", format_time(rows[pending].due_at), "HTTP 503"),
                (delivered, "delivered", None, "HTTP 204"),
                (failed, "failed", None, "HTTP 410"),
            )
        }

    @pytest.mark.usefixtures("announced")
    def test_before_the_first_attempt_there_is_no_outcome(self, api):
        assert {each["lastOutcome"] for each in api.get("webhooks").data["deliveries"]} == {None}

    @pytest.mark.usefixtures("announced")
    def test_one_status_alone_is_listed(self, api, store):
        let_meet(store, OK)
        found = {status: api.get("webhooks", status=status).data for status in STATUSES}
        assert {status: data["total"] for status, data in found.items()} == {
            "pending": 2,
            "delivered": 1,
            "failed": 0,
        }
        assert all(each["status"] == status for status, data in found.items() for each in data["deliveries"])

    @pytest.mark.usefixtures("announced")
    def test_a_page_is_a_part_of_the_whole(self, api):
        whole = api.get("webhooks").data["deliveries"]
        pages = [api.get("webhooks", limit=2, offset=offset).data for offset in (0, 2, 4)]
        assert [each for page in pages for each in page["deliveries"]] == whole
        assert [(page["total"], page["limit"], page["offset"]) for page in pages] == [
            (3, 2, 0),
            (3, 2, 2),
            (3, 2, 4),
        ]

    @pytest.mark.usefixtures("announced")
    def test_where_a_webhook_leads_is_not_shown(self, api):
        shown = api.get("webhooks").text
        assert "hooks.example.com" not in shown
        assert "token" not in shown

    @pytest.mark.usefixtures("announced")
    def test_another_tenants_are_not_listed(self, theirs):
        assert theirs.get("webhooks").data["total"] == 0

    @pytest.mark.parametrize(
        ("name", "value"),
        [("status", "sent"), ("limit", "0"), ("limit", "1001"), ("offset", "-1"), ("page", "1")],
    )
    def test_a_parameter_that_breaks_its_rule_is_refused(self, api, name, value):
        api.get("webhooks", **{name: value}).invalid(name)

    def test_a_key_is_needed(self, app, make_api):
        make_api(app, scopes=("write",)).get("webhooks").refused(
            "insufficient-scope", 403, "INSUFFICIENT_SCOPE"
        )


class TestRetrying:
    @pytest.mark.usefixtures("announced")
    def test_an_event_is_due_at_once(self, api, store, announced):
        [name] = let_meet(store, GONE)
        data = api.post(f"webhooks/{name}/retry", {}).data
        [delivery] = data["deliveries"]
        assert data["eventId"] == delivery["eventId"] == name
        assert (delivery["status"], delivery["webhookId"]) == ("pending", announced.webhook_id)
        assert name in {event_id(each.delivery) for each in due(store)}

    @pytest.mark.usefixtures("announced")
    def test_no_body_is_needed(self, api, store):
        [name] = let_meet(store, OK)
        assert api.call("POST", f"/api/v1/balance/webhooks/{name}/retry").status == 200
        assert [each.status for each in stored(store)] == ["pending"] * 3

    @pytest.mark.usefixtures("announced")
    def test_a_body_that_says_something_is_refused(self, api, store):
        [name] = let_meet(store, OK)
        api.post(f"webhooks/{name}/retry", {"url": "https://example.com"}).invalid("url")
        api.post(f"webhooks/{name}/retry", "[]").refused("malformed", 400, "VALIDATION_ERROR")
        assert "delivered" in {each.status for each in stored(store)}

    @pytest.mark.parametrize("name", [UNKNOWN, "delta.verified", "x", "%2e%2e"])
    def test_an_event_that_is_not_there_is_not_found(self, api, name):
        api.post(f"webhooks/{name}/retry", {}).refused("record-not-found", 404, "NOT_FOUND")

    @pytest.mark.usefixtures("announced")
    def test_another_tenants_event_is_as_if_it_were_not_there(self, theirs, store):
        name = event_id(stored(store)[0])
        absent = theirs.post(f"webhooks/{UNKNOWN}/retry", {})
        found = theirs.post(f"webhooks/{name}/retry", {})
        found.refused("record-not-found", 404, "NOT_FOUND")
        assert found.shown == absent.shown

    def test_an_event_of_a_removed_webhook_is_not_found(self, api, store, announced):
        [name] = let_meet(store, OK)
        remove_webhook(store, "default", announced.webhook_id)
        api.post(f"webhooks/{name}/retry", {}).refused("record-not-found", 404, "NOT_FOUND")

    @pytest.mark.usefixtures("announced")
    def test_a_key_that_may_write_is_needed(self, app, make_api, store):
        name = event_id(stored(store)[0])
        reader = make_api(app, scopes=("read",))
        reader.post(f"webhooks/{name}/retry", {}).refused("insufficient-scope", 403, "INSUFFICIENT_SCOPE")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_no_webhook_is_configured_over_http(api, store, method):
    body = {"url": "https://example.com", "events": ["delta.verified"]}
    refusal = api.call(method, "/api/v1/balance/webhooks", json=body)
    refusal.refused("method-not-allowed", 405, "METHOD_NOT_ALLOWED")
    with store.read() as view:
        assert view.webhooks(None) == []
