"""`verify`: offline, from files and the caller's keys alone.  Imports `core` only.

Source: docs/spec/receipt.md, docs/spec/statement.md, docs/spec/tlog-proof.md, docs/spec/checkpoint.md;
docs/spec/consistency.md#fork.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import click

from counterfoil.cli.check import Check
from counterfoil.cli.delta_table import DeltaTable
from counterfoil.cli.documents import PAGE_FILE, PROOF_SUFFIX, RECORD_SUFFIX, is_left_of_page
from counterfoil.cli.files import (
    describe_os_error,
    open_input,
    require_different,
    require_replaceable,
    write_output,
)
from counterfoil.cli.keys import key_option, read_keys
from counterfoil.cli.output import emit, hint, json_option, plural, quoted, say, worst
from counterfoil.cli.statement_totals import total_facts, total_line
from counterfoil.errors import CounterfoilError, EngineError

# What of a folder is verified.
_SUFFIXES: Final = (".json", ".checkpoint", PROOF_SUFFIX)
# Of these only pages of ours: any other program writes such files too.
_PAGE_SUFFIXES: Final = (".html", ".htm")


@click.command(
    epilog="\b\nExamples:\n  counterfoil verify receipt.json --key operator.vkey\n"
    "  counterfoil verify statement.json receipts --key operator.vkey --customer cust_001 --json\n"
    "  counterfoil verify receipts --key operator.vkey --csv receipts.csv",
)
@click.argument("paths", metavar="FILE|DIR...", nargs=-1, required=True)
@key_option(required=True)
@click.option("--origin", metavar="O", help="The log that all must be of.")
@click.option("--customer", metavar="ID", help="The customer that all must name.")
@click.option(
    "--allow-provisional",
    is_flag=True,
    help="Take statements of a period that goes on, complete through some instant before its end.",
)
@click.option(
    "--csv",
    "table",
    metavar="FILE",
    help="Where all of it holds, write the deltas of receipts and full statements there too, as a table.",
)
@click.option(
    "--html",
    "page",
    metavar="FILE",
    help="Where it holds, write the one receipt or statement there too, as a page for people.",
)
@json_option
def verify(
    paths: Sequence[str],
    keys: Sequence[str],
    origin: str | None,
    customer: str | None,
    *,
    table: str | None,
    page: str | None,
    allow_provisional: bool,
    as_json: bool,
) -> None:
    """Verify receipts, statements and dispute packets offline.

    It needs no network and no store, only the files and the keys that you trust. FILE is a receipt, a statement, a dispute packet, an HTML page with one of the first two in it, a checkpoint, or a tlog-proof with its record beside it as .entry; - is standard input. Of DIR
    every .json, .checkpoint and .tlog-proof is verified, and every .html or .htm that is such a page, in subfolders too. Several files of one log are held against each other.
    """
    _check_outputs(paths, table, page)
    rows = None if table is None else DeltaTable(table)
    check = Check(read_keys(keys), origin, customer, allow_provisional, rows)
    passed, refusals = _verify_each(_names(paths, check), check, as_json=as_json)
    _summarize(check, passed, len(refusals), as_json=as_json)
    if any(refusal.code == "incomplete-period" and "through" in refusal.facts for refusal in refusals):
        hint("a period that goes on is taken, as far as it is complete, with --allow-provisional")
    if check.altered:
        hint("ask for the page as it was sent, as a file")
    if (verdict := worst(refusals, passed)) is not None:
        raise verdict
    _write(check, rows, page)


def _verify_each(names: Iterable[str], check: Check, *, as_json: bool) -> tuple[int, list[CounterfoilError]]:
    """Say of each file what it proves, or why it is refused; return how many hold, and the refusals."""
    passed, refusals = 0, list[CounterfoilError]()
    for name in names:
        try:
            finding = check.document(name)
        except CounterfoilError as error:
            refusals.append(_refuse(name, error, as_json=as_json))
        except OSError as error:
            refusals.append(_refuse(name, describe_os_error(error), as_json=as_json))
        else:
            passed += 1
            if as_json:
                emit({"file": name, "result": "ok", **finding.facts})
            else:
                say(f"verified  {quoted(name)}  {finding.words}")
                for line in finding.lines:
                    say(f"          {line}")
    return passed, refusals


def _write(check: Check, rows: DeltaTable | None, page: str | None) -> None:
    """Write table and page, or neither of them."""
    # Made before any of them is written.
    shown = None if page is None else check.page()
    if rows is not None:
        rows.require_filled()
    with nullcontext() if rows is None else rows.written():
        if page is not None and shown is not None:
            write_output(Path(page), shown)
    if rows is not None and rows.light:
        hint(f"{plural(rows.light, 'light statement')} added no rows: ask for a full one")


def _check_outputs(paths: Sequence[str], table: str | None, page: str | None) -> None:
    outputs = [Path(name) for name in (table, page) if name is not None]
    require_different(outputs, inputs=paths)
    for output in outputs:
        if not output.parent.is_dir():
            raise EngineError("usage", f"there is no folder {output.parent}")
        if not os.access(output.parent, os.W_OK | os.X_OK):
            raise EngineError("io-error", f"{output.parent}: nothing can be written there")
    if page is None:
        return
    if len(paths) != 1 or Path(paths[0]).is_dir():
        raise click.UsageError("--html goes with one receipt or statement")
    require_replaceable(page, PAGE_FILE)


def _refuse(name: str, error: CounterfoilError, *, as_json: bool) -> CounterfoilError:
    if as_json:
        emit({"file": name, "result": error.code, "message": error.message, "facts": error.facts})
    else:
        say(f"refused   {quoted(name)}  {error.code}: {error.message}")
    # The line on standard error stands alone.
    return EngineError(error.code, f"{quoted(name)}: {error.message}", **error.facts)


def _names(paths: Sequence[str], check: Check) -> Iterator[str]:
    """Yield the names of the files to verify, those of a folder sorted.

    Raises:
        EngineError: `usage`, where one that was named is not there; nothing was verified then.
    """
    for path in paths:
        if path != "-" and not os.path.lexists(path):
            raise EngineError("usage", f"there is no file {path}")
    for path in paths:
        if path != "-" and Path(path).is_dir():
            yield from _names_below(path, check)
        else:
            yield path


def _names_below(folder: str, check: Check) -> Iterator[str]:
    """Yield the names of our files in a folder and those below, however deep: a folder's files, then its folders.

    A symbolic link in it is not followed: whoever made the folder may have pointed it at files of the reader.
    """
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        folders = []
        for entry in entries:
            if entry.is_symlink():
                check.links += 1
            elif entry.is_dir():
                folders.append(entry.path)
            elif entry.is_file() and (entry.name.endswith(_SUFFIXES) or _is_our_page(entry.path)):
                yield entry.path
            elif not entry.name.endswith(RECORD_SUFFIX):
                check.ignore(entry.path)
        waiting += reversed(folders)


def _is_our_page(name: str) -> bool:
    if not name.lower().endswith(_PAGE_SUFFIXES):
        return False
    try:
        with open_input(name, follow=False) as stream:
            return is_left_of_page(stream)
    except (EngineError, OSError):
        # It may be one: whoever reads it whole says why it was not checked.
        return True


def _summarize(check: Check, passed: int, refused: int, *, as_json: bool) -> None:
    # What a receipt cannot show stands in docs/spec/receipt.md; what was left out here is said each time.
    unchecked = [
        "that the totals are the sums of all entries before (audit)",
        "that no newer checkpoint exists and everybody was shown the same (consistency)",
    ]
    if check.light:
        unchecked.append(f"what is not in {plural(check.light, 'light statement')} (a full one, or audit)")
    if check.disputes:
        unchecked.append(f"what the other party says in {plural(check.disputes, 'dispute packet')}")
    if check.nameless:
        unchecked.append(f"the customer of {plural(check.nameless, 'document')} without one")
    if check.ignored:
        names = ", ".join(quoted(name) for name in check.ignored_names)
        more = check.ignored - len(check.ignored_names)
        rest = f", and {more:,} more" if more else ""
        unchecked.append(f"{plural(check.ignored, 'other file')} in the folders ({names}{rest})")
    if check.links:
        unchecked.append(f"{plural(check.links, 'symbolic link')} in the folders")
    if as_json:
        counts = {"verified": passed, "refused": refused}
        kinds = {"receipts": check.receipts, "statements": check.statements}
        places = {"checkpoints": check.seen.checkpoints, "logs": check.seen.logs}
        totals = [total_facts(total) for total in check.totals.by_unit()]
        emit({"summary": {**counts, **kinds, **places, "totals": totals, "notChecked": unchecked}})
        return
    statements = f" and {plural(check.statements, 'statement')}" if check.statements else ""
    say(
        f"{passed:,} verified, {refused:,} refused; {plural(check.receipts, 'receipt')}{statements} under "
        f"{plural(check.seen.checkpoints, 'checkpoint')} of {plural(check.seen.logs, 'log')}"
    )
    # Of a single one everything was said.
    if check.statements > 1:
        for total in check.totals.by_unit():
            say(total_line(total))
    if passed:
        say(f"not checked: {'; '.join(unchecked)}")
