"""Two processes that write the same rows and two that make checkpoints, on one file: nothing lost, repeated or forked."""

import multiprocessing
import random
import shutil

import pytest

from counterfoil.core.checkpoint import parse_checkpoint, sign_checkpoint
from tests.faults import workload
from tests.fsck import Acknowledged, BrokenError, Published, fsck
from tests.support import OPERATOR, empty_store_file, operator_named, respelled, respelled_settled, sql_on

ROWS = workload.PHASES * workload.PHASE_BATCHES * workload.BATCH_ROWS
WAIT_SECONDS = 240


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """Run the four processes; return the file, and what each of them was told."""
    folder = tmp_path_factory.mktemp("processes")
    path = shutil.copy(empty_store_file(), folder / "store.db")
    processes = multiprocessing.get_context("spawn")
    barrier = processes.Barrier(4, timeout=WAIT_SECONDS)
    answers = [folder / f"answers-{name}" for name in "AB"]
    notes = [folder / f"notes-{name}" for name in "CD"]
    writers = [
        # Each in an order of its own, so that each is the first with some rows and the second with others.
        processes.Process(target=workload.write_rows, args=(path, shuffled_batches(seed), barrier, file))
        for seed, file in enumerate(answers)
    ]
    checkpointers = [
        processes.Process(target=workload.make_checkpoints, args=(path, seed, barrier, file))
        for seed, file in enumerate(notes)
    ]
    for process in (*checkpointers, *writers):
        process.daemon = True  # none outlives a test that failed
        process.start()
    for process in (*writers, *checkpointers):
        process.join(WAIT_SECONDS)
    assert [process.exitcode for process in (*writers, *checkpointers)] == [0] * 4
    return path, [read_answers(file) for file in answers], [read_notes(file) for file in notes]


def shuffled_batches(seed):
    starts = list(range(0, ROWS, workload.BATCH_ROWS))
    random.Random(seed).shuffle(starts)  # noqa: S311  -- the same order each time
    return starts


def read_answers(file):
    lines = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    return [
        (Acknowledged(bytes.fromhex(log), int(index), bytes.fromhex(entry)), replayed == "True")
        for log, index, entry, replayed in lines
    ]


def read_notes(file):
    lines = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    return [
        (Published(bytes.fromhex(log), bytes.fromhex(note).decode(), time), outcome)
        for log, outcome, note, time in lines
    ]


def test_the_file_holds_all_that_was_acknowledged_and_published(outcome):
    path, answers, notes = outcome
    found = workload.examine(
        path,
        [ack for told in answers for ack, _ in told],
        [note for told in notes for note, _ in told],
    )
    assert (found.logs, found.deltas, found.unsigned, found.pending) == (workload.CUSTOMERS, ROWS, 0, 0)
    # Nearly all of it went through both places where entries are kept.
    assert found.settled > ROWS * 0.9


def test_each_row_stands_once(outcome):
    path, answers, _ = outcome
    assert workload.rows_in(path) == list(range(ROWS))
    recorded = [sum(not replayed for _, replayed in told) for told in answers]
    assert sum(recorded) == ROWS


def test_both_writers_were_told_the_same(outcome):
    _, (one, other), _ = outcome
    assert {ack for ack, _ in one} == {ack for ack, _ in other}


def test_each_checkpoint_was_signed_by_one_of_them(outcome):
    path, _, notes = outcome
    signed = [note.note for told in notes for note, outcome_ in told if outcome_ == "signed"]
    assert len(signed) == len(set(signed))
    # A log that was sealed behind a pending seal is told of once, with its last checkpoint.
    assert len(signed) <= workload.examine(path).checkpoints


def test_no_watermark_went_back(outcome):
    _, _, notes = outcome
    for told in notes:
        last = {}
        for note, _ in told:
            assert note.verified_through_at >= last.get(note.log, "")
            last[note.log] = note.verified_through_at


def test_they_met(outcome):
    """Else nothing was shown: both recorded, both signed, and now and then one was faster than the other."""
    _, answers, notes = outcome
    for told in answers:
        assert {replayed for _, replayed in told} == {True, False}
    for told in notes:
        assert sum(kind == "signed" for _, kind in told) > workload.PHASES
    # Both were at work on one log at one time.
    assert any(kind == "superseded" for told in notes for _, kind in told)


