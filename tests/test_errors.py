"""Every code has a place that makes it: here for core, elsewhere by name for the rest; and how codes become statuses."""

import ast
import json
import pickle
import re
from pathlib import Path

import pytest

from counterfoil.core.amount import read_amount
from counterfoil.core.checkpoint import KeySet
from counterfoil.core.encoding import decode_integer, read_json
from counterfoil.core.merkle import verify_consistency, verify_inclusion
from counterfoil.core.receipt import verify_receipt
from counterfoil.core.statement_verify import verify_statement
from counterfoil.core.timestamp import read_time
from counterfoil.core.tlog_proof import parse_consistency_file, verify_consistency_file
from counterfoil.errors import (
    CODES,
    CounterfoilError,
    EngineError,
    MalformedError,
    TooLargeError,
    VerificationError,
    worst_exit,
)
from tests.core.logs import KEYS as LOG_KEYS
from tests.core.logs import Log
from tests.core.receipts import KEYS, samples
from tests.core.test_audit import LOG, checkpoint, delta, fed
from tests.core.test_tlog_proof import FILE, HASH, signed
from tests.core.test_tlog_proof import KEYS as CONSISTENCY_KEYS
from tests.support import refused

TESTS = Path(__file__).parent
# Its last entry is a second too early for the period that is asked for.
PERIOD = Log(3)
RECEIPT = next(sample.data for sample in samples() if sample.name == "7-3")

# The last byte of the salt, and what stands behind it.
SALT_END = re.search(rb'[0-9a-f]{2}","value"', RECEIPT)[0]

# One way to each code of core; the suites of tests/core have many.
OF_CORE = {
    "too-large": lambda: read_json("[]", bytes_max=1, what="text"),
    "malformed": lambda: decode_integer("01"),
    "unknown-type": lambda: verify_receipt(b'{"type":"counterfoil/receipt@v2"}', KEYS),
    "unknown-key": lambda: verify_receipt(RECEIPT, KeySet([])),
    "bad-signature": lambda: verify_receipt(RECEIPT.replace(b"\\n7\\n", b"\\n8\\n"), KEYS),
    "wrong-origin": lambda: verify_receipt(RECEIPT, KEYS, customer_id="somebody"),
    "index-mismatch": lambda: verify_inclusion(1, 1, HASH, [], HASH),
    "root-mismatch": lambda: verify_inclusion(0, 1, HASH, [], bytes(32)),
    "inconsistent": lambda: verify_consistency(0, 1, HASH, HASH, []),
    "incomplete-period": lambda: verify_statement(
        json.dumps(PERIOD.statement(0, 3, "light", period=("2026-01-01T00:00:00.000000Z", PERIOD.time(3)))),
        LOG_KEYS,
    ),
    "details-mismatch": lambda: verify_receipt(
        RECEIPT.replace(b'"salt":"', b'"salt":"00', 1).replace(SALT_END, b'","value"', 1), KEYS
    ),
    "time-order": lambda: fed(LOG[0], delta(1, 1, second=0)),
    "totals-mismatch": lambda: fed(LOG[0], delta(1, 1, plus=2 * 10**9)),
    "duplicate-key": lambda: fed(
        *LOG[:2], delta(2, 2, key="6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b")
    ),
    "missing-seal": lambda: fed(*LOG[:2], checkpoint(LOG[:2])),
    "fork": lambda: verify_consistency_file(
        signed(5, root=HASH), parse_consistency_file(FILE), CONSISTENCY_KEYS
    ),
    "invalid-field": lambda: read_time("yesterday"),
    "amount-out-of-range": lambda: read_amount("0"),
}
# The others, with the test that makes each.
ELSEWHERE = {
    "nothing-checked": "cli/test_verify.py::test_an_empty_one_is_no_success",
    "not-found": "web/test_app.py::test_a_path_that_is_not_there_is_not_found",
    "method-not-allowed": "web/test_app.py::test_another_method_is_refused_with_those_that_there_are",
    "invalid-api-key": "web/test_access.py::test_every_key_that_opens_nothing_gets_the_same_answer",
    "rate-limited": "web/test_access.py::test_a_key_that_asks_too_often_is_told_when_to_come_again",
    "insufficient-scope": "web/test_access.py::test_a_key_without_the_scope_is_refused",
    "unsupported-media-type": "web/test_bodies.py::test_a_body_of_another_kind_is_refused",
    "request-timeout": "web/test_bodies.py::test_a_body_that_does_not_arrive_in_time_is_refused",
    "invalid-scope-combination": "engine/test_windows.py::test_a_scope_that_names_none_or_several_windows_is_refused",
    "scope-too-wide": "engine/test_windows.py::test_a_scope_that_names_none_or_several_windows_is_refused",
    "customer-not-found": "engine/test_checkpoint.py::test_a_customer_that_is_not_there_is_refused",
    "record-not-found": "engine/test_prove.py::test_a_record_that_is_not_there_has_none",
    "idempotency-conflict": "engine/test_record.py::test_another_request_under_the_key_is_refused_and_nothing_is_written",
    "not-yet-checkpointed": "engine/test_prove.py::test_before_a_checkpoint_there_is_none_yet",
    "rows-refused": "cli/test_import.py::test_each_is_named_by_line_and_code",
    "clock-regressed": "engine/test_clock.py::test_more_than_five_seconds_behind_are_refused",
    "log-corrupt": "engine/test_checkpoint.py::test_nothing_is_signed",
    "fork-refused": "engine/test_checkpoint.py::test_a_head_that_was_set_back_is_not_signed_on",
    "key-mismatch": "engine/test_customers.py::test_a_store_belongs_to_the_operator_that_first_stood_over_it",
    "unsafe-settings": "storage/test_sqlite.py::test_tables_of_another_version_are_refused",
    "store-unavailable": "storage/test_sqlite.py::test_a_locked_store_is_unavailable",
    "commit-outcome-unknown": "storage/test_sqlite.py::test_an_io_error_at_commit_leaves_the_outcome_unknown",
    "out-of-space": "storage/test_sqlite.py::test_a_full_store_is_out_of_space_and_keeps_what_it_has",
    "io-error": "storage/test_sqlite.py::test_a_store_in_a_missing_folder_is_an_io_error",
    "usage": "cli/test_manners.py::test_a_wrong_call_ends_with_2_and_says_where_help_is",
    "internal": "cli/test_manners.py::test_a_defect_is_caught_with_a_reference",
}


