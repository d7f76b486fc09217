"""Of any number of refusals the worst is kept, of several the first, and how many there were."""

import itertools

import pytest

from counterfoil.cli.output import Refusals, worst
from counterfoil.errors import EngineError, worst_exit

CODES = ["unknown-key", "malformed", "root-mismatch", "fork", "io-error", "usage", "duplicate-key"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_it_is_the_one_whose_exit_status_decides(count):
    for codes in itertools.product(CODES, repeat=count):
        refusals = [EngineError(code, f"number {number}") for number, code in enumerate(codes)]
        status = worst_exit([refusal.exit_status for refusal in refusals])
        wanted = next(refusal for refusal in refusals if refusal.exit_status == status)
        found = worst(refusals, 5)
        assert found.code == wanted.code
        assert found.message.endswith(wanted.message)
        assert (f"{count} of {count + 5} were refused" in found.message) == (count > 1)


def test_without_any_it_is_whether_something_held():
    assert Refusals().verdict(1) is None
    assert Refusals().verdict(0).code == "nothing-checked"


def test_one_is_held_however_many_there_are():
    kept = Refusals()
    for number in range(1_000):
        kept.add(EngineError("malformed", f"number {number}"))
    assert (kept.count, kept.worst.message) == (1_000, "number 0")
    assert all(isinstance(value, int | EngineError) for value in vars(kept).values())
