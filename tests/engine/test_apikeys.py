"""API keys: what is kept of them, what opens, and what becomes of old ones; on each of the three stores."""

import hashlib

import pytest

from counterfoil.engine import apikeys
from counterfoil.engine.apikeys import check_presented, find_key, list_keys, read_presented
from tests.support import SECOND, refused, seeded


@pytest.fixture
def create(store):
    randomness = seeded("keys")

    def make(*scopes, tenant="acme", **named):
        return apikeys.create(
            store, tenant=tenant, scopes=scopes or ("read", "write"), randomness=randomness, **named
        )

    return make


def opens(store, text, now):
    presented = read_presented(text.encode())
    return check_presented(presented, find_key(store, presented.key_id), now)


class TestCreating:
    def test_a_key_is_two_parts_of_which_one_is_secret(self, create):
        issued = create(environment="live", label="backend")
        prefix, environment, rest = issued.text.split("_")
        key_id, _, secret = rest.partition(".")
        assert (prefix, environment, key_id) == ("pk", "live", issued.key.key_id)
        assert (len(key_id), len(secret)) == (16, 64)

    def test_a_hash_of_the_secret_is_kept_and_nothing_else_of_it(self, create, store):
        issued = create()
        secret = issued.text.partition(".")[2]
        [kept] = list_keys(store)
        assert kept == issued.key
        assert kept.secret_hash == hashlib.sha256(secret.encode()).digest()
        assert secret not in repr(kept)

    def test_nothing_secret_is_shown_by_chance(self, create):
        issued = create()
        secret = issued.text.partition(".")[2]
        assert secret not in f"{issued!r} {read_presented(issued.text.encode())!r}"

    def test_scopes_are_kept_in_one_order_each_once(self, create):
        assert create("write", "read", "write").key.scopes == "read write"
        assert create("read").key.scopes == "read"

    @pytest.mark.parametrize(("field", "named"), [
        ("scopes", {"scopes": ()}), ("scopes", {"scopes": ("admin",)}), ("scopes", {"scopes": ("read", "other")}),
        ("tenant", {"tenant": "No Tenant"}), ("environment", {"environment": "prod"}),
        ("label", {"label": "x" * 101}), ("label", {"label": "a\nb"}), ("label", {"label": "\x1b[31m"}),
    ])  # fmt: skip
    def test_what_is_no_key_is_refused_and_none_is_made(self, store, field, named):
        given = {"tenant": "acme", "scopes": ("read",), **named}
        with refused("invalid-field", field=field):
            apikeys.create(store, randomness=seeded(), **given)
        assert list_keys(store) == []

    def test_a_first_key_is_made_once(self, create, store):
        first = create(only_first=True)
        assert create(only_first=True) is None
        apikeys.revoke(store, first.key.key_id)
        assert create(only_first=True) is None
        assert len(list_keys(store)) == 1

    def test_an_id_that_is_taken_is_never_given_to_another(self, store):
        apikeys.create(store, tenant="acme", scopes=("read",), randomness=seeded(1))
        with refused("internal"):
            apikeys.create(store, tenant="other", scopes=("read",), randomness=seeded(1))
        assert [key.tenant for key in list_keys(store)] == ["acme"]


