"""The test vectors, read and checked.

A file holds the cases of one topic; a case is a request, the answer that conforming implementations give, and the
step of the specification that decides it.  `vectors/README.md` describes the files, `vectors/schema.json` defines
them.

Source: docs/spec/conformance.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from counterfoil.errors import CODES, EngineError, MalformedError

# Vectors that others published, in forms of their own: our tests read them, the runner does not.
EXTERNAL: Final = "external"

_DOCUMENT: Final = frozenset({"$schema", "topic", "about", "source", "cases"})
_CASE: Final = frozenset({"id", "comment", "spec", "op", "input", "result"})


@dataclass(frozen=True, slots=True)
class Case:
    """One vector.

    Attributes:
        id: unique among all vectors, `topic/words`.
        topic: which format it is about.
        comment: in words, what is special about the input; of a refused case, what was done to a good one.
        spec: page and anchor of the step that refuses it, or that it passes last.
        op: the operation.
        input: further members of the request.
        result: `ok` or a code of `counterfoil.errors`.
        output: what the answer carries where the result is `ok`, else None.
    """

    id: str
    topic: str
    comment: str
    spec: str
    op: str
    input: dict[str, Any]
    result: str
    output: dict[str, Any] | None


def bundled_folder() -> Path:
    """Return the folder of the vectors that came with this package.

    An installed wheel carries them inside the package; in a checkout they stand beside `src`.
    """
    package = Path(__file__).resolve().parent.parent
    inside = package / "vectors"
    return inside if inside.is_dir() else package.parent.parent / "vectors"


def load_vectors(folder: Path | None = None) -> list[Case]:
    """Read every vector below a folder, ordered by file and place in it.

    Args:
        folder: holds one folder a topic; None for the bundled vectors.

    Raises:
        EngineError: `usage` where the folder holds no vectors, `io-error` where a file cannot be read.
        MalformedError: where a file is no vector file, or an id stands twice.
    """
    folder = bundled_folder() if folder is None else folder
    paths = sorted(path for path in folder.glob("*/*.json") if path.parent.name != EXTERNAL)
    cases = [case for path in paths for case in _load_file(path)]
    if not cases:
        raise EngineError("usage", f"no vectors in {folder}", folder=folder)
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise MalformedError(f"two vectors have the id {case.id!r}")
        seen.add(case.id)
    return cases


def _load_file(path: Path) -> list[Case]:
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise EngineError("io-error", f"cannot read {path}: {error.strerror}", path=path) from error
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{path} is not JSON", path=path) from error
    if (
        not isinstance(document, dict)
        or document.keys() != _DOCUMENT
        or not isinstance(document["cases"], list)
    ):
        raise MalformedError(f"{path} is no file of vectors", path=path)
    return [_case(item, topic=document["topic"], path=path) for item in document["cases"]]


def _case(item: object, *, topic: object, path: Path) -> Case:
    """Return one case whose members are there and of their types."""
    found = item if isinstance(item, dict) else {}
    wanted = _CASE | {"output"} if found.get("result") == "ok" else _CASE
    texts = (topic, *(found.get(name) for name in ("id", "comment", "spec", "op", "result")))
    if found.keys() != wanted or not all(isinstance(text, str) and text for text in texts):
        raise MalformedError(
            f"a case of {path} has other members than a vector", path=path, id=found.get("id")
        )
    if not isinstance(found["input"], dict) or not isinstance(found.get("output", {}), dict):
        raise MalformedError(f"input or output of {found['id']} is not an object", path=path)
    if found["input"].keys() & {"id", "op"}:
        raise MalformedError(f"the input of {found['id']} hides the id or the operation", path=path)
    if found["result"] != "ok" and found["result"] not in CODES:
        raise MalformedError(f"{found['id']} expects {found['result']!r}, which is no code", path=path)
    return Case(topic=str(topic), output=found.get("output"), **{name: found[name] for name in _CASE})
