"""The description of the API, OpenAPI 3.1, checked in as `docs/api/openapi.json`.

Routes name what they answer with by `answers`, and the bodies that they read themselves by `body_of`.  What all routes
have in common is added here: refusals are problems, and those with an API key can be refused for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from counterfoil.web import forms, problems
from counterfoil.web.models import Answer, Body, Problem

_REF: Final = "#/components/schemas/{model}"
_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete"})
# What the framework describes by itself, and answers otherwise here.
_FRAMEWORKS: Final = ("HTTPValidationError", "ValidationError")
_EVERYWHERE: Final = ("invalid-field", "internal", "store-unavailable")
_WITH_KEY: Final = ("invalid-api-key", "insufficient-scope", "rate-limited")
_WITH_BODY: Final = ("malformed", "request-timeout", "too-large", "unsupported-media-type")
IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": forms.IDEMPOTENCY_KEY},
    "description": "The same key again is the same request again, and is recorded once. It counts within one customer.",
    "example": "req-0002",
}


def answers(
    model: type[BaseModel], *codes: str, status: int = 200, replayed: bool = False
) -> dict[int | str, dict[str, Any]]:
    """Return what a route answers with, for its `responses`.

    Args:
        model: of the data of a success.
        codes: the refusals of its own; those that all routes have are added.
        status: of a success.
        replayed: whether the same request again is answered with 200.
    """
    described: dict[int | str, dict[str, Any]] = {
        status: {"model": Answer[model], "description": _first_line(model)}  # type: ignore[valid-type]  # made at run time
    }
    if replayed:
        described[200] = {
            "model": Answer[model],  # type: ignore[valid-type]  # as above
            "description": "The same request was recorded before.",
            "headers": {"Idempotency-Replayed": {"schema": {"type": "string", "const": "true"}}},
        }
    return described | problems_of(*codes)


def problems_of(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Return how refusals are described, by their status."""
    described: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        kind = problems.KINDS[code]
        entry = described.setdefault(
            kind.status,
            {
                "description": "",
                "content": {problems.MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}},
            },
        )
        entry["description"] = ", ".join(filter(None, [entry["description"], f"`{code}`"]))
    return described


def body_of(model: type[Body], *, with_key: bool = False) -> dict[str, Any]:
    """Return the description of a body that a route reads itself, for its `openapi_extra`.

    Args:
        model: of the body.
        with_key: whether the route takes an `Idempotency-Key`.
    """
    extra: dict[str, Any] = {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}},
        }
    }
    return extra | {"parameters": [IDEMPOTENCY_KEY]} if with_key else extra


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the description of an application."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version=app.openapi_version,
        summary=app.summary,
        routes=app.router.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _FRAMEWORKS:
        schemas.pop(name, None)
    models: list[type[BaseModel]] = [Problem, *_subclasses(Body)]
    _, ours = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    schemas |= ours["$defs"]
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    for item in document["paths"].values():
        for method in _METHODS & item.keys():
            _complete(item[method])
    return document


def _complete(operation: dict[str, Any]) -> None:
    """Add what all operations of a kind have."""
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
    described: dict[str, Any] = operation["responses"]
    described.pop("422", None)
    codes = [*_EVERYWHERE]
    if "security" in operation:
        codes += _WITH_KEY
    if "requestBody" in operation:
        codes += _WITH_BODY
    for status, entry in problems_of(*codes).items():
        there = described.setdefault(str(status), entry)
        if there is not entry:
            words = [*there["description"].split(", "), *entry["description"].split(", ")]
            there["description"] = ", ".join(dict.fromkeys(words))
    operation["responses"] = dict(sorted(described.items()))


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter: one may be absent, and is never null."""
    kinds: list[dict[str, Any]] = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return kinds[0] | {name: value for name, value in schema.items() if name != "anyOf"}


def _subclasses(model: type[Body]) -> Iterator[type[Body]]:
    for each in model.__subclasses__():
        yield each
        yield from _subclasses(each)


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").partition("\n")[0]
