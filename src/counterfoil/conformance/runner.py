"""The runner: asks an implementation every case and compares its answers.

    request   {"id": "amount/one", "op": "amount", "text": "1"}
    answer    {"id": "amount/one", "result": "ok", "output": {"nano": "1000000000"}}

A case passes where the result is the expected one and, for `ok`, the output is equal.  Whatever else the process
does is a failure of the case that it was asked; it is then started again, a few times.

Source: docs/spec/conformance.md.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from counterfoil.conformance.process import LineProcess, Violation, excerpt
from counterfoil.conformance.vectors import Case
from counterfoil.errors import CODES

UNSUPPORTED: Final = "unsupported"
# How long one answer may take, the start of the process included.
ANSWER_SECONDS: Final = 10.0
# How long a run may take, unless its caller says otherwise: a process that is slow each time would go on for hours.
RUN_SECONDS: Final = 600
# How often a process is started again before the remaining cases are given up.
RESTARTS_MAX: Final = 10
# Failures that a report in words lists; one of a program that does not start would list nothing else.
FAILURES_SHOWN_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that was not answered as it should be.

    Attributes:
        case: the case.
        got: what came instead, in words.
    """

    case: Case
    got: str


@dataclass(frozen=True, slots=True)
class TopicCount:
    """How the cases of one topic went; the three numbers add up to all of them."""

    topic: str
    passed: int
    failed: int
    unsupported: int


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run.

    Attributes:
        counts: one for each topic, in the order of the cases.
        failures: the cases that failed, in their order.
        problems: what the process did wrong beside answering, in words.
    """

    counts: tuple[TopicCount, ...]
    failures: tuple[Failure, ...]
    problems: tuple[str, ...]

    @property
    def conforms(self) -> bool:
        """Whether every case passed, none was left out, and the process kept to the protocol."""
        return not self.failures and not self.problems and not any(count.unsupported for count in self.counts)


def run(
    command: Sequence[str],
    cases: Sequence[Case],
    *,
    answer_seconds: float = ANSWER_SECONDS,
    run_seconds: float = RUN_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Report:
    """Ask a command every case, one after the other.

    Args:
        command: program and arguments.
        cases: what to ask.
        answer_seconds: how long it may take for one answer, the start included.
        run_seconds: how long it may take for all of them; cases that are left then fail.
        clock: gives seconds for the latter.

    Raises:
        EngineError: `usage`, where the command cannot be started.
    """
    problems: list[str] = []
    ends_at = clock() + run_seconds

    def seconds_left() -> float:
        return min(answer_seconds, ends_at - clock())

    verdicts = list(_ask_all(command, cases, seconds_left, problems))
    failures = [
        Failure(case, got)
        for case, got in zip(cases, verdicts, strict=True)
        if got not in (None, UNSUPPORTED)
    ]
    return Report(tuple(_count(cases, verdicts)), tuple(failures), tuple(problems))


def _ask_all(
    command: Sequence[str], cases: Sequence[Case], seconds_left: Callable[[], float], problems: list[str]
) -> Iterator[str | None]:
    """Yield for each case None where it passed, `unsupported`, or what came instead."""
    restarts = 0
    given_up = ""
    with ExitStack() as running:
        process = running.enter_context(LineProcess(command))
        for case in cases:
            left = seconds_left()
            if restarts > RESTARTS_MAX:
                given_up = f"not asked: the process failed {restarts} times"
            elif left <= 0:
                given_up = "not asked: the time for the run was over"
            if given_up:
                yield given_up
                continue
            try:
                yield _judge(case, process.ask(_request(case), left))
            except Violation as violation:
                # What comes next from this process may belong to this case: only a new one is in step again.
                yield f"the process {violation}"
                running.close()
                restarts += 1
                process = running.enter_context(LineProcess(command))
        if not given_up:
            try:
                process.finish(max(seconds_left(), 0))
            except Violation as violation:
                problems.append(f"the process {violation}")


def _request(case: Case) -> bytes:
    return json.dumps({"id": case.id, "op": case.op, **case.input}).encode("ascii") + b"\n"


def _judge(case: Case, line: bytes) -> str | None:
    """Return None where an answer is right, else what it is instead.

    Raises:
        Violation: where the line is no answer to this case.
    """
    answer = _parse(line)
    if answer.get("id") != case.id:
        raise Violation(f"answered the id {excerpt(answer.get('id'))} instead")
    result = answer.get("result")
    if not isinstance(result, str) or (result not in CODES and result not in ("ok", UNSUPPORTED)):
        return f"the result {excerpt(result)}, which is no code"
    if result == UNSUPPORTED:
        return UNSUPPORTED
    if result != case.result:
        return result
    if result == "ok" and answer.get("output") != case.output:
        return f"ok with another output: {_difference('output', case.output, answer.get('output'))}"
    return None


def _difference(place: str, want: object, got: object) -> str:
    """Say where two unequal JSON values first differ: an output may be long and differ in one digit."""
    if isinstance(want, dict) and isinstance(got, dict):
        for name in (*want, *(name for name in got if name not in want)):
            if name not in got:
                return f"{place}.{excerpt(name)} is missing"
            if name not in want:
                return f"{place}.{excerpt(name)} is too much"
            if want[name] != got[name]:
                return _difference(f"{place}.{name}", want[name], got[name])
    if isinstance(want, list) and isinstance(got, list):
        for index, (wanted, found) in enumerate(zip(want, got, strict=False)):
            if wanted != found:
                return _difference(f"{place}[{index}]", wanted, found)
        return f"{place} has {len(got)} items, want {len(want)}"
    return f"{place} is {excerpt(got)}, want {excerpt(want)}"


def _parse(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise Violation(f"wrote a line that is no JSON object: {excerpt(line)}")
    return answer


def _count(cases: Sequence[Case], verdicts: Sequence[str | None]) -> Iterator[TopicCount]:
    for topic in dict.fromkeys(case.topic for case in cases):
        of_topic = [got for case, got in zip(cases, verdicts, strict=True) if case.topic == topic]
        passed, unsupported = of_topic.count(None), of_topic.count(UNSUPPORTED)
        yield TopicCount(topic, passed, len(of_topic) - passed - unsupported, unsupported)


def format_report(report: Report) -> Iterable[str]:
    """Write a report as lines of text: the first failures, then a table of the topics with a last line of sums."""
    for failure in report.failures[:FAILURES_SHOWN_MAX]:
        yield f"FAIL {failure.case.id}: want {failure.case.result}, got {failure.got}"
        yield f"     {failure.case.comment} ({failure.case.spec})"
    if (more := len(report.failures) - FAILURES_SHOWN_MAX) > 0:
        yield f"FAIL +{more:,} more; --json lists them all"
    for problem in report.problems:
        yield f"FAIL {problem}"
    if report.failures or report.problems:
        yield ""
    total = TopicCount(
        "all",
        sum(count.passed for count in report.counts),
        sum(count.failed for count in report.counts),
        sum(count.unsupported for count in report.counts),
    )
    width = max(len("topic"), *(len(count.topic) for count in (*report.counts, total)))
    yield f"{'topic':<{width}}  passed  failed  unsupported"
    for count in (*report.counts, total):
        yield f"{count.topic:<{width}}  {count.passed:>6}  {count.failed:>6}  {count.unsupported:>11}"
