"""`audit PACK...`: recompute logs from evidence packs, offline.  Imports `core` only.

Source: docs/spec/pack.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing

from counterfoil.cli.auditing.evidence import check_folder
from counterfoil.cli.auditing.files import PackFiles, lines_of
from counterfoil.cli.auditing.findings import Audited, Request
from counterfoil.cli.auditing.held import Kept, read_held
from counterfoil.cli.auditing.members import Audit, findings_of
from counterfoil.cli.auditing.state import open_state
from counterfoil.cli.files import describe_os_error
from counterfoil.cli.output import Progress
from counterfoil.core.checkpoint import KeySet
from counterfoil.core.pack.pins import Sighting, pins_of_packs, sight_pack
from counterfoil.errors import EngineError


def audit_packs(names: Sequence[str], keys: KeySet, request: Request) -> None:
    """Audit packs, say what was found, and remember the newest checkpoints where all of it holds.

    Args:
        names: of files; `-` is standard input.
        keys: that the auditor trusts.
        request: what else is asked for.

    Raises:
        CounterfoilError: the worst finding, or what is wrong with the request.
    """
    if request.evidence is not None:
        check_folder(request.evidence)
    with ExitStack() as stack:
        # From reading to writing it is this audit's alone; and what is wrong with it is said before hours of work.
        state = None if request.state is None else stack.enter_context(open_state(request.state))
        documents = {name: read_held(name, keys) for name in request.held}
        kept = Kept({} if state is None else state.remembered, documents)
        audited = _audit(stack.enter_context(PackFiles()), names, keys, kept, request)
        if (verdict := audited.verdict()) is not None:
            raise verdict
        if state is not None:
            state.remember(audited.newest)


def _audit(files: PackFiles, names: Sequence[str], keys: KeySet, kept: Kept, request: Request) -> Audited:
    """Audit packs, and say what was found."""
    # One alone is held against nothing but what was kept.
    sighted = _sighted(files, names, keys) if len(names) > 1 else []
    pins = pins_of_packs(sighted, kept.pins()) if sighted else [kept.pins()]
    audited = Audited(request, kept, dict(zip(names, sighted, strict=bool(sighted))))
    with Progress("audit", "lines") as progress:
        for name, held in zip(names, pins, strict=True):
            try:
                with (
                    files.open(name) as stream,
                    closing(
                        findings_of(Audit(stream, keys, held), request.processes, progress.advance)
                    ) as findings,
                ):
                    for finding in findings:
                        audited.take(name, finding)
            except OSError as error:
                audited.refuse_pack(name, describe_os_error(error))
            except EngineError as error:
                audited.refuse_pack(name, error)
    audited.summarize()
    return audited


def _sighted(files: PackFiles, names: Sequence[str], keys: KeySet) -> list[dict[str, Sighting]]:
    """Return what each pack has of each log; of one that cannot be read, that it has none: its audit says why."""
    found: list[dict[str, Sighting]] = []
    with Progress("read", "lines") as progress:
        for name in names:
            try:
                with files.open(name) as stream:
                    found.append(sight_pack(lines_of(stream, progress.advance), keys))
            except (OSError, EngineError):
                found.append({})
    return found
