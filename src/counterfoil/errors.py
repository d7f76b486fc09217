"""Every refusal, with its stable code.

A code means the same in five places: the exception, `docs/spec/errors.md`, a vector, an HTTP problem and the
line that the command prints.  Three families say whose fault it is:

- `MalformedError`: the bytes do not keep to the format.
- `VerificationError`: the bytes are well formed, the claim they make does not hold, or cannot be decided.
- `EngineError`: the request, the state or the world stands in the way of an operation.

`CODES` is in order of precedence.  The first failing step of a format's numbered verification steps decides the
code; within one step the order that its page states, else the code that stands earlier in the list.

Source: docs/spec/errors.md.
"""

from __future__ import annotations

import hashlib
import traceback
from typing import Final

EXIT_OK: Final = 0
EXIT_USAGE: Final = 2
EXIT_INVALID: Final = 10
EXIT_INCONCLUSIVE: Final = 11
EXIT_FORK: Final = 12
EXIT_MALFORMED: Final = 13
EXIT_REJECTED: Final = 14
EXIT_REFUSED: Final = 20
EXIT_INTERNAL: Final = 70
EXIT_IO: Final = 74

# code -> exit status of the command line.  Insertion order is precedence; a code is never renamed or reused.
CODES: Final[dict[str, int]] = {
    # The bytes.
    "too-large": EXIT_MALFORMED,
    "malformed": EXIT_MALFORMED,
    # The claim.
    "unknown-type": EXIT_INCONCLUSIVE,
    "unknown-key": EXIT_INCONCLUSIVE,
    "bad-signature": EXIT_INVALID,
    "wrong-origin": EXIT_INVALID,
    "index-mismatch": EXIT_INVALID,
    "root-mismatch": EXIT_INVALID,
    "inconsistent": EXIT_INVALID,
    "incomplete-period": EXIT_INCONCLUSIVE,
    "details-mismatch": EXIT_INVALID,
    "time-order": EXIT_INVALID,
    "totals-mismatch": EXIT_INVALID,
    "duplicate-key": EXIT_INVALID,
    "missing-seal": EXIT_INVALID,
    "fork": EXIT_FORK,
    "nothing-checked": EXIT_INCONCLUSIVE,
    # The request.  Of HTTP: where it goes, who asks, how it is written.
    "not-found": EXIT_REJECTED,
    "method-not-allowed": EXIT_REJECTED,
    "invalid-api-key": EXIT_REJECTED,
    "rate-limited": EXIT_REJECTED,
    "insufficient-scope": EXIT_REJECTED,
    "unsupported-media-type": EXIT_REJECTED,
    "request-timeout": EXIT_REJECTED,
    # The request.  What it asks for.
    "invalid-field": EXIT_REJECTED,
    "amount-out-of-range": EXIT_REJECTED,
    "invalid-scope-combination": EXIT_REJECTED,
    "scope-too-wide": EXIT_REJECTED,
    "customer-not-found": EXIT_REJECTED,
    "record-not-found": EXIT_REJECTED,
    "idempotency-conflict": EXIT_REJECTED,
    "not-yet-checkpointed": EXIT_INCONCLUSIVE,
    "rows-refused": EXIT_REJECTED,
    # The state.
    "clock-regressed": EXIT_REFUSED,
    "log-corrupt": EXIT_REFUSED,
    "fork-refused": EXIT_REFUSED,
    "key-mismatch": EXIT_REFUSED,
    "unsafe-settings": EXIT_REFUSED,
    # The world.
    "store-unavailable": EXIT_IO,
    "commit-outcome-unknown": EXIT_IO,
    "out-of-space": EXIT_IO,
    "io-error": EXIT_IO,
    "usage": EXIT_USAGE,
    "internal": EXIT_INTERNAL,
}

_REFERENCE_DIGITS: Final = 8

# How the verdicts of several findings meet: the worst stands first.
_WORST_FIRST: Final = (EXIT_FORK, EXIT_INVALID, EXIT_MALFORMED, EXIT_INCONCLUSIVE, EXIT_OK)


def worst_exit(statuses: list[int]) -> int:
    """Return the exit status of several verdicts: the worst in the order 12, 10, 13, 11, 0.

    A status that is no verdict (an I/O error, a refusal to start) outranks every verdict: what could not be
    read was not checked.  No verdict at all is `nothing-checked`.
    """
    if not statuses:
        return EXIT_INCONCLUSIVE
    others = [status for status in statuses if status not in _WORST_FIRST]
    return max(others) if others else min(statuses, key=_WORST_FIRST.index)


class CounterfoilError(Exception):
    """A refusal: a stable code, a sentence for a person, and the facts that it rests on.

    Attributes:
        code: one of `CODES`.
        message: why, in words; lower case, no full stop.
        facts: what was found and what was wanted, as text; what is None is left out.
    """

    def __init__(self, code: str, message: str, **facts: object) -> None:
        if code not in CODES:  # A code outside the list would have no exit status and no page.
            raise ValueError(f"not a listed code: {code!r}")
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.facts: dict[str, str] = {name: str(value) for name, value in facts.items() if value is not None}

    @property
    def exit_status(self) -> int:
        """The exit status of a command that ends with this refusal."""
        return CODES[self.code]

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by code and message, so that worker processes can pass refusals on."""
        return (_rebuild, (type(self), self.code, self.message, self.facts))


def _rebuild(
    kind: type[CounterfoilError], code: str, message: str, facts: dict[str, str]
) -> CounterfoilError:
    error = kind.__new__(kind)
    CounterfoilError.__init__(error, code, message, **facts)
    return error


class MalformedError(CounterfoilError):
    """The bytes do not keep to the format: `malformed`, or `too-large` where a bound is passed."""

    def __init__(self, message: str, *, code: str = "malformed", **facts: object) -> None:
        super().__init__(code, message, **facts)


class TooLargeError(MalformedError):
    """A bound of `counterfoil.limits` is passed; nothing behind the bound was read."""

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message, code="too-large", **facts)


class VerificationError(CounterfoilError):
    """A claim that does not hold (exit 10 or 12) or cannot be decided (exit 11)."""


class EngineError(CounterfoilError):
    """An operation that was refused because of the request, the state or the world.

    Nothing of what was refused is recorded or signed.  With `rows-refused` the other rows are; with
    `commit-outcome-unknown` nobody can tell before the request is sent again.
    """


class ConflictError(EngineError):
    """`store-unavailable` because of another transaction: nothing was done, and the same work at once again may pass."""

    def __init__(self, message: str, *, code: str = "store-unavailable", **facts: object) -> None:
        super().__init__(code, message, **facts)


def defect_of(error: BaseException, version: str) -> EngineError:
    """Return the refusal `internal` that an exception stands for which nobody expected.

    The same defect has the same reference: type and place, and nothing of the data.

    Args:
        error: the exception.
        version: of this package.
    """
    frames = traceback.extract_tb(error.__traceback__)
    trail = [type(error).__name__, version, *(f"{frame.name}:{frame.lineno}" for frame in frames)]
    reference = hashlib.sha256("\n".join(trail).encode()).hexdigest()[:_REFERENCE_DIGITS]
    place = f"{frames[-1].name} line {frames[-1].lineno}" if frames else "nowhere"
    return EngineError("internal", f"{type(error).__name__} in {place}, reference {reference}")
