"""What people and pipes see.  All commands speak through this module.

Manners:

- Results go to standard output, one finding a line.  With `--json` each finding is a JSON object on a line, and
  everything outside ASCII in it is escaped.
- All else goes to standard error, as `counterfoil: error: CODE: words` and `counterfoil: hint: words`.  Lower case,
  no full stop.  Success says nothing there.
- A command that refuses ends with one error line, the worst, and that line's code decides the exit status.
- Long work shows one line of progress on standard error where that is a terminal, and wipes it in the end.
- Text from outside may hold anything: control characters, line breaks, what reorders text and what nobody would see are
  shown escaped.
- A document on standard output is its bytes, whatever the locale.

Source: docs/spec/errors.md.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Final, TypeVar

import click

from counterfoil.core.shown import UNSEEN
from counterfoil.errors import CounterfoilError, EngineError, worst_exit

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")

_WIPE: Final = "\r\x1b[K"
_REDRAW_SECONDS: Final = 0.1
# A unit that no reader takes for more of the figure before it: a letter or a sign of currency first, and no exponent.
_UNIT: Final = re.compile(r"(?![eE][0-9])[A-Za-z$%][^\"]*")
_NOT_IN_A_WORD: Final = re.compile(r"[\s\"'\\]")

# What to do next, where the code alone tells it.
_HINTS: Final = {
    "unknown-key": "get the operator's verifier key by a way that you trust; never from what it is to verify",
    "not-yet-checkpointed": "run `counterfoil checkpoint`",
    "key-mismatch": "name the key folder that belongs to the store with --keys",
    "clock-regressed": "put the host's clock right, then run the command again",
    "log-corrupt": "stop writing, keep the store as it is, and run `counterfoil audit --all`",
    "commit-outcome-unknown": "run the command again with the same idempotency key: nothing is recorded twice",
    "store-unavailable": "the store is busy or away: try again",
    "idempotency-conflict": "the key stands for another delta: a new delta needs a new key",
    "fork": "keep both documents: together they prove that two histories were signed",
    "rows-refused": "correct those rows and run the command again: what an import has recorded stays recorded once",
    "nothing-checked": "zero checks are never a success",
}

json_option: Final = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


def escape(text: str) -> str:
    r"""Return text as one printable line: what a terminal would act on is written out, as in `\x1b`."""
    if not text.isprintable():
        text = "".join(
            character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
            for character in text
        )
    # Of what a terminal prints some is seen by nobody all the same: what has no width, fillers.
    return UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def escape_json(document: str) -> str:
    r"""Return a JSON document with its unprintable characters as `\u` escapes: the same value, fit for a terminal."""
    # Canonical JSON has such characters inside strings only.
    printable = "".join(
        character if character.isprintable() else json.dumps(character)[1:-1] for character in document
    )
    return UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], printable)


def say(line: str = "") -> None:
    """Write a line for a person to standard output."""
    _STATUS.wipe()
    sys.stdout.write(escape(line) + "\n")


def put(document: bytes) -> None:
    """Write a document to standard output byte for byte: unlike a line for a person, it knows no locale."""
    _STATUS.wipe()
    # What was said before it comes before it.
    sys.stdout.flush()
    sys.stdout.buffer.write(document)
    sys.stdout.buffer.flush()


def quoted(name: str) -> str:
    """Return the name of a file as it stands in a line for a person.

    In quotes where it holds spaces or quotes: else a name could go on as a verdict does.
    """
    return json.dumps(name, ensure_ascii=False) if _NOT_IN_A_WORD.search(name) else name


def emit(finding: Mapping[str, object]) -> None:
    """Write a finding for a program to standard output."""
    _STATUS.wipe()
    sys.stdout.write(json.dumps(finding) + "\n")


class AdvisedError(EngineError):
    """A refusal of which the command knows better than its code what to do next."""

    def __init__(self, error: EngineError, advice: str) -> None:
        """Say what another refusal does, and advise.

        Args:
            error: the other one.
            advice: what to do next, as `hint` takes it.
        """
        super().__init__(error.code, error.message, **error.facts)
        self.advice = advice


def complain(error: CounterfoilError, *, advise: bool = True) -> None:
    """Write a refusal to standard error, with the facts that it rests on and what to do next."""
    facts = ", ".join(f"{name} {value}" for name, value in error.facts.items())
    _to_stderr(f"error: {error.code}: {error.message}" + (f" ({facts})" if facts else ""))
    words = error.advice if isinstance(error, AdvisedError) else _HINTS.get(error.code)
    if advise and words is not None:
        hint(words)


def hint(words: str) -> None:
    """Write advice to standard error."""
    _to_stderr(f"hint: {words}")


def _to_stderr(words: str) -> None:
    # The two streams may share a terminal.
    sys.stdout.flush()
    _STATUS.wipe()
    sys.stderr.write(f"counterfoil: {escape(words)}\n")
    sys.stderr.flush()


class Refusals:
    """Counts refusals and keeps the worst of them, of several the first: there may be any number.

    Attributes:
        count: how many there were.
        worst: the one that stands for all, None where there is none.
    """

    def __init__(self) -> None:
        self.count = 0
        self.worst: CounterfoilError | None = None

    def add(self, error: CounterfoilError) -> None:
        """Take the next one."""
        self.count += 1
        status = error.exit_status
        if self.worst is None or worst_exit([self.worst.exit_status, status]) != self.worst.exit_status:
            self.worst = error

    def verdict(self, passed: int, of: str = "") -> CounterfoilError | None:
        """Return the refusal that stands for all, with how many there were; None where there is none.

        Args:
            passed: how many checks held.
            of: what they were of, where that is not plain.

        Returns:
            `nothing-checked`, where neither a check held nor one was refused.
        """
        if self.worst is None:
            return None if passed else EngineError("nothing-checked", "there was nothing to check")
        if self.count == 1:
            return self.worst
        many = f"{self.count + passed} {of}".rstrip()
        words = f"{self.count} of {many} were refused; the worst: {self.worst.message}"
        return EngineError(self.worst.code, words, **self.worst.facts)


def worst(refusals: Iterable[CounterfoilError], passed: int) -> CounterfoilError | None:
    """Return the verdict of refusals in the order in which they were found, as `Refusals.verdict`."""
    counted = Refusals()
    for refusal in refusals:
        counted.add(refusal)
    return counted.verdict(passed)


def in_unit(amounts: str, unit: str) -> str:
    """Write amounts with the unit behind them; one that may be read as more digits stands in quotes, as in `490 "000"`."""
    return f"{amounts} {unit if _UNIT.fullmatch(unit) else json.dumps(unit)}"


def plural(count: int, noun: str) -> str:
    """Return `1 delta`, `1,200 deltas`."""
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y"):
        return f"{count:,} {noun[:-1]}ies"
    return f"{count:,} {noun}{'es' if noun.endswith('sh') else 's'}"


class _StatusLine:
    """The line of progress: there is one terminal, so there is one."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, text: str) -> None:
        sys.stderr.write(_WIPE + escape(text))
        sys.stderr.flush()
        self._shown = True

    def wipe(self) -> None:
        if self._shown:
            sys.stderr.write(_WIPE)
            sys.stderr.flush()
            self._shown = False


_STATUS: Final = _StatusLine()


class Progress:
    """Shows how far long work has come; silent where standard error is no terminal.

    Use as a context: the line is gone when the block ends.
    """

    def __init__(
        self, label: str, noun: str, total: int | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._label = label
        self._noun = noun
        self._total = total
        self._clock = clock
        self._done = 0
        self._due = 0.0
        self._wanted = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _STATUS.wipe()

    def advance(self, count: int = 1) -> None:
        """Say that so many more are done."""
        self._done += count
        if self._wanted and (now := self._clock()) >= self._due:
            self._due = now + _REDRAW_SECONDS
            of = f" of {self._total:,}" if self._total is not None else ""
            _STATUS.show(f"{self._label}: {self._done:,}{of} {self._noun}")

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items, counting each when the next is asked for."""
        for item in items:
            yield item
            self.advance()
