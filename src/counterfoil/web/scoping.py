"""Which window of time a request asks for: `period`, `timePreset`, or `startDate` and `endDate`.

Source: docs/api/balances.md#scopes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, NamedTuple

from fastapi import Depends, Query

from counterfoil.core.encoding import JsonValue
from counterfoil.engine.windows import TIME_PRESETS, Window, resolve_scope
from counterfoil.errors import EngineError
from counterfoil.limits import INTEGER_MAX, PAGE_ITEMS_MAX
from counterfoil.web import forms
from counterfoil.web.bodies import text_member
from counterfoil.web.forms import one_of, pattern

# So that what a page passes over, its number times its size, is within the integers of every store.
_PASSED_OVER_MAX: Final = INTEGER_MAX // PAGE_ITEMS_MAX

Period = Annotated[
    str | None,
    Query(
        description="A UTC month, `YYYY-MM`; this one where none is named.",
        examples=["2026-04"],
        json_schema_extra=pattern(forms.MONTH),
    ),
]
Page = Annotated[int, Query(ge=1, le=_PASSED_OVER_MAX, description="Which page, from 1.")]
Offset = Annotated[int, Query(ge=0, le=_PASSED_OVER_MAX, description="How many to pass over.")]
Limit = Annotated[int, Query(ge=1, le=PAGE_ITEMS_MAX, description="How many to return at most.")]


class Named(NamedTuple):
    """A scope as a request names it."""

    period: str | None
    time_preset: str | None
    start_date: str | None
    end_date: str | None

    @property
    def is_named(self) -> bool:
        """Whether there is one."""
        return any(part is not None for part in self)

    def window(self, now: int) -> Window:
        """Return the window; the current month where none is named.

        Raises:
            EngineError: `invalid-scope-combination`, `invalid-field`, `scope-too-wide`.
        """
        return resolve_scope(
            now,
            period=self.period,
            time_preset=self.time_preset,
            start_date=self.start_date,
            end_date=self.end_date,
        )

    def begun(self, now: int) -> Window:
        """Return the window, which is over or goes on.

        Raises:
            EngineError: as `window`; `invalid-field`, where it lies in the future.
        """
        window = self.window(now)
        if window.start > now:
            field = "startDate" if self.period is None else "period"
            raise EngineError("invalid-field", f"{field} lies in the future", field=field)
        return window


def scope_of(value: Mapping[str, JsonValue]) -> Named:
    """Return the scope that a body names.

    Raises:
        EngineError: `invalid-field`.
    """
    return Named(*(text_member(value, name) for name in SCOPE_MEMBERS))


SCOPE_MEMBERS: Final = ("period", "timePreset", "startDate", "endDate")


def _scope(
    period: Period = None,
    time_preset: Annotated[
        str | None,
        Query(
            alias="timePreset",
            description=f"One of {', '.join(TIME_PRESETS)}.",
            examples=["last_12_months"],
            json_schema_extra=one_of(*TIME_PRESETS),
        ),
    ] = None,
    start_date: Annotated[
        str | None,
        Query(
            alias="startDate",
            description="The first instant, RFC 3339 or a date.",
            examples=["2026-04-01"],
            json_schema_extra=pattern(forms.TIME),
        ),
    ] = None,
    end_date: Annotated[
        str | None,
        Query(
            alias="endDate",
            description="The first instant behind the window, RFC 3339 or a date.",
            examples=["2026-05-01"],
            json_schema_extra=pattern(forms.TIME),
        ),
    ] = None,
) -> Named:
    return Named(period, time_preset, start_date, end_date)


Scope = Annotated[Named, Depends(_scope)]
"""What a route declares to get the scope of its query."""
