"""One record: how it stands, its receipt, and verifying it now.

Source: docs/api/verification.md, docs/spec/receipt.md.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Header
from starlette.responses import Response

from counterfoil.core.reference import format_record_id
from counterfoil.engine.deltas import DeltaState
from counterfoil.engine.published import checkpoint_id
from counterfoil.web.access import Reader
from counterfoil.web.answers import amount, answer, embedded
from counterfoil.web.described import root_hex
from counterfoil.web.models import DeltaAnswer, ReceiptAnswer, VerifyAnswer
from counterfoil.web.negotiation import preferred
from counterfoil.web.openapi import answers
from counterfoil.web.parameters import RecordIdPath, Size
from counterfoil.web.routes.deltas import RECORD_PATH
from counterfoil.web.routing import new_router

router: Final = new_router("Records")

RECEIPT_TYPE: Final = "application/vnd.counterfoil.receipt+json"
PROOF_TYPE: Final = "application/vnd.c2sp.tlog-proof"
_FORMS: Final = ("application/json", RECEIPT_TYPE, PROOF_TYPE, "text/plain")
# The steps of docs/spec/receipt.md, by their numbers; verifying ends at the first that fails.
_STEPS: Final = (
    ("form", "container, entry, details and proof keep to their formats"),
    ("key", "the operator's key is named like the log's operator, and its signature verifies"),
    ("origin", "the checkpoint is of the record's own log"),
    ("index", "entry and proof name the same index, below the checkpoint's size"),
    ("root", "leaf hash and path give the signed root"),
    ("details", "reason, referenceId and metadata open the entry's commitment, where they are not erased"),
    ("customer", "the log's first entry is under the same root and names the customer"),
)
_PROBLEMS: Final = ("record-not-found", "log-corrupt")


@router.get(
    f"{RECORD_PATH}/{{recordId}}",
    summary="How a delta stands",
    responses=answers(DeltaAnswer, *_PROBLEMS),
)
def delta(caller: Reader, record_id: RecordIdPath) -> Response:
    """Say how a delta stands: `QUEUED` when it is recorded, `VERIFIED` once a published checkpoint covers it."""
    return answer(_described(caller.engine.delta(record_id)))


@router.get(
    f"{RECORD_PATH}/{{recordId}}/receipt",
    summary="The receipt of a record",
    responses=answers(ReceiptAnswer, *_PROBLEMS, "not-yet-checkpointed"),
)
def receipt(
    caller: Reader,
    record_id: RecordIdPath,
    size: Size = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Make the receipt of a record: the proof that it stands in a signed log, which anybody can verify offline.

    `Accept: application/vnd.counterfoil.receipt+json` gets the receipt's own bytes, to be saved as a file;
    `application/vnd.c2sp.tlog-proof` or `text/plain` the same proof for other tools.
    """
    proven = caller.engine.receipt(record_id, size=size)
    form = preferred(accept, _FORMS)
    if form == RECEIPT_TYPE:
        return Response(proven.receipt, media_type=form)
    if form != _FORMS[0]:
        return Response(proven.tlog_proof, media_type=form)
    return answer(
        {
            "recordId": proven.record_id,
            "receipt": embedded(proven.receipt),
            "tlogProof": proven.tlog_proof,
            "entry": embedded(proven.data),
        }
    )


@router.get(
    f"{RECORD_PATH}/{{recordId}}/verify",
    summary="Verify a record now",
    responses=answers(VerifyAnswer, *_PROBLEMS, "not-yet-checkpointed", "root-mismatch"),
)
def verify(caller: Reader, record_id: RecordIdPath) -> Response:
    """Build the record's receipt from its stored bytes and verify it, here and now.

    It is the operator's own check. Whoever does not trust the operator takes the receipt, and verifies it with a key
    that came another way.
    """
    verified = caller.engine.verify_record(record_id)
    steps = [
        {"step": number, "name": name, "checked": words}
        for number, (name, words) in enumerate(_STEPS, start=1)
    ]
    checkpoint, entry = verified.checkpoint, verified.entry
    return answer(
        {
            "recordId": record_id,
            "verified": True,
            "steps": steps,
            "verifierKey": str(caller.engine.operator.verifier_key),
            "origin": checkpoint.origin,
            "checkpointSize": checkpoint.size,
            "proofRoot": root_hex(checkpoint.root),
            "customerId": verified.customer_id,
            "delta": amount(entry.amount) if entry.amount else None,
        }
    )


def _described(state: DeltaState) -> dict[str, object]:
    item, entry, checkpoint = state.item, state.item.entry, state.checkpoint
    details = item.details or {}
    adjusts = None if entry.adjusts is None else {"recordId": format_record_id(item.log, entry.adjusts)}
    reference = f"0x{item.log.hex()}"
    return {
        "recordId": item.record_id,
        "status": item.status,
        "verifiedAt": state.verified_at,
        "verificationReference": checkpoint_id(item.log, checkpoint.size) if checkpoint else None,
        "proofRoot": root_hex(checkpoint.root) if checkpoint else None,
        "receiptId": item.record_id,
        "customerId": state.customer_id,
        "customerReference": reference,
        "delta": amount(entry.amount),
        "unit": entry.unit,
        "reason": details.get("reason"),
        "referenceId": details.get("referenceId"),
        "metadata": details.get("metadata"),
        "effectiveAt": entry.effective_at,
        "adjusts": adjusts,
        "recordedAt": entry.recorded_at,
        "sequenceNumber": entry.count,
        "dataPurged": item.details is None,
        "entry": embedded(item.data),
    }
