"""`audit PACK...`: recompute logs from evidence packs, offline.  Imports `core` only.

Source: docs/spec/pack.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from counterfoil.cli.files import describe_os_error
from counterfoil.cli.findings import describe_audit
from counterfoil.cli.held import read_state, write_state
from counterfoil.cli.output import Progress, emit, plural, quoted, say, worst
from counterfoil.cli.pack_auditors import Audit, Finding, findings_of, open_pack
from counterfoil.core.audit import AuditReport
from counterfoil.core.checkpoint import Checkpoint, KeySet
from counterfoil.core.pack_audit import LogFinding, PackFinding
from counterfoil.errors import CounterfoilError, EngineError


def audit_packs(
    names: Sequence[str], keys: KeySet, *, state: str | None, processes: int, as_json: bool
) -> None:
    """Audit packs, say what was found, and remember the newest checkpoints where all of it holds.

    Args:
        names: of files; `-` is standard input.
        keys: that the auditor trusts.
        state: the file of remembered checkpoints, None where nothing is remembered.
        processes: how many audit side by side.
        as_json: whether for a program.

    Raises:
        CounterfoilError: the worst finding.
    """
    held = read_state(state) if state is not None else {}
    audited = _Audited(remembers=state is not None, as_json=as_json)
    with Progress("audit", "lines") as progress:
        for name in names:
            try:
                with open_pack(name) as stream:
                    for finding in findings_of(Audit(stream, keys, held), processes, progress.advance):
                        audited.take(name, finding)
            except OSError as error:
                audited.refuse(name, describe_os_error(error))
            except EngineError as error:
                audited.refuse(name, error)
            # A later pack is held against an earlier one of this very call, too.
            if state is not None:
                held |= audited.newest
    audited.summarize()
    if (verdict := worst(audited.refusals, audited.held_logs)) is not None:
        raise verdict
    if state is not None:
        write_state(state, held)


class _Audited:
    """What was found, log by log.

    Attributes:
        newest: of logs that hold the newest checkpoints, by origin.
        held_logs: how many logs hold.
        refusals: of logs and packs, in order.
    """

    def __init__(self, *, remembers: bool, as_json: bool) -> None:
        self._remembers = remembers
        self._as_json = as_json
        self._entries = self._uncovered = self._details = 0
        self._missing: set[str] = set()
        self.newest: dict[str, Checkpoint] = {}
        self.held_logs = 0
        self.refusals: list[CounterfoilError] = []

    def take(self, name: str, finding: Finding) -> None:
        """Say what became of a log, or of the pack."""
        if isinstance(finding, PackFinding):
            self._take_pack(name, finding)
        elif isinstance(finding.found, CounterfoilError):
            self.refuse(name, finding.found, finding.origin)
        else:
            self._hold(name, finding, finding.found)

    def _take_pack(self, name: str, finding: PackFinding) -> None:
        self._missing.update(finding.absent)
        if finding.fault is not None:
            self.refuse(name, finding.fault)
        elif self._as_json:
            emit(
                {
                    "file": name,
                    "origin": None,
                    "result": "ok",
                    "operator": finding.operator,
                    "logs": finding.logs,
                    "entries": finding.entries,
                    "checkpoints": finding.checkpoints,
                    "absent": list(finding.absent),
                }
            )

    def refuse(self, name: str, error: CounterfoilError, origin: str | None = None) -> None:
        """Say why a log is refused, or a pack where there is no origin."""
        where = quoted(name) if origin is None else f"{quoted(name)}  {origin}"
        if self._as_json:
            emit(
                {
                    "file": name,
                    "origin": origin,
                    "result": error.code,
                    "message": error.message,
                    "facts": error.facts,
                }
            )
        else:
            say(f"refused  {where}  {error.code}: {error.message}")
            for label, note in error.facts.items() if error.code == "fork" else ():
                # Both checkpoints, to be kept and shown to others.
                say(f"         {label}:")
                for line in note.splitlines():
                    say(f"           {line}")
        facts = {} if error.code == "fork" else error.facts
        self.refusals.append(EngineError(error.code, f"{where}: {error.message}", **facts))

    def _hold(self, name: str, finding: LogFinding, report: AuditReport) -> None:
        uncovered = report.entries - report.covered
        self.held_logs += 1
        self._entries += report.entries
        self._uncovered += uncovered
        self._details += report.details_absent
        if report.newest is not None:
            self.newest[finding.origin] = report.newest
        described = describe_audit(report)
        if self._as_json:
            emit({"file": name, "origin": finding.origin, "result": "ok", **described.facts})
        else:
            say(f"holds    {finding.origin}  {described.words}")

    def summarize(self) -> None:
        """Say what was checked in all, and what was not."""
        unchecked = ["that the packs have all logs, and the newest entries of each"]
        if not self._remembers:
            unchecked.append("that the logs go on from what was seen before (--state)")
        if self._uncovered:
            unchecked.append(f"a signature over {self._uncovered:,} entries that no checkpoint covers")
        if self._details:
            unchecked.append(f"{self._details:,} details that are not in the packs")
        missing = sorted(self._missing - self.newest.keys())
        if missing:
            unchecked.append(f"{plural(len(missing), 'log')} seen before and in no pack now: {missing[0]}")
        unchecked.append("that no customer has two logs")
        if self._as_json:
            counts = {"held": self.held_logs, "refused": len(self.refusals), "entries": self._entries}
            emit({"summary": {**counts, "notChecked": unchecked}})
            return
        say(
            f"{plural(self.held_logs, 'log')} held, {len(self.refusals):,} refused; "
            f"{self._entries:,} entries recomputed from their bytes"
        )
        if self.held_logs:
            say(f"not checked: {'; '.join(unchecked)}")
