"""The libraries behind Go's checksum database say yes to what is right, and no to what was altered.

`main.go` hands lines to golang.org/x/mod/sumdb/note and golang.org/x/mod/sumdb/tlog.  These tests need Go, so they are no
part of `make test`: `make test-interop-go` runs them, and fails where there is none.
"""

import json
import subprocess
from pathlib import Path

import pytest

from tests.interop import documents

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """The checker, built from what go.sum pins."""
    path = tmp_path_factory.mktemp("go") / "sumdb"
    subprocess.run(["go", "build", "-mod=readonly", "-o", path, "."], cwd=HERE, check=True)
    return path


@pytest.fixture
def answers(program):
    """Ask the checker about documents of one kind; return its lines."""

    def ask(op, names, found):
        requests = [json.dumps({"op": op, **dict(zip(names, given, strict=True))}) for given in found]
        done = subprocess.run(
            [program], input="\n".join(requests), capture_output=True, text=True, check=True
        )
        lines = done.stdout.splitlines()
        assert len(lines) == len(requests)
        return lines

    return ask


INCLUSION = ("inclusion", ("key", "proof", "entry"))
CONSISTENCY = ("consistency", ("key", "old", "file"))


def test_it_opens_the_checkpoint_of_the_worked_example(answers):
    assert answers("note", ("key", "note"), [(documents.KEY, documents.OLD)]) == ["ok"]


@pytest.mark.parametrize("found", [documents.inclusions, documents.receipts], ids=["logs", "vectors"])
def test_it_finds_every_entry(answers, found):
    verdicts = answers(*INCLUSION, [*found()])
    assert len(verdicts) > 10
    assert {*verdicts} == {"ok"}


def test_it_sees_that_checkpoints_extend_one_another(answers):
    verdicts = answers(*CONSISTENCY, [*documents.consistencies()])
    assert len(verdicts) == sum(documents.SIZES)
    assert {*verdicts} == {"ok"}


# The words of the libraries, by which one tells at what they stopped.
UNVERIFIED, UNSIGNED = "invalid signature", "note has no verifiable signatures"
UNPROVEN = "invalid transparency proof"


@pytest.mark.parametrize(("name", "words"), [
    ("amount", UNPROVEN), ("newline", UNPROVEN), ("entry", UNPROVEN), ("index", UNPROVEN), ("path", UNPROVEN),
    ("size", UNVERIFIED), ("root", UNVERIFIED), ("signature", UNVERIFIED), ("key", UNSIGNED), ("name", UNSIGNED),
])  # fmt: skip
def test_it_does_not_find_what_was_altered_and_says_where(answers, name, words):
    whole = (documents.KEY, documents.PROOF, documents.ENTRY)
    verdicts = answers(*INCLUSION, [whole, documents.ALTERED_INCLUSIONS[name]])
    assert verdicts[0] == "ok"
    assert verdicts[1].startswith("refused: ")
    assert words in verdicts[1]


@pytest.mark.parametrize(("name", "words"), [
    ("path", UNPROVEN), ("hash-less", UNPROVEN), ("hash-more", UNPROVEN), ("newer-root", UNVERIFIED),
    ("older-root", UNVERIFIED), ("older-signature", UNVERIFIED), ("newer-signature", UNVERIFIED), ("other-log", UNSIGNED),
])  # fmt: skip
def test_it_sees_that_what_was_altered_does_not_extend_it_and_says_why(answers, name, words):
    whole = (documents.KEY, documents.OLD, documents.FILE)
    verdicts = answers(*CONSISTENCY, [whole, documents.ALTERED_CONSISTENCIES[name]])
    assert verdicts[0] == "ok"
    assert verdicts[1].startswith("refused: ")
    assert words in verdicts[1]


def test_each_alteration_is_among_the_cases():
    cases = {*documents.ALTERED_INCLUSIONS}, {*documents.ALTERED_CONSISTENCIES}
    marks = [
        test_it_does_not_find_what_was_altered_and_says_where,
        test_it_sees_that_what_was_altered_does_not_extend_it_and_says_why,
    ]
    assert cases == tuple({name for name, _ in test.pytestmark[0].args[1]} for test in marks)
