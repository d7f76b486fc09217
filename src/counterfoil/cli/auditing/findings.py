"""What an audit of packs found: said as it comes, and added up.  Imports `core` only.

Source: docs/cli.md#counterfoil-audit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from counterfoil.cli.auditing.evidence import write_evidence
from counterfoil.cli.auditing.held import Kept
from counterfoil.cli.auditing.members import Finding
from counterfoil.cli.auditing.tally import Counts, Tally, UnitTotal
from counterfoil.cli.findings import amounts_in_words, amounts_of, describe_packed_log
from counterfoil.cli.output import Refusals, emit, hint, plural, quoted, say
from counterfoil.core.audit import AuditReport
from counterfoil.core.checkpoint import Checkpoint
from counterfoil.core.pack.audit import PackFinding
from counterfoil.core.pack.pins import Sighting
from counterfoil.errors import CounterfoilError, EngineError, MalformedError

# So many are named in words; a program gets all of them.
_LOGS_NAMED: Final = 3
_UNITS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of an audit besides packs and keys.

    Attributes:
        state: the file of remembered checkpoints, None where nothing is remembered.
        held: files of signed documents that the auditor kept.
        evidence: the folder for the checkpoints of contradictions, None where they are not written.
        processes: how many audit side by side.
        as_json: whether for a program.
    """

    state: str | None
    held: Sequence[str]
    evidence: str | None
    processes: int
    as_json: bool


