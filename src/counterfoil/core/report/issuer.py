"""What stands on every page: who issued it, for whom and when; under what it stands; how to check it.

The operator is the one that the signed checkpoint names.  Who is behind that name, a page cannot say: whoever checks it
knows it from where the key came from.

Source: docs/spec/report.md.
"""

from __future__ import annotations

from typing import Final

from counterfoil.core.checkpoint import Checkpoint
from counterfoil.core.entry import OPEN, SEAL, Entry
from counterfoil.core.reference import operator_of
from counterfoil.core.report.markup import facts, number, outside, time_element

_COUNTERFOIL: Final = (
    "<p>This page was made with Counterfoil, open-source software whose receipts and statements anybody can verify offline "
    "(<code>pip install counterfoil</code>). Check the page before you believe it: its last section says how.</p>\n"
    "<p>What stands <bdi>on grey</bdi> is as somebody wrote it. The proof shows that nobody changed it since, not that it is "
    "true.</p>\n"
)


def issue(checkpoint: Checkpoint, customer_id: str | None, last: Entry) -> str:
    """Return whose page it is and of when, markup.

    Args:
        checkpoint: under which the document stands.
        customer_id: whose log it is, None where the document does not say.
        last: the entry of the highest index that the document proves.
    """
    rows = (
        (
            "Issued by",
            f"<strong>{operator_of(checkpoint.origin)}</strong>, as the signed checkpoint names it",
        ),
        ("For customer", _customer(customer_id)),
        ("Sealed", _sealed(last, checkpoint)),
        ("Log", f"<code>{checkpoint.origin}</code>"),
    )
    return facts("Issuer and customer", rows) + _COUNTERFOIL


def _customer(customer_id: str | None) -> str:
    if customer_id is None:
        return "not named: this file does not say whose log it is"
    return f"<strong>{outside(customer_id)}</strong>"


def _sealed(last: Entry, checkpoint: Checkpoint) -> str:
    """Return when the checkpoint was sealed: exactly where its seal is in the document, else after what is."""
    if last.type == SEAL and last.index == checkpoint.size - 1:
        return time_element(last.recorded_at)
    if last.type == OPEN:
        return f"after the log began, at {time_element(last.recorded_at)}"
    return f"after the last entry in this file, which is of {time_element(last.recorded_at)}"


def proof(checkpoint: Checkpoint, kind: str) -> str:
    """Return under what the document stands, markup."""
    # Which of these a reader's key is, only the reader can say; the lines of others, witnesses say, are left out.
    ids = [line.key_id.hex() for line in checkpoint.signatures if line.name == checkpoint.origin]
    rows = (
        ("Log", f"<code>{checkpoint.origin}</code>"),
        ("Checkpoint", f"{number(checkpoint.size)} entries"),
        ("Root hash", f"<code>{checkpoint.root.hex()}</code>"),
        ("Key id in the signature", f"<code>{', '.join(ids)}</code>"),
        ("Proof in this file", f"<code>{kind}</code>"),
    )
    return facts("Proof", rows)


def checking(checkpoint: Checkpoint, customer_id: str | None, *, provisional: bool = False) -> str:
    """Return how to check the page, markup: the command is the one that takes it.

    Args:
        checkpoint: under which the document stands.
        customer_id: whose log it is, None where the document does not say.
        provisional: whether the document is a statement of a period that goes on.
    """
    option, expected = ("--origin LOG", "log") if customer_id is None else ("--customer ID", "customer")
    allowed = " --allow-provisional" if provisional else ""
    return (
        "<h2>How to check this page</h2>\n"
        "<p>Whoever can edit a file can make it say anything. So do not believe this page before you have checked it:</p>\n"
        "<ol>\n<li>Keep the file as you got it. Saved again by a browser or an editor it is another file, and is refused. "
        "A printout cannot be checked: ask for the file.</li>\n"
        f"<li>Get the verifier key of {operator_of(checkpoint.origin)} in a way that you trust, not from whoever gave you "
        "this file.</li>\n"
        "<li>Install Counterfoil: <code>pip install counterfoil</code>.</li>\n"
        f"<li>Run <code>counterfoil verify FILE.html --key KEY {option}{allowed}</code> with the {expected} that you expect. "
        "It needs no network.</li>\n</ol>\n"
        "<p>It verifies the proof in this file, and that the page says what the proof says.</p>\n"
    )
