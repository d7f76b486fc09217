"""`conformance run` and `conformance respond`.

Source: docs/spec/conformance.md.
"""

from __future__ import annotations

import io
import shlex
import sys
from pathlib import Path
from typing import Final

import click

from counterfoil.cli.output import emit, json_option, say
from counterfoil.cli.respond import respond
from counterfoil.conformance.runner import RUN_SECONDS, Report, format_report, run
from counterfoil.conformance.vectors import Case, load_vectors
from counterfoil.core.encoding import excerpt
from counterfoil.errors import EXIT_INVALID, EXIT_OK, EngineError

# A day.
_RUN_SECONDS_MAX: Final = 86_400


@click.command(
    "run",
    epilog='\b\nExamples:\n  counterfoil conformance run --command "counterfoil conformance respond"\n'
    '  counterfoil conformance run --command "./my-verifier --lines" --vectors vectors',
)
@click.option(
    "--command", metavar="CMD", required=True, help="The implementation; it is started without a shell."
)
@click.option(
    "--vectors", metavar="DIR", help="Where the vectors are.  [default: those that came with counterfoil]"
)
@click.option("--topic", "topics", metavar="NAME", multiple=True, help="Only these vectors. May be repeated.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.IntRange(1, _RUN_SECONDS_MAX),
    default=RUN_SECONDS,
    show_default=True,
    help="How long the whole run may take.",
)
@json_option
def run_vectors(
    command: str, vectors: str | None, topics: tuple[str, ...], timeout: int, *, as_json: bool
) -> int:
    """Ask an implementation every vector; end with 0 if all answers are right, else with 10."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise EngineError("usage", f"--command does not read: {error}") from error
    if not words:
        raise EngineError("usage", "--command names no program")
    cases = _of_topics(load_vectors(None if vectors is None else Path(vectors)), topics)
    report = run(words, cases, run_seconds=timeout)
    if as_json:
        _emit(report)
    else:
        for line in format_report(report):
            say(line)
    return EXIT_OK if report.conforms else EXIT_INVALID


def _of_topics(cases: list[Case], topics: tuple[str, ...]) -> list[Case]:
    known = dict.fromkeys(case.topic for case in cases)
    for topic in topics:
        if topic not in known:
            raise EngineError(
                "usage", f"no vectors of the topic {excerpt(topic)}: there are {', '.join(known)}"
            )
    return [case for case in cases if not topics or case.topic in topics]


def _emit(report: Report) -> None:
    for failure in report.failures:
        case = failure.case
        emit(
            {
                "id": case.id,
                "want": case.result,
                "got": failure.got,
                "comment": case.comment,
                "spec": case.spec,
            }
        )
    for problem in report.problems:
        emit({"problem": problem})
    for count in report.counts:
        numbers = {"passed": count.passed, "failed": count.failed, "unsupported": count.unsupported}
        emit({"topic": count.topic, **numbers})


@click.command("respond", epilog="\b\nExample:\n  counterfoil conformance respond < requests.ndjson")
def respond_to_runner() -> None:
    """Answer the requests on standard input: our own implementation behind the protocol."""
    # Whatever the locale says; and only a newline ends a line.
    requests = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace", newline="\n")
    respond(requests, sys.stdout)
    requests.detach()