class Audited:
    """Takes what becomes of logs and packs, in order; says it, and adds it up.

    Attributes:
        newest: where they are remembered, the newest checkpoints of logs that hold, by origin.
    """

    def __init__(self, request: Request, kept: Kept, sighted: Mapping[str, Mapping[str, Sighting]]) -> None:
        """Begin with nothing found.

        Args:
            request: what is asked for.
            kept: what the auditor kept from before.
            sighted: of several packs what each has, by name; nothing where there is one.
        """
        self._request = request
        self._kept = kept
        self._sighted = sighted
        # The logs of which something was kept, with what their largest checkpoint covers; those of them that a pack has,
        # with the most that a checkpoint of a pack covers, where it holds.
        self._known = kept.sizes()
        self._met: dict[str, int | None] = {}
        self._tally = Tally(frozenset[str]().union(*sighted.values()))
        self._whole = self._broken = 0
        self._behind = self._other = False
        self._refusals = Refusals()
        self._of_pack = Refusals()
        self._counts = Counts()
        self.newest: dict[str, Checkpoint] = {}

    def take(self, name: str, finding: Finding) -> None:
        """Take what became of a log, or of a pack as a whole."""
        if isinstance(finding, PackFinding):
            self._take_pack(name, finding)
            return
        if finding.origin in self._known:
            self._met.setdefault(finding.origin, None)
        found = finding.found
        if isinstance(found, AuditReport) and self._has_changed(name, found):
            found = MalformedError("the pack was another one when it was read before, or has the log twice")
        if isinstance(found, CounterfoilError):
            self._tally.refuse(finding.origin)
            self._refuse(name, finding.origin, found)
        else:
            self._hold(name, found)

    def _has_changed(self, name: str, report: AuditReport) -> bool:
        """Whether a log of several packs is not what the others were held against."""
        if not self._sighted:
            return False
        seen, newest = self._sighted[name].get(report.origin), report.newest
        return (
            seen is None
            or newest is None
            or (seen.newest.size, seen.newest.root) != (newest.size, newest.root)
        )

    def _take_pack(self, name: str, finding: PackFinding) -> None:
        if finding.fault is not None:
            self.refuse_pack(name, finding.fault)
            return
        self._whole += 1
        of_logs, self._of_pack = self._of_pack, Refusals()
        if self._request.as_json:
            emit(
                {
                    "file": name,
                    "origin": None,
                    # Whoever reads this line alone is to read no verdict that its logs do not bear out.
                    "result": "ok" if of_logs.worst is None else of_logs.worst.code,
                    "operator": finding.operator,
                    "logs": finding.logs,
                    "refused": of_logs.count,
                    "entries": finding.entries,
                    "checkpoints": finding.checkpoints,
                }
            )

    def _hold(self, name: str, report: AuditReport) -> None:
        self._tally.hold(report)
        if report.origin in self._known:
            self._met[report.origin] = max(self._met[report.origin] or 0, report.covered)
        if self._request.state is not None and report.newest is not None:
            before = self.newest.get(report.origin)
            if before is None or before.size <= report.newest.size:
                self.newest[report.origin] = report.newest
        described = describe_packed_log(report)
        if self._request.as_json:
            emit({"file": name, "origin": report.origin, "result": "ok", **described.facts})
            return
        where = f"{quoted(name)}  {report.origin}" if self._sighted else report.origin
        say(f"holds    {where}  {described.words}")

    def refuse_pack(self, name: str, error: CounterfoilError) -> None:
        """Take why a pack as a whole is refused."""
        self._broken += 1
        self._of_pack = Refusals()
        self._other |= error.code == "unknown-type"
        self._refuse(name, None, error)

    def _refuse(self, name: str, origin: str | None, error: CounterfoilError) -> None:
        where = quoted(name) if origin is None else f"{quoted(name)}  {origin}"
        # Checkpoints are facts of several lines: they are written out, to be kept and shown to others.
        notes = {label: fact for label, fact in error.facts.items() if "\n" in fact}
        rest = {label: fact for label, fact in error.facts.items() if label not in notes}
        self._behind |= "held" in notes
        self._refusals.add(EngineError(error.code, f"{where}: {error.message}", **rest))
        if origin is not None:
            self._of_pack.add(error)
        sources = {label: self._source_of(name, origin, note) for label, note in notes.items()}
        files, missing = self._written(notes) if error.code == "fork" else ([], [])
        if self._request.as_json:
            found: dict[str, object] = {"file": name, "origin": origin, "result": error.code}
            found |= {"message": error.message, "facts": error.facts}
            if notes:
                found["against"] = next(filter(None, sources.values()), None)
            if files:
                found["evidence"] = files
            if missing:
                found["notWritten"] = [f"{reason.code}: {reason.message}" for reason in missing]
            emit(found)
            return
        say(f"refused  {where}  {error.code}: {error.message}{_place(rest)}")
        for label, note in notes.items():
            source = sources[label]
            say(f"         {label}{f', of {quoted(source)}' if source else ''}:")
            for line in note.splitlines():
                say(f"           {line}")
        for file in files:
            say(f"         written to {quoted(file)}")
        for reason in missing:
            say(f"         not written: {reason.code}: {reason.message}")

    def _source_of(self, name: str, origin: str | None, note: str) -> str | None:
        """Return the file, besides the pack that is refused, from which a checkpoint of its log comes."""
        for other, checkpoints in self._kept.documents.items():
            if any(checkpoint.note == note for checkpoint in checkpoints):
                return other
        remembered = self._kept.remembered.get(origin or "")
        if remembered is not None and remembered.note == note:
            return self._request.state
        for other, logs in self._sighted.items():
            sighting = logs.get(origin or "")
            if other != name and sighting and sighting.newest.note == note:
                return other
        return None

    def _written(self, notes: Mapping[str, str]) -> tuple[list[str], list[CounterfoilError]]:
        """Write the checkpoints of a contradiction, where that is asked for; return the files, and why others are not.

        What lies in a folder is no finding: it takes nothing from that of the pack.
        """
        if self._request.evidence is None:
            return [], []
        return write_evidence(self._request.evidence, notes.values())

    def summarize(self) -> None:
        """Say what was checked in all, and what was not."""
        counts = self._counts = self._tally.close()
        absent = sorted(self._kept.remembered.keys() - self._met.keys())
        older = sorted(
            origin for origin, size in self._met.items() if size is not None and size < self._known[origin]
        )
        unchecked = self._unchecked(counts, absent, older)
        if self._request.as_json:
            found = {"held": counts.held, "refused": counts.refused}
            packs = {"packsWhole": self._whole, "packsRefused": self._broken}
            totals = [_total(unit, total) for unit, total in counts.units.items()]
            more = {"entries": counts.entries, "totals": totals, "absent": absent, "older": older}
            emit({"summary": found | packs | more | {"notChecked": unchecked}})
        else:
            self._say_summary(counts, unchecked)
        if self._behind:
            kept = {"--state": self._kept.remembered, "--held": self._kept.documents}
            options = " and ".join(option for option, held in kept.items() if held)
            hint(f"an older pack? audit it without {options}; otherwise the log was set back")
        if self._other:
            hint("a receipt, a statement or a dispute packet is verified, not audited: `counterfoil verify`")

    def _say_summary(self, counts: Counts, unchecked: Sequence[str]) -> None:
        say(
            f"{plural(counts.held, 'log')} held, {counts.refused:,} refused; "
            f"{plural(self._whole, 'pack')} whole, {self._broken:,} refused; "
            f"{plural(counts.entries, 'entry')} of logs that hold, recomputed from their bytes"
        )
        for unit, total in list(counts.units.items())[:_UNITS_SHOWN]:
            amounts = amounts_in_words(amounts_of(total.credits, total.debits), unit)
            say(f"total    {plural(total.logs, 'log')}, {plural(total.deltas, 'delta')}, {amounts}")
        if (more := len(counts.units) - _UNITS_SHOWN) > 0:
            say(f"total    {plural(more, 'more unit')}; --json has them all")
        if counts.held:
            say(f"not checked: {'; '.join(unchecked)}")

    def _unchecked(self, counts: Counts, absent: Sequence[str], older: Sequence[str]) -> list[str]:
        """Return what was not checked, in words."""
        unchecked = ["that the packs have all logs, and the newest entries of each"]
        if self._request.state is None:
            others = "the other logs" if self._kept.documents else "the logs"
            unchecked.append(f"that {others} go on from what was seen before (--state)")
        if counts.uncovered:
            unchecked.append(f"a signature over {counts.uncovered:,} entries that no checkpoint covers")
        if counts.details_absent:
            unchecked.append(f"{counts.details_absent:,} details that are not in the packs")
        if absent:
            verb = "is" if len(absent) == 1 else "are"
            unchecked.append(
                f"{plural(len(absent), 'log')} seen before {verb} in no pack now{_named(absent)}"
            )
        if older:
            verb = "has" if len(older) == 1 else "have"
            unchecked.append(
                f"{plural(len(older), 'log')} {verb} no checkpoint as new as one seen before{_named(older)}"
            )
        for name, checkpoints in self._kept.documents.items():
            if (origin := checkpoints[0].origin) not in self._met:
                unchecked.append(f"{quoted(name)}, whose log is in no pack: {origin}")
        unchecked.append("that no customer has two logs")
        return unchecked

    def verdict(self) -> CounterfoilError | None:
        """Return the worst refusal, None where everything holds."""
        return self._refusals.verdict(self._counts.held + self._whole, "logs and packs")


def _named(origins: Sequence[str]) -> str:
    among = ", among them" if len(origins) > _LOGS_NAMED else ""
    return f"{among}: {', '.join(origins[:_LOGS_NAMED])}"


def _place(facts: Mapping[str, str]) -> str:
    """Say where in a pack it is, as far as that is known."""
    known = [f"{label} {facts[label]}" for label in ("line", "index") if label in facts]
    return f" ({', '.join(known)})" if known else ""


def _total(unit: str, total: UnitTotal) -> dict[str, object]:
    amounts = amounts_of(total.credits, total.debits)
    return {"unit": unit, "logs": total.logs, "deltas": total.deltas, **amounts}
