"""`apikey`: what it prints, and what the store keeps."""

import re

import pytest

from counterfoil.engine import apikeys
from counterfoil.engine.clock import HostClock
from counterfoil.storage import open_store

KEY = re.compile(r"pk_(test|live)_([0-9a-f]{16})\.[0-9a-f]{64}")
HINT = "counterfoil: hint: the key is not shown again: only a hash of it is kept\n"


def opens(text):
    """Whether a key opens anything now."""
    store = open_store("sqlite:///counterfoil.db", clock=HostClock())
    try:
        presented = apikeys.read_presented(text.encode())
        key = apikeys.find_key(store, presented.key_id)
        return apikeys.is_open(apikeys.check_presented(presented, key, key.created_at), HostClock()())
    finally:
        store.close()


def test_a_key_is_printed_once_and_is_good(book):
    outcome = book("apikey", "create")
    assert (outcome.status, outcome.err) == (0, HINT)
    [text] = outcome.lines
    assert KEY.fullmatch(text)[1] == "test"
    assert opens(text)
    assert text.partition(".")[2] not in book("apikey", "list").out


def test_a_tenant_without_records_is_named_with_the_unit_that_it_will_have(book):
    new = book("apikey", "create", "--tenant", "acme")
    assert new.status == 0
    assert new.err.startswith(HINT + "counterfoil: hint: tenant acme has no records yet")
    assert "its unit will be credits" in new.err


def test_a_tenant_that_is_known_is_not(book):
    assert book("init", "--tenant", "acme", "--unit", "EUR").status == 0
    assert book("apikey", "create", "--tenant", "acme").err == HINT
    book("record", "cust_001", "1", "--reason", "x", "--tenant", "other")
    assert book("apikey", "create", "--tenant", "other").err == HINT


def test_it_may_what_was_said(book):
    found = book(
        "apikey",
        "create",
        "--scope",
        "read",
        "--live",
        "--label",
        "reports",
        "--tenant",
        "acme",
        "--expires-in-days",
        2,
        "--json",
    )
    [finding] = found.findings
    assert KEY.fullmatch(finding["apiKey"])[1] == "live"
    assert (finding["scopes"], finding["label"], finding["tenant"]) == (["read"], "reports", "acme")
    assert finding["expiresAt"][:8] >= finding["createdAt"][:8]


def test_they_are_listed_as_they_stand(book):
    keys = [book("apikey", "create", "--label", f"key {number}", "--json").findings[0] for number in range(3)]
    book("apikey", "revoke", keys[1]["keyId"])
    book("apikey", "rotate", keys[2]["keyId"], "--overlap-hours", 0)
    listed = book("apikey", "list", "--json").findings
    assert [(each["label"], each["state"]) for each in listed] == [
        ("key 0", "good"), ("key 1", "revoked"), ("key 2", "expired"), ("key 2", "good"),
    ]  # fmt: skip
    lines = book("apikey", "list").lines
    assert [line.split()[2] for line in lines] == ["good", "revoked", "expired", "good"]


def test_rotating_prints_the_new_key_and_leaves_the_old_one_a_day(book):
    [old] = book("apikey", "create").lines
    outcome = book("apikey", "rotate", KEY.fullmatch(old)[2])
    [new] = outcome.lines
    assert outcome.err == HINT
    assert opens(old)
    assert opens(new)


def test_one_that_ends_is_rotated_into_one_that_ends(book):
    [old] = book("apikey", "create", "--expires-in-days", 2, "--json").findings
    [new] = book("apikey", "rotate", old["keyId"], "--json").findings
    assert old["expiresAt"] <= new["expiresAt"]


def test_a_revoked_key_opens_nothing(book):
    [text] = book("apikey", "create").lines
    outcome = book("apikey", "revoke", KEY.fullmatch(text)[2])
    assert outcome.out == f"revoked  {KEY.fullmatch(text)[2]}  of tenant default\n"
    with pytest.raises(Exception, match="invalid-api-key"):
        opens(text)


@pytest.mark.parametrize("command", ["rotate", "revoke"])
def test_a_key_that_is_not_there_is_refused(book, command):
    outcome = book("apikey", command, "0" * 16)
    assert (outcome.status, outcome.code) == (14, "not-found")


@pytest.mark.parametrize("arguments", [
    ("create", "--scope", "admin"), ("create", "--expires-in-days", "0"), ("rotate", "x", "--overlap-hours", "-1"), ("rotate",),
])  # fmt: skip
def test_a_wrong_call_is_refused(book, arguments):
    outcome = book("apikey", *arguments)
    assert (outcome.status, outcome.code) == (2, "usage")


def test_a_label_that_cannot_be_shown_is_refused(book):
    outcome = book("apikey", "create", "--label", "a\x1b[31m")
    assert (outcome.status, outcome.code) == (14, "invalid-field")


def test_without_a_store_there_are_no_keys(cf):
    assert cf("apikey", "list").code == "usage"


def test_the_key_folder_is_not_needed(book, tmp_path):
    (tmp_path / "counterfoil-keys").rename(tmp_path / "elsewhere")
    assert book("apikey", "create").status == 0
