"""Evidence packs from the store: whoever has one audits whole logs without the store."""

import json

import pytest

from counterfoil.core.audit import AuditReport
from counterfoil.core.pack.audit import verify_pack
from counterfoil.engine import packs
from tests.engine.histories import live, seen
from tests.support import KEYS, delta, erase, recorded, refused, sql


@pytest.fixture
def pages(monkeypatch):
    """Pages so small that a log has many."""
    monkeypatch.setattr(packs, "_PAGE", 7)


def pack(engine, *customers):
    return list(engine.pack_lines(customers or None))


def audited(lines, **options):
    return verify_pack(lambda: [line.removesuffix(b"\n") for line in lines], KEYS, **options)


def origins(lines):
    return [json.loads(line)["log"] for line in lines if line.startswith(b'{"log"')]


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize("seed", range(2))
def test_a_random_history_is_audited_from_its_pack(engine, store, clock, seed):
    live(engine, clock, seed, steps=30)
    clock.now += 1
    engine.checkpoint("alice")
    checkpoints = list(engine.checkpoints("alice"))
    [report] = audited(pack(engine)).logs
    assert isinstance(report, AuditReport)
    assert (report.checkpoints, report.entries) == (len(checkpoints), checkpoints[-1].size)
    assert report.covered == report.entries
    assert report.deltas == len(seen(engine, store))
    assert report.details_checked == report.deltas + 1


def test_an_old_and_a_new_pack_extend_what_was_held(engine):
    recorded(engine, 2)
    engine.checkpoint("alice")
    first = list(engine.checkpoints("alice"))[-1]
    recorded(engine, 2)
    engine.checkpoint("alice")
    held = {first.origin: [first]}
    assert audited(pack(engine), held=held).logs[0].checkpoints == 2


def test_logs_stand_by_their_origins_and_others_are_not_in_it(engine):
    for customer in ("alice", "bob", "carol", "dora"):
        recorded(engine, 1, customer)
        engine.checkpoint(customer)
    everyone = origins(pack(engine))
    assert everyone == sorted(everyone)
    assert len(everyone) == 4
    assert origins(pack(engine, "dora", "bob", "dora")) == sorted(
        engine.operator.origin(engine.tenant, engine.log_of(customer)) for customer in ("bob", "dora")
    )


def test_a_log_that_no_checkpoint_covers_is_not_in_it(engine):
    recorded(engine, 1)
    recorded(engine, 1, "bob")
    engine.checkpoint("bob")
    assert len(origins(pack(engine))) == 1
    lines = pack(engine, "alice")
    assert origins(lines) == []
    with refused("nothing-checked"):
        audited(lines)


def test_entries_behind_the_newest_checkpoint_are_not_in_it(engine):
    recorded(engine, 2)
    engine.checkpoint("alice")
    recorded(engine, 5)
    assert audited(pack(engine)).logs[0].entries == 4


def test_details_that_were_erased_are_absent_and_the_rest_holds(engine, store):
    recorded(engine, 3)
    engine.checkpoint("alice")
    erase(store, engine.log_of("alice"), 2)
    [report] = audited(pack(engine)).logs
    assert (report.details_checked, report.details_absent) == (3, 1)


@pytest.mark.usefixtures("pages")
def test_progress_adds_up_to_all_entries(engine):
    recorded(engine, 30)
    engine.checkpoint("alice")
    told = []
    list(engine.pack_lines(["alice"], progress=told.append))
    assert sum(told) == 32
    assert len(told) > 1


def test_a_customer_that_is_not_there_is_refused(engine):
    with refused("customer-not-found"):
        pack(engine, "nobody")


@pytest.mark.usefixtures("pages")
def test_what_is_published_while_it_is_written_is_left_to_the_next(engine):
    recorded(engine, 30)
    engine.checkpoint("alice")
    lines = engine.pack_lines()
    begun = [next(lines), next(lines), next(lines)]
    engine.record(delta())
    engine.checkpoint("alice")
    [report] = audited([*begun, *lines]).logs
    assert (report.entries, report.checkpoints) == (32, 1)


def test_an_entry_that_is_gone_is_a_damaged_log(sqlite_engine, sqlite_store):
    recorded(sqlite_engine, 3)
    sqlite_engine.checkpoint("alice")
    assert sql(sqlite_store, "DELETE FROM entries WHERE idx = 2")
    with refused("log-corrupt"):
        pack(sqlite_engine)
