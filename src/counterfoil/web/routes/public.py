"""What anybody may ask, without a key.

Checkpoints of all tenants can be reached here by their root or the customer reference. Neither can be guessed: a
reference is an HMAC under the operator's key, and a root is a hash of what only its log holds. They say nothing of a
customer but sizes, roots and times.

Source: docs/api/verification.md.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Final, Literal

from fastapi import Path, Query
from starlette.responses import PlainTextResponse, Response

from counterfoil.core.checkpoint import Checkpoint
from counterfoil.core.encoding import encode_base64
from counterfoil.core.merkle import HASH_BYTES
from counterfoil.engine.public import log_of_reference, published_checkpoint, published_consistency
from counterfoil.engine.published import published_of_root
from counterfoil.limits import INTEGER_MAX
from counterfoil.web import forms
from counterfoil.web.answers import answer
from counterfoil.web.described import root_hex
from counterfoil.web.forms import pattern
from counterfoil.web.models import NOTE, ROOT, KeysAnswer, RootAnswer
from counterfoil.web.openapi import answers, problems_of
from counterfoil.web.parameters import ReferencePath
from counterfoil.web.routing import new_router
from counterfoil.web.state import Services, Shared

router: Final = new_router("Public")

_TEXT: Final = "text/plain"
_CHECKPOINTS: Final = "/api/v1/checkpoints/{customerReference}"
# What was signed does not change; which checkpoint is the newest one does.
_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_FOR_NOW: Final = {"Cache-Control": "no-cache"}
_BASE64_CHARACTERS: Final = (43, 44)


def _text_of(what: str, example: str) -> dict[int | str, dict[str, object]]:
    content = {_TEXT: {"schema": {"type": "string"}, "example": example}}
    problems = problems_of("customer-not-found", "record-not-found", "log-corrupt")
    return {200: {"description": what, "content": content}, **problems}


@router.get(
    "/api/v1/verify/{proofRoot}",
    summary="The checkpoint of a root",
    responses=answers(RootAnswer, "record-not-found", "log-corrupt"),
)
def verify_root(
    services: Shared,
    proof_root: Annotated[
        str,
        Path(
            alias="proofRoot",
            description="In hex, with or without 0x, or in base64.",
            examples=[ROOT],
            json_schema_extra=pattern(forms.PROOF_ROOT),
        ),
    ],
    source: Annotated[
        Literal["db", "chain", "both"],
        Query(description="Of PacSpace's API. There is no chain here: a signature takes its place."),
    ] = "db",
) -> Response:
    """Find the checkpoint of a root, verify its signature, and say when it was sealed; nothing of its customer."""
    published = published_of_root(services.store, services.operator, _as_hex(proof_root))
    checkpoint = published.checkpoint
    reference = f"0x{published.log.hex()}"
    data = {
        "verified": True,
        "proofRoot": root_hex(checkpoint.root),
        "recordedAt": published.sealed_at,
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "summary": {"recordCount": published.covered.count},
        "records": [],
        "verification": {
            "verificationReference": published.checkpoint_id,
            "verifierKey": str(services.operator.verifier_key),
            "checkpoint": checkpoint.note,
            "checkpointUrl": _link(services, f"/api/v1/checkpoints/{reference}/{checkpoint.size}"),
            "source": "db",
            "chain": None
            if source == "db"
            else "there is no chain: the signature of the checkpoint is the proof",
        },
    }
    return answer(data, headers=_FOR_EVER)


@router.get("/api/v1/keys", summary="The operator's verifier keys", responses=answers(KeysAnswer))
async def keys(services: Shared) -> Response:
    """Name the keys that checkpoints are signed with.

    To trust one because the server that it is to check has named it would be circular: compare it once with what the
    operator published elsewhere, and keep it.
    """
    operator = services.operator
    return answer({"operator": operator.name, "verifierKeys": [str(operator.verifier_key)]}, headers=_FOR_NOW)


@router.get(
    _CHECKPOINTS,
    summary="The newest checkpoint of a log",
    response_class=PlainTextResponse,
    responses=_text_of("The note.", NOTE),
)
def newest_checkpoint(services: Shared, reference: ReferencePath) -> Response:
    """Return the newest checkpoint, a signed note (C2SP tlog-checkpoint), byte for byte."""
    found = published_checkpoint(services.store, services.operator, log_of_reference(reference))
    return _note(found, _FOR_NOW)


@router.get(
    f"{_CHECKPOINTS}/consistency",
    summary="That a checkpoint extends an older one",
    response_class=PlainTextResponse,
    responses=_text_of(
        "The consistency file.", f"old 3\n4HPJhUaQeru3qjvTcFScrMoUE7xFFl3FTRu1qR2u4xY=\n\n{NOTE}"
    ),
)
def consistency(
    services: Shared,
    reference: ReferencePath,
    start: Annotated[
        int, Query(alias="from", ge=1, le=INTEGER_MAX, description="Size of the older checkpoint.")
    ],
    end: Annotated[
        int | None, Query(alias="to", ge=1, le=INTEGER_MAX, description="Of the newer; the newest without.")
    ] = None,
) -> Response:
    """Return the consistency file: hashes with which whoever holds the older checkpoint verifies the newer one."""
    log = log_of_reference(reference)
    text = published_consistency(services.store, services.operator, log, start, size=end)
    return Response(text, media_type=_TEXT, headers=_FOR_NOW if end is None else _FOR_EVER)


@router.get(
    f"{_CHECKPOINTS}/{{size}}",
    summary="A checkpoint of a log",
    response_class=PlainTextResponse,
    responses=_text_of("The note.", NOTE),
)
def checkpoint_of_size(
    services: Shared,
    reference: ReferencePath,
    size: Annotated[int, Path(ge=1, le=INTEGER_MAX, description="Of the checkpoint.", examples=[4])],
) -> Response:
    """Return the checkpoint of a size, a signed note (C2SP tlog-checkpoint), byte for byte."""
    found = published_checkpoint(services.store, services.operator, log_of_reference(reference), size=size)
    return _note(found, _FOR_EVER)


def _note(checkpoint: Checkpoint, headers: dict[str, str]) -> Response:
    return Response(checkpoint.note, media_type=_TEXT, headers=headers)


def _link(services: Services, path: str) -> str:
    return services.settings.public_url + path


def _as_hex(root: str) -> str:
    """Return a root in hex, where it was given in base64: that of a note, or the one that URLs take."""
    if len(root) not in _BASE64_CHARACTERS:
        return root
    spelled = root.replace("-", "+").replace("_", "/").rstrip("=") + "="
    try:
        data = base64.b64decode(spelled, validate=True)
    except (binascii.Error, ValueError):
        return root
    is_canonical = len(data) == HASH_BYTES and encode_base64(data) == spelled
    return data.hex() if is_canonical else root