class TestEveryCode:
    def test_each_is_made_here_or_elsewhere(self):
        assert OF_CORE.keys() | ELSEWHERE.keys() == CODES.keys()
        assert not OF_CORE.keys() & ELSEWHERE.keys()

    @pytest.mark.parametrize("code", OF_CORE)
    def test_core_makes_it(self, code):
        with refused(code) as caught:
            OF_CORE[code]()
        family = type(caught.value)
        if code in ("too-large", "malformed"):
            assert issubclass(family, MalformedError)
        else:
            assert family is (
                EngineError if code in ("invalid-field", "amount-out-of-range") else VerificationError
            )

    @pytest.mark.parametrize("code", ELSEWHERE)
    def test_a_test_that_is_there_makes_it(self, code):
        file, _, name = ELSEWHERE[code].partition("::")
        text = (TESTS / file).read_text(encoding="utf-8")
        found = [
            node
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef) and node.name == name
        ]
        assert any(code in strings_of(node) or named_by_a_constant(code, node, text) for node in found)

    @pytest.mark.parametrize("code", CODES)
    def test_its_exit_status_is_the_one_of_the_list(self, code):
        error = CounterfoilError(code, "why", got=1, want="2")
        assert error.exit_status == CODES[code]
        assert str(error) == f"{code}: why"
        assert error.facts == {"got": "1", "want": "2"}


def strings_of(node):
    return {
        found.value
        for found in ast.walk(node)
        if isinstance(found, ast.Constant) and isinstance(found.value, str)
    }


def named_by_a_constant(code, node, text):
    """Whether the function uses a constant of its module that is this code."""
    names = {found.id for found in ast.walk(node) if isinstance(found, ast.Name)}
    return any(
        isinstance(statement, ast.Assign)
        and code in strings_of(statement)
        and any(isinstance(target, ast.Name) and target.id in names for target in statement.targets)
        for statement in ast.parse(text).body
    )


class TestErrors:
    def test_a_code_that_is_not_listed_cannot_be_raised(self):
        for kind in (CounterfoilError, VerificationError, EngineError):
            with pytest.raises(ValueError, match="not a listed code"):
                kind("no-such-code", "why")

    @pytest.mark.parametrize("error", [
        MalformedError("why", got="1"), TooLargeError("why", bytes=7),
        VerificationError("fork", "why", first="a", second="b"),
        EngineError("invalid-field", "why", field="delta"),
    ], ids=lambda error: type(error).__name__)  # fmt: skip
    def test_worker_processes_can_pass_refusals_on(self, error):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301  -- our own bytes
        assert type(again) is type(error)
        assert (again.code, again.message, again.facts, str(again), again.exit_status) == (
            error.code,
            error.message,
            error.facts,
            str(error),
            error.exit_status,
        )

    @pytest.mark.parametrize(("statuses", "worst"), [
        ([], 11), ([0], 0), ([0, 0], 0), ([11, 0], 11), ([0, 11, 13], 13), ([13, 10, 0], 10),
        ([10, 12, 13, 11, 0], 12), ([12], 12), ([13, 11], 13),
        # What is no verdict outranks every verdict.
        ([0, 74], 74), ([12, 74], 74), ([20, 10], 20), ([12, 2, 0], 2), ([70, 12, 0], 70),
    ])  # fmt: skip
    def test_the_worst_of_several_decides(self, statuses, worst):
        assert worst_exit(statuses) == worst
        assert worst_exit(statuses[::-1]) == worst
