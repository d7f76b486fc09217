"""`audit`: recompute logs from the store or from packs, under keys that the caller names.

Source: docs/spec/audit.md, docs/spec/pack.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from counterfoil.cli.auditing.findings import Request
from counterfoil.cli.auditing.packs import audit_packs
from counterfoil.cli.context import Place, place_options
from counterfoil.cli.findings import describe_audit
from counterfoil.cli.keys import key_option, read_keys
from counterfoil.cli.output import Progress, emit, json_option, plural, say, worst
from counterfoil.core.audit import AuditReport, undecided
from counterfoil.core.checkpoint import KeySet
from counterfoil.errors import CounterfoilError, EngineError


@click.command(
    epilog="\b\nExamples:\n  counterfoil audit --customer cust_001\n"
    "  counterfoil audit --all --key operator.vkey --json\n"
    "  counterfoil audit everyone.pack.gz --key operator.vkey --state audits.state",
)
@click.argument("packs", metavar="[PACK]...", nargs=-1)
@click.option("--customer", "customers", metavar="ID", multiple=True, help="Whose log. May be repeated.")
@click.option("--all", "all_customers", is_flag=True, help="Every log of the tenant.")
@click.option(
    "--state",
    metavar="FILE",
    help="Remember the newest checkpoint of each log of the packs, and refuse what does not go on from it.",
)
@click.option(
    "--held",
    metavar="FILE",
    multiple=True,
    help="A checkpoint, receipt, statement, dispute packet or page that you kept: its log must go on from it. May be repeated.",
)
@click.option(
    "--evidence",
    metavar="DIR",
    help="Write the two signed checkpoints of each contradiction there, for `verify`.",
)
@click.option(
    "--processes",
    metavar="N",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many audit side by side, each a log at a time.",
)
@key_option(required=False)
@json_option
@place_options
def audit(
    place: Place,
    packs: Sequence[str],
    *,
    customers: Sequence[str],
    keys: Sequence[str],
    state: str | None,
    held: Sequence[str],
    evidence: str | None,
    processes: int,
    all_customers: bool,
    as_json: bool,
) -> None:
    """Recompute logs from the bytes of a store or of packs.

    Every rule, total, signature and root is checked. Of packs nothing else is needed: no store, no network, and the keys come from --key. Of the store they come from --key or else from the key folder, never from what is audited. PACK may be - for standard input.
    """
    if (bool(packs), bool(customers), all_customers).count(True) != 1:
        raise click.UsageError("name packs, or customers with --customer, or all of them with --all")
    trusted = read_keys(keys) if keys else None
    if packs:
        if trusted is None:
            raise click.UsageError("a pack is audited with a --key that you trust")
        audit_packs(packs, trusted, Request(state, held, evidence, processes, as_json))
    elif state is not None or held or evidence is not None:
        raise click.UsageError("--state, --held and --evidence go with packs")
    else:
        _audit_store(place, None if all_customers else customers, trusted, processes, as_json=as_json)


def _audit_store(
    place: Place, customers: Sequence[str] | None, trusted: KeySet | None, processes: int, *, as_json: bool
) -> None:
    # Whoever audits packs needs neither the engine nor a store.
    from counterfoil.cli.auditing.store import auditors  # noqa: PLC0415  -- see above

    audited = _Audited(as_json=as_json)
    with (
        auditors(place, trusted, processes) as (engine, audit_each),
        Progress("audit", "entries") as progress,
    ):
        logs = engine.logs() if customers is None else dict.fromkeys(map(engine.log_of, customers))
        for log, found in audit_each(logs, progress.advance):
            audited.take(f"0x{log.hex()}", found)
    audited.summarize()
    if (error := worst(audited.refusals, audited.held)) is not None:
        raise error


class _Audited:
    """What was found, log by log."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._entries = self._uncovered = self._absent = 0
        self.held = 0
        self.refusals: list[CounterfoilError] = []

    def take(self, reference: str, found: AuditReport | CounterfoilError) -> None:
        """Say what became of a log."""
        refusal = found if isinstance(found, CounterfoilError) else undecided(found)
        if refusal is not None:
            self._refuse(reference, refusal)
        elif isinstance(found, AuditReport):
            self._hold(reference, found)

    def _refuse(self, reference: str, error: CounterfoilError) -> None:
        if self._as_json:
            emit(
                {
                    "customerReference": reference,
                    "result": error.code,
                    "message": error.message,
                    "facts": error.facts,
                }
            )
        else:
            say(f"refused  {reference}  {error.code}: {error.message}")
        self.refusals.append(EngineError(error.code, f"{reference}: {error.message}", **error.facts))

    def _hold(self, reference: str, report: AuditReport) -> None:
        uncovered = report.entries - report.covered
        self.held += 1
        self._entries += report.entries
        self._uncovered += uncovered
        self._absent += report.details_absent
        described = describe_audit(report)
        if self._as_json:
            named = {"customerReference": reference, "result": "ok", "origin": report.origin}
            emit({**named, **described.facts})
        else:
            say(f"holds    {reference}  {described.words}")

    def summarize(self) -> None:
        unchecked = ["that the log was not set back together with its checkpoints"]
        if self._uncovered:
            unchecked.append(f"a signature over {self._uncovered:,} entries that no checkpoint covers yet")
        if self._absent:
            unchecked.append(f"{self._absent:,} details that were erased")
        if self._as_json:
            counts = {"held": self.held, "refused": len(self.refusals), "entries": self._entries}
            emit({"summary": {**counts, "notChecked": unchecked}})
            return
        say(
            f"{plural(self.held, 'log')} held, {len(self.refusals):,} refused; "
            f"{self._entries:,} entries recomputed from their bytes"
        )
        if self.held:
            say(f"not checked: {'; '.join(unchecked)}")