class TestChecking:
    def test_a_good_key_opens_its_tenant(self, create, store, clock):
        issued = create(tenant="acme")
        assert opens(store, issued.text, clock.now) == issued.key

    @pytest.mark.parametrize("spoil", [
        lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"), lambda text: text.replace("_test_", "_live_"),
        lambda text: f"pk_test_{'0' * 16}.{text.partition('.')[2]}", lambda text: f"{text.partition('.')[0]}.{'0' * 64}",
    ], ids=["secret", "environment", "id", "zeros"])  # fmt: skip
    def test_any_other_does_not(self, create, store, clock, spoil):
        with refused("invalid-api-key"):
            opens(store, spoil(create().text), clock.now)

    @pytest.mark.parametrize(
        "text", ["", "pk_test_", "x", "pk_test_0000.00", "pk_beta_" + "0" * 16 + "." + "0" * 64, "é"]
    )
    def test_what_is_no_key_is_not_looked_up(self, text):
        assert read_presented(text.encode()) is None

    @pytest.mark.parametrize("around", [b" %s", b"%s ", b"%s\n", b"Bearer %s"])
    def test_nothing_may_stand_around_it(self, create, around):
        assert read_presented(around % create().text.encode()) is None

    def test_it_ends_when_its_time_is_over(self, create, store):
        issued = create(lifetime_seconds=60)
        end = issued.key.expires_at
        assert opens(store, issued.text, end - 1) == issued.key
        with refused("invalid-api-key"):
            opens(store, issued.text, end)

    def test_revoked_it_opens_nothing_and_keeps_the_time_at_which_it_was(self, create, store, clock):
        issued = create()
        first = apikeys.revoke(store, issued.key.key_id)
        clock.now += SECOND
        assert apikeys.revoke(store, issued.key.key_id) == first
        with refused("invalid-api-key"):
            opens(store, issued.text, clock.now)

    def test_a_key_that_is_not_there_cannot_be_revoked_or_rotated(self, store):
        with refused("not-found"):
            apikeys.revoke(store, "0" * 16)
        with refused("not-found"):
            apikeys.rotate(store, "0" * 16, overlap_seconds=0, randomness=seeded())


class TestRotating:
    @pytest.fixture
    def rotate(self, store):
        return lambda issued, seconds=3_600, **named: apikeys.rotate(
            store, issued.key.key_id, overlap_seconds=seconds, randomness=seeded("rotated"), **named
        )

    def test_the_new_key_opens_what_the_old_one_does(self, create, rotate):
        old = create("read", tenant="acme", label="reports", environment="live")
        new = rotate(old)
        same = ("tenant", "scopes", "label", "environment")
        assert [getattr(new.key, name) for name in same] == [getattr(old.key, name) for name in same]
        assert new.key.key_id != old.key.key_id
        assert new.key.expires_at is None

    def test_both_are_good_until_the_overlap_ends(self, create, rotate, store, clock):
        old = create()
        new = rotate(old, 60)
        end = find_key(store, old.key.key_id).expires_at
        assert 59 * SECOND < end - clock.now <= 60 * SECOND
        for text in (old.text, new.text):
            assert opens(store, text, end - 1)
        assert opens(store, new.text, end)
        with refused("invalid-api-key"):
            opens(store, old.text, end)

    def test_one_that_ends_sooner_does_so(self, create, rotate, store):
        old = create(lifetime_seconds=10)
        rotate(old, 3_600)
        assert find_key(store, old.key.key_id).expires_at == old.key.expires_at

    def test_the_new_one_may_have_a_time_of_its_own(self, create, rotate):
        new = rotate(create(), lifetime_seconds=60)
        assert new.key.expires_at == new.key.created_at + 60 * SECOND

    def test_one_that_was_to_end_is_followed_by_one_that_lives_as_long(self, create, rotate, store, clock):
        old = create(lifetime_seconds=86_400)
        clock.now += 40_000 * SECOND
        new = rotate(old, 60)
        assert new.key.expires_at == new.key.created_at + 86_400 * SECOND
        assert new.key.created_at >= old.key.created_at + 40_000 * SECOND
        assert find_key(store, old.key.key_id).expires_at < old.key.expires_at

    def test_a_time_of_its_own_goes_before_that(self, create, rotate):
        new = rotate(create(lifetime_seconds=86_400), lifetime_seconds=60)
        assert new.key.expires_at == new.key.created_at + 60 * SECOND

    @pytest.mark.parametrize("end", ["revoked", "expired"])
    def test_one_that_opens_nothing_is_not_rotated(self, create, rotate, store, end):
        old = create(lifetime_seconds=0 if end == "expired" else None)
        if end == "revoked":
            apikeys.revoke(store, old.key.key_id)
        with refused("invalid-field", field="keyId"):
            rotate(old)
        assert len(list_keys(store)) == 1
