"""Parameters that several routes declare."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from counterfoil.limits import INTEGER_MAX
from counterfoil.web import forms
from counterfoil.web.forms import pattern
from counterfoil.web.models import RECORD_ID, REFERENCE

CustomerIdPath = Annotated[
    str,
    Path(
        alias="customerId",
        description="Your name for the customer.",
        examples=["cust_001"],
        json_schema_extra=pattern(forms.CUSTOMER_ID),
    ),
]
RecordIdPath = Annotated[
    str,
    Path(
        alias="recordId",
        description="The place of a record.",
        examples=[RECORD_ID],
        json_schema_extra=pattern(forms.RECORD_ID),
    ),
]
ReferencePath = Annotated[
    str,
    Path(
        alias="customerReference",
        description="Stands for the customer in public.",
        examples=[REFERENCE],
        json_schema_extra=pattern(forms.REFERENCE),
    ),
]
Size = Annotated[int | None, Query(ge=1, le=INTEGER_MAX, description="Of a checkpoint; the newest without.")]
