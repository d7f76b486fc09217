"""Webhooks are added, rotated and removed; their secrets follow from the reference key; what happens is announced."""

import hashlib
import hmac

import pytest

from counterfoil.engine.checkpoint import checkpoint_many
from counterfoil.engine.engine import Engine
from counterfoil.engine.webhooks import (
    EVENTS,
    OVERLAP_SECONDS,
    add_webhook,
    check_url,
    find_webhook,
    remove_webhook,
    rotate_webhook,
    sign_event,
    webhook_secret,
    webhooks_of,
)
from counterfoil.errors import EngineError
from counterfoil.limits import WEBHOOK_URL_CHARACTERS_MAX, WEBHOOKS_MAX
from tests.engine.outbox import URL, announced, hook
from tests.support import OPERATOR, SECOND, delta, operator_named, recorded, refused, seeded

DAY = 86_400 * SECOND


class TestUrl:
    @pytest.mark.parametrize(
        "url",
        [
            "https://example.com",
            "https://example.com:8443/a/b?c=d&e",
            "https://xn--bcher-kva.example/",
            "https://under_score.example/",
            "https://192.0.2.1/hook",
            "https://[2001:db8::1]:8443/hook",
            "https://example.com/path;with;parameters",
        ],
    )
    def test_an_https_url_is_taken_as_it_stands(self, url):
        assert check_url(url) == url

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "example.com",
            "//example.com/",
            "http://example.com/",
            "HTTP://example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "https://",
            "https:///path",
            "https://user@example.com/",
            "https://user:password@example.com/",
            "https://@example.com/",
            "https://example.com/#part",
            "https://example.com:0/",
            "https://example.com:65536/",
            "https://example.com:port/",
            "https://example.com./",
            "https://.example.com/",
            "https://bücher.example/",
            "https://example.com/a b",
            "https://example.com/\n",
            "https://exam\tple.com/",
            "https://good.example\\@evil.example/",
            "https://exa%6dple.com/",
            "https://[::1",
            "https://[fe80::1%25eth0]/",
            "https://[example.com]/",
            "https://[v1.a]/",
            "https://example.com/" + "a" * WEBHOOK_URL_CHARACTERS_MAX,
            None,
        ],
    )
    def test_everything_else_is_refused(self, url):
        with refused("invalid-field", "url"):
            check_url(url)

    def test_http_is_taken_where_it_is_allowed(self):
        assert check_url("http://example.com/", allow_http=True) == "http://example.com/"

    @pytest.mark.parametrize("url", ["ftp://example.com/", "http://user@example.com/", "javascript:alert(1)"])
    def test_with_http_the_rest_is_refused_as_before(self, url):
        with refused("invalid-field", "url"):
            check_url(url, allow_http=True)


class TestAdding:
    def test_a_webhook_wants_all_events_where_none_are_named(self, store, clock):
        at = clock.now
        webhook = hook(store)
        assert webhook.events.split() == sorted(EVENTS)
        assert (webhook.tenant, webhook.url) == ("default", URL)
        assert (webhook.secret_version, webhook.overlap_until, webhook.created_at) == (1, None, at)
        assert webhooks_of(store, "default") == [webhook]

    def test_it_wants_those_that_are_named_once(self, store):
        webhook = hook(store, "delta.verified", "customer.created", "delta.verified")
        assert webhook.events == "customer.created delta.verified"

    @pytest.mark.parametrize("events", [("delta.stored",), ("delta.verified", ""), ()])
    def test_an_event_that_there_is_none_of_is_refused(self, store, events):
        with refused("invalid-field", "event"):
            add_webhook(store, "default", URL, events, randomness=seeded())

    def test_a_url_that_is_none_is_refused_and_nothing_is_stored(self, store):
        with refused("invalid-field", "url"):
            hook(store, url="http://example.com/")
        assert webhooks_of(store, "default") == []

    def test_a_tenant_has_no_more_than_a_few(self, store):
        for seed in range(WEBHOOKS_MAX):
            hook(store, seed=seed)
        with refused("invalid-field", "url"):
            hook(store, seed=WEBHOOKS_MAX)
        hook(store, tenant="other", seed=WEBHOOKS_MAX)
        assert len(webhooks_of(store, "default")) == WEBHOOKS_MAX


class TestOfATenant:
    @pytest.mark.parametrize("tenant", ["default", "other"])
    def test_a_webhook_is_found_by_its_own_tenant_alone(self, store, tenant):
        webhook = hook(store, tenant=tenant)
        assert find_webhook(store, tenant, webhook.webhook_id) == webhook
        other = {"default": "other", "other": "default"}[tenant]
        for do in (find_webhook, rotate_webhook, remove_webhook):
            with refused("not-found"):
                do(store, other, webhook.webhook_id)
        assert webhooks_of(store, tenant) == [webhook]

    def test_one_that_was_removed_is_gone(self, store):
        webhook, other = hook(store), hook(store, seed=8)
        remove_webhook(store, "default", webhook.webhook_id)
        assert webhooks_of(store, "default") == [other]
        with refused("not-found"):
            find_webhook(store, "default", webhook.webhook_id)


