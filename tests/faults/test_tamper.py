"""A store that somebody altered: every byte that is evidence of something sealed is found by the audit.

What is not evidence is listed here by name, and so it is in docs/threat-model.md.  Both ways: an alteration that goes
unnoticed must be on the list, and one of each that is on the list must go unnoticed.
"""

import shutil
from functools import cache

import pytest

from counterfoil.core import audit as core_audit
from counterfoil.engine.engine import Engine
from counterfoil.storage import open_store
from counterfoil.storage.sql.schema import METADATA
from tests.faults.tampering import World
from tests.support import KEYS, OPERATOR, FakeClock, empty_store_file, refused, sql_on

NOT_EVIDENCE = {
    "entries: a row behind the newest checkpoint": "nothing signed covers it yet",
    "entries: salt and value of a row deleted together": "looks like an erasure",
    "entries: key_prefix of an entry without a key": "a hint: the entries' own bytes decide",
    "bundles: details of one entry emptied": "looks like an erasure",
    "bundles: the same, packed otherwise": "what is unpacked is the same",
    "bundles: a row behind the last entry": "nothing is read from there",
    "bundles: a row more that does not unpack": "nothing is read from it",
    "bundles: count of a bundle without a delta": "no place is looked for there",
    "keys: a row that no entry bears": "a hint: the entries' own bytes decide",
    "logs: close_at": "says when a worker is to make another seal",
    "logs: claimed_until": "says which worker makes the next checkpoint",
    "tiles: hashes behind those that the newest checkpoint needs": "nothing is read from there",
    "tiles: a row that the newest checkpoint does not need": "nothing is read from there",
    "api_keys: anything": "says who may use a server",
    "webhooks: anything": "says where a server sends events",
    "outbox: anything": "says what events are yet to be spread",
    "deliveries: anything": "says what events are yet to be sent",
    "tenants: unit": "only says what unit the next log gets",
    "tenants: tenant": "only says whose unit it is",
    "tenants: a row": "only says what unit the next log gets",
    "identity: operator": "the audit takes its keys from the caller; the store is refused at start",
    "identity: public_key": "the audit takes its keys from the caller; the store is refused at start",
    "identity: reference_check": "says which reference key belongs to it; the store is refused at start",
    "identity: a row": "the audit takes its keys from the caller",
    "alembic_version: version_num": "says what tables there are; the store is refused at start",
    "alembic_version: a row": "says what tables there are; the store is refused at start",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    path = shutil.copy(empty_store_file(), tmp_path_factory.mktemp("tamper") / "store.db")
    made = World(path)
    yield made
    made.close()


def judge(world, edits):
    """Try all; return how many were found and refused, and the names of those that went unnoticed."""
    counts, unnoticed = {"found": 0, "refused": 0, "unnoticed": 0}, set()
    for edit in edits:
        verdict = world.verdict(edit)
        counts[verdict] += 1
        if verdict == "unnoticed":
            assert edit.name in NOT_EVIDENCE, edit
            unnoticed.add(edit.name)
    return counts, unnoticed


def test_untouched_the_logs_hold(world):
    for log in (world.large, world.small, world.settled, world.other):
        assert world.engine.audit_log(log, KEYS).checkpoints >= 1
    settled = {log: world.rows("bundles", f"log = x'{log.hex()}'") for log in (world.small, world.settled)}
    assert [(row["first"], row["last"]) for row in settled[world.settled]] == [(0, 2), (3, 5), (6, 6)]
    assert not settled[world.small]


@pytest.mark.parametrize("table", ["logs", "customers", "entries", "bundles", "keys", "checkpoints", "tiles"])
def test_every_byte_of_a_small_log_is_evidence_or_on_the_list(world, table):
    log = world.settled if table in ("bundles", "keys") else world.small
    rows = [row for row in world.rows(table) if row["log"] == log]
    edits = [edit for row in rows for edit in world.edits(table, row)]
    counts, unnoticed = judge(world, [*edits, *world.swaps(table, rows)])
    assert counts["found"] > 10 * len(rows)
    assert counts["refused"]
    # Neither more nor less: an entry of the list that is found after all is taken off it.
    assert unnoticed == {name for name in NOT_EVIDENCE if name.startswith(f"{table}: ")}


def test_nothing_of_one_log_passes_for_anothers(world):
    for table in ("logs", "customers", "entries", "bundles", "keys", "checkpoints", "tiles"):
        one, other = (
            (world.settled, world.large) if table in ("bundles", "keys") else (world.small, world.other)
        )
        by_log = {log: [row for row in world.rows(table) if row["log"] == log] for log in (one, other)}
        pairs = zip(by_log[one], by_log[other], strict=False)
        edits = [edit for pair in pairs for edit in world.swaps(table, list(pair))]
        counts, unnoticed = judge(world, edits)
        assert counts["found"]
        assert not unnoticed


def test_every_kind_of_entry_of_a_large_log_is_evidence(world):
    """Both sides of the border between tiles; each byte of the small log stands for the rest."""

    def some(length):
        return world.random.sample(range(length), min(length, 40))

    covered = world.covered[world.large]
    (bundle,) = world.rows("bundles", f"log = x'{world.large.hex()}'")
    assert (bundle["first"], bundle["last"]) == (0, 254)
    for index in (0, 1, 100, 254):
        counts, unnoticed = judge(world, world.edits_of_content(bundle, some, places={index}))
        assert counts["found"] > 80
        assert unnoticed <= {"bundles: details of one entry emptied", "bundles: the same, packed otherwise"}
    for index in (255, 256, covered - 1):
        (row,) = world.rows("entries", f"log = x'{world.large.hex()}' AND idx = {index}")
        counts, unnoticed = judge(world, world.edits("entries", row, positions=some))
        assert counts["found"] > 40
        assert unnoticed <= {
            "entries: salt and value of a row deleted together",
            "entries: key_prefix of an entry without a key",
        }


def test_every_byte_of_the_tiles_of_a_large_log_is_evidence(world, monkeypatch):
    # The entries are the same 260 in each of 8,000 audits: to read each of them once halves the time.
    monkeypatch.setattr(core_audit, "parse_entry", cache(core_audit.parse_entry))
    rows = world.rows("tiles", f"log = x'{world.large.hex()}'")
    places = [(row["level"], row["number"], len(row["hashes"]) // 32) for row in rows]
    assert sorted(places) == [(0, 0, 256), (0, 1, 2), (1, 0, 1)]
    for row in rows:
        counts, unnoticed = judge(world, world.edits("tiles", row))
        assert counts["found"] >= len(row["hashes"])
        assert unnoticed <= {
            "tiles: hashes behind those that the newest checkpoint needs",
            "tiles: a row that the newest checkpoint does not need",
        }


def test_every_byte_of_the_checkpoints_and_the_head_of_a_large_log_is_evidence(world):
    for table in ("checkpoints", "logs"):
        rows = world.rows(table, f"log = x'{world.large.hex()}'")
        counts, unnoticed = judge(
            world, [*(edit for row in rows for edit in world.edits(table, row)), *world.swaps(table, rows)]
        )
        assert counts["found"] > 40
        assert unnoticed <= {"logs: close_at", "logs: claimed_until"}


@pytest.mark.parametrize(
    "table", ["tenants", "identity", "alembic_version", "api_keys", "webhooks", "outbox", "deliveries"]
)
def test_what_is_of_no_log_or_serves_a_server_is_not_evidence(world, table):
    rows = world.rows(table)
    assert rows
    counts, unnoticed = judge(world, [edit for row in rows for edit in world.edits(table, row)])
    assert not counts["found"]
    assert unnoticed == {name for name in NOT_EVIDENCE if name.startswith(f"{table}: ")}


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE identity SET operator = 'other.example.com'", "key-mismatch"),
        ("UPDATE identity SET public_key = zeroblob(32)", "key-mismatch"),
        ("UPDATE identity SET reference_check = zeroblob(length(reference_check))", "key-mismatch"),
        ("UPDATE alembic_version SET version_num = '9999'", "unsafe-settings"),
        ("DELETE FROM alembic_version", "unsafe-settings"),
    ],
)
def test_a_store_that_says_it_is_another_is_refused_at_start(tmp_path, statement, code):
    path = shutil.copy(empty_store_file(), tmp_path / "store.db")
    url = f"sqlite:///{path}"
    store = open_store(url, clock=FakeClock())
    Engine(store, OPERATOR)
    store.close()
    assert sql_on(path, statement) == 1
    with refused(code):
        Engine(open_store(url, clock=FakeClock()), OPERATOR)


def test_every_table_was_altered(world):
    tables = {
        name for (name,) in world.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    assert tables == {*METADATA.tables, "alembic_version"}