@pytest.mark.parametrize(
    ("statement", "promise"),
    [
        ("DELETE FROM entries", "I2"),
        ("DELETE FROM bundles WHERE first = 0", "I2"),
        ("DELETE FROM bundles WHERE first > 1000", "I2"),
        ("UPDATE bundles SET first = first - 1 WHERE first > 0 AND last - first < 255", "I2"),
        ("UPDATE bundles SET last = last + 1 WHERE last - first < 255", "of another size"),
        ("INSERT INTO entries SELECT log, 0, x'7b7d', NULL, NULL, NULL FROM logs", "I2"),
        (
            "INSERT INTO bundles SELECT zeroblob(20), last, first, entries, details, time, count FROM bundles LIMIT 1",
            "does not exist",
        ),
        ("UPDATE bundles SET entries = substr(entries, 1, 99)", "does not read"),
        ("UPDATE logs SET size = size - 1, sealed_size = size - 2, checkpoint_size = size - 2", "I2"),
        ("UPDATE logs SET checkpoint_size = checkpoint_size - 1", "I7"),
        ("UPDATE logs SET close_at = 1", "the month ends"),
        (respelled_settled("entries", 'credits":"', 'credits":"9', 1), "I3"),
        (respelled("entry", 'credits":"', 'credits":"9', "true"), "I3"),
        (respelled_settled("entries", '"recordedAt":"2', '"recordedAt":"1', 1), "I6"),
        (respelled_settled("entries", '"key":"', '"key":"0', 1), "does not read"),
        (respelled_settled("details", "imported", "exported", 1), "details of 1 are others"),
        ("UPDATE entries SET key_prefix = 0", "by its key"),
        ("UPDATE entries SET salt = zeroblob(32), value = x'7b7d'", "details"),
        ("UPDATE keys SET key_prefix = 0 WHERE idx = 1", "by their keys"),
        ("DELETE FROM keys WHERE idx = 1", "by their keys"),
        ("INSERT INTO keys SELECT log, 0, 1 FROM logs", "by their keys"),
        ("UPDATE checkpoints SET size = size + 1", "another checkpoint"),
        ("UPDATE tiles SET hashes = zeroblob(length(hashes))", "tile"),
        ("DELETE FROM checkpoints", "I7"),
        ("UPDATE bundles SET time = time + 1", "is found by"),
        ("UPDATE bundles SET count = NULL", "is found by"),
        ("UPDATE checkpoints SET root_prefix = root_prefix + 1", "by its root"),
        ("UPDATE customers SET customer_id = customer_id || '0'", "listed as"),
        ("UPDATE customers SET tenant = 'other'", "listed as"),
        ("DELETE FROM customers", "listed as"),
        ("INSERT INTO customers VALUES (zeroblob(20), 'default', 'nobody')", "does not exist"),
        ("INSERT INTO outbox SELECT log, 1, 0, tenant FROM logs", "is announced"),
        ("INSERT INTO outbox SELECT log, 0, 0, 'other' FROM logs", "another tenant"),
        ("DELETE FROM logs", "does not exist"),
    ],
)
def test_what_is_broken_is_found(outcome, tmp_path, statement, promise):
    """The control: the examination is no rubber stamp."""
    path = shutil.copy(outcome[0], tmp_path / "broken.db")
    workload.examine(path)
    assert sql_on(path, statement) > 0
    with pytest.raises(BrokenError, match=promise):
        workload.examine(path)


def test_another_root_is_found_though_it_is_signed(outcome, tmp_path):
    path = shutil.copy(outcome[0], tmp_path / "forked.db")
    old = parse_checkpoint(outcome[2][0][0][0].note)
    new = sign_checkpoint(old.origin, old.size, bytes(32), OPERATOR.signer)
    changed = sql_on(
        path, "UPDATE checkpoints SET note = ? WHERE note = ?", new.note.encode(), old.note.encode()
    )
    assert changed == 1
    with pytest.raises(BrokenError, match="I4, I5"):
        workload.examine(path)


def test_a_signature_of_another_key_is_found(outcome):
    with pytest.raises(BrokenError, match="key id"):
        fsck(outcome[0], operator=OPERATOR.name, public_key=operator_named(seed="other").signer.public_key)


def test_a_lost_or_changed_acknowledgement_is_found(outcome):
    path, answers, notes = outcome
    ack = answers[0][0][0]
    for false in (
        ack._replace(index=10**6),
        ack._replace(entry=ack.entry + b" "),
        ack._replace(log=bytes(20)),
    ):
        with pytest.raises(BrokenError, match="I1"):
            workload.examine(path, [false])
    note = notes[0][-1][0]
    for false in (note._replace(note=note.note + "x"), note._replace(verified_through_at="")):
        with pytest.raises(BrokenError, match=r"I[57]"):
            workload.examine(path, notes=[false])
