"""Processes that audit a pack together: findings in order, none too far ahead, and one verdict on one pack."""

import fcntl
import multiprocessing
from contextlib import closing

import pytest

from counterfoil.cli.auditing.members import (
    _AHEAD_MAX,
    _FINDINGS_AT_ONCE,
    Audit,
    _in_order,
    _Share,
    findings_of,
)
from counterfoil.core.pack.audit import LogFinding, PackFinding, audit_share
from counterfoil.errors import VerificationError
from tests.core.logs import KEYS, OPERATOR
from tests.core.test_pack_audit import FIRST, LAST, LOG, pack_of, written
from tests.support import refused

PIPE_BYTES = 1_048_576


def finding(number):
    return LogFinding(number, f"{OPERATOR}/t/0x{number:040x}", VerificationError("unknown-key", "none"))


def whole(logs=0):
    return PackFinding(OPERATOR, logs, 0, 0, 1, (), None)


def told(*messages):
    """A share whose process has said all of that, and gone."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    fcntl.fcntl(theirs.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    with closing(theirs):
        for message in messages:
            theirs.send(message)
    return _Share(ours)


def numbers(shares, progress=lambda _: None):
    """The numbers of the findings, in the order in which they come; the pack's is None."""
    return [getattr(one, "number", None) for one in _in_order(shares, progress)]


def batches(numbered):
    """Findings of these numbers as they are handed over."""
    found = [finding(number) for number in numbered]
    return [found[start : start + _FINDINGS_AT_ONCE] for start in range(0, len(found), _FINDINGS_AT_ONCE)]


class TestOrder:
    @pytest.mark.parametrize("count", [1, 2, 3, 5])
    @pytest.mark.parametrize("logs", [0, 1, 2, 7, 300])
    def test_findings_come_by_the_numbers_of_the_logs(self, count, logs):
        shares = [
            told(*batches(range(number, logs, count)), 7, [whole(logs if not number else 0)])
            for number in range(count)
        ]
        assert numbers(shares) == [*range(logs), None]

    def test_who_is_far_ahead_waits(self):
        logs = 6_000
        # The first is at a large log, and says only how far it is.
        slow = told(*[1] * 2_000, *batches(range(0, logs, 2)), [whole(logs)])
        fast = told(*batches(range(1, logs, 2)), [whole()])
        ahead = []
        assert numbers([slow, fast], lambda _: ahead.append(len(fast.waiting))) == [*range(logs), None]
        assert _AHEAD_MAX <= max(ahead) < _AHEAD_MAX + _FINDINGS_AT_ONCE

    @pytest.mark.parametrize("gone", [0, 1])
    def test_one_that_says_no_end_was_killed(self, gone):
        messages = [[*batches(range(number, 10, 2)), [whole(10)]] for number in (0, 1)]
        messages[gone].pop()
        with refused("internal"):
            numbers([told(*each) for each in messages])

    def test_what_one_could_not_read_is_raised(self):
        with refused("unknown-key"):
            numbers([told(*batches([0])), told(VerificationError("unknown-key", "none"))])


class Several(Audit):
    """An audit of a pack that each process sees otherwise."""

    __slots__ = ()

    def share(self, share, progress):
        del progress
        logs = ([FIRST, LOG, LAST], [FIRST, LOG], [FIRST])[share[0]]
        return audit_share(lambda: written(pack_of(*logs)), KEYS, share=share)


def test_a_pack_that_was_another_one_for_each_process_is_refused():
    *logs, last = findings_of(Several(None, KEYS, {}), 3, lambda _: None)
    assert last.fault.code == "malformed"
    assert [one.number for one in logs] == [*range(len(logs))]