class TestSecrets:
    def test_a_secret_follows_from_the_reference_key_the_id_and_the_version(self, store):
        webhook = hook(store)
        message = f"counterfoil/webhook-secret@v1\n{webhook.webhook_id}\n1".encode()
        want = hmac.new(OPERATOR.reference_key, message, hashlib.sha256).hexdigest()
        assert webhook_secret(OPERATOR, webhook) == f"whsec_{want}"

    def test_each_webhook_version_and_operator_has_another(self, store):
        first, second = hook(store), hook(store, seed=8)
        rotated = rotate_webhook(store, "default", first.webhook_id)
        secrets = {webhook_secret(OPERATOR, each) for each in (first, second, rotated)}
        secrets.add(webhook_secret(operator_named(reference="another"), first))
        assert len(secrets) == 4

    def test_nothing_secret_is_in_what_is_stored(self, store):
        webhook = hook(store)
        assert webhook_secret(OPERATOR, webhook).removeprefix("whsec_") not in repr(webhook)


def signatures(webhook, now):
    return sign_event(OPERATOR, webhook, now, 1_775_034_000, b'{"a":1}').split(",")


class TestSigning:
    def test_the_signature_is_over_the_timestamp_a_dot_and_the_body(self, store):
        webhook = hook(store)
        secret = webhook_secret(OPERATOR, webhook).encode()
        want = hmac.new(secret, b'1775034000.{"a":1}', hashlib.sha256).hexdigest()
        assert signatures(webhook, 0) == [f"v1={want}"]

    def test_during_a_rotation_the_new_signature_stands_before_the_old_one(self, store, clock):
        clock.tick = 0
        old = hook(store)
        new = rotate_webhook(store, "default", old.webhook_id)
        assert (new.secret_version, new.overlap_until) == (2, clock.now + OVERLAP_SECONDS * SECOND)
        first, second = signatures(new, clock.now)
        assert [second] == signatures(old, clock.now)
        assert first != second
        assert signatures(new, clock.now + DAY - 1) == [first, second]

    def test_after_it_the_old_secret_signs_no_more(self, store, clock):
        clock.tick = 0
        webhook = hook(store)
        new = rotate_webhook(store, "default", webhook.webhook_id)
        assert signatures(new, clock.now + DAY) == signatures(new, clock.now)[:1]

    def test_without_an_overlap_it_ends_at_once(self, store, clock):
        webhook = hook(store)
        new = rotate_webhook(store, "default", webhook.webhook_id, overlap_seconds=0)
        assert len(signatures(new, clock.now)) == 1

    def test_of_two_rotations_the_last_two_secrets_sign(self, store, clock):
        webhook = hook(store)
        second = rotate_webhook(store, "default", webhook.webhook_id)
        third = rotate_webhook(store, "default", webhook.webhook_id)
        now = clock.now
        assert signatures(third, now) == [signatures(third, now)[0], signatures(second, now)[0]]


class TestAnnouncing:
    def test_a_log_that_is_opened_is_announced_once(self, store, engine):
        hook(store)
        recorded(engine, 3)
        recorded(engine, 2)
        assert announced(store) == [(0, 0)]

    def test_a_checkpoint_is_announced_with_the_size_before_it(self, store, engine):
        hook(store)
        recorded(engine, 3)
        engine.checkpoint("alice")
        recorded(engine, 2)
        engine.checkpoint("alice")
        assert announced(store) == [(0, 0), (5, 0), (8, 5)]

    def test_where_the_tenant_has_no_webhook_nothing_is(self, store, engine):
        hook(store, tenant="other")
        recorded(engine, 3)
        engine.checkpoint("alice")
        assert announced(store) == []

    def test_each_tenants_own_is_announced(self, store):
        hook(store, tenant="other")
        other = Engine(store, OPERATOR, tenant="other", randomness=seeded(1))
        for customer in ("alice", "bob"):
            recorded(other, 1, customer)
        list(checkpoint_many(store, OPERATOR, "other", sorted(map(other.log_of, ("alice", "bob")))))
        assert announced(store) == [(0, 0), (3, 0), (0, 0), (3, 0)]

    def test_a_refused_delta_announces_nothing(self, store, engine):
        hook(store)
        engine.record_many([delta("0")])
        assert announced(store) == []

    @pytest.mark.parametrize("what", ["opened", "published"])
    def test_what_is_rolled_back_is_not_announced(self, store, engine, monkeypatch, what):
        hook(store)
        if what == "published":
            recorded(engine, 1)
        before = announced(store)
        with store.write() as transaction:
            kind = type(transaction)
        announce = kind.announce

        def announce_and_break(self, announcements):
            announce(self, announcements)
            raise EngineError("out-of-space", "no room for more")

        monkeypatch.setattr(kind, "announce", announce_and_break)
        with refused("out-of-space"):
            engine.checkpoint("alice") if what == "published" else engine.record(delta())
        assert announced(store) == before
