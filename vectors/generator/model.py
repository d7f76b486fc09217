"""Cases, topics, and how they are written as files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SOURCE = "made by vectors/generate.py; dedicated to the public domain (CC0-1.0), or Apache-2.0 where that suits better"


class Case(NamedTuple):
    """One vector: a request and the answer that a conforming implementation gives.

    `output` is None in a case that must be refused.
    """

    slug: str
    comment: str
    spec: str
    op: str
    input: dict[str, Any]
    result: str
    output: dict[str, Any] | None


class Topic(NamedTuple):
    """All cases of one format.  `by_step` writes a file of refusals for each step instead of one."""

    name: str
    about: str
    cases: list[Case]
    by_step: bool = False


class Maker(NamedTuple):
    """Makes the cases of one operation whose rules stand on one spec page."""

    op: str
    page: str

    def accept(
        self, slug: str, comment: str, anchor: str, request: dict[str, Any], output: dict[str, Any]
    ) -> Case:
        """Make a case that must pass with exactly this output."""
        return Case(slug, comment, f"docs/spec/{self.page}#{anchor}", self.op, request, "ok", output)

    def refuse(self, slug: str, comment: str, anchor: str, request: dict[str, Any], code: str) -> Case:
        """Make a case that must be refused with this code, at the step that the anchor names."""
        return Case(slug, comment, f"docs/spec/{self.page}#{anchor}", self.op, request, code, None)


def files(topics: Iterable[Topic]) -> Iterator[tuple[str, bytes]]:
    """Return the path below `vectors/` and the bytes of every file."""
    for topic in topics:
        slugs = [case.slug for case in topic.cases]
        if twice := {slug for slug in slugs if slugs.count(slug) > 1}:
            raise ValueError(f"{topic.name} has cases of one name: {sorted(twice)}")
        groups: dict[str, list[Case]] = {}
        for case in topic.cases:
            groups.setdefault(_group(topic, case), []).append(case)
        for group, cases in groups.items():
            yield f"{topic.name}/{group}.json", _document(topic, cases)


def _group(topic: Topic, case: Case) -> str:
    if case.result == "ok":
        return "accepted"
    anchor = case.spec.partition("#")[2].removeprefix(f"{topic.name}-")
    return f"refused-at-{anchor}" if topic.by_step else "refused"


def _document(topic: Topic, cases: list[Case]) -> bytes:
    document = {
        "$schema": "../schema.json",
        "topic": topic.name,
        "about": topic.about,
        "source": SOURCE,
        "cases": [_case(topic, case) for case in cases],
    }
    # Everything outside ASCII is escaped: a reader sees U+2028 and full-width digits, and no editor changes them.
    return json.dumps(document, indent=2, ensure_ascii=True).encode("ascii") + b"\n"


def _case(topic: Topic, case: Case) -> dict[str, Any]:
    members = {
        "id": f"{topic.name}/{case.slug}",
        "comment": case.comment,
        "spec": case.spec,
        "op": case.op,
        "input": case.input,
        "result": case.result,
    }
    return members if case.output is None else {**members, "output": case.output}
