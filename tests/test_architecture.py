"""Which way imports point, who owns which library, and what the core keeps its hands off."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "counterfoil"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Each part, and the parts of ours that it may import besides itself.
MAY_IMPORT = {
    "errors": set(),
    "limits": set(),
    "core": {"errors", "limits"},
    "engine": {"errors", "limits", "core"},
    "storage": {"errors", "limits", "core", "engine"},
    # Held against stores of other people: what an engine asks of a store, and no store of ours.
    "testing": {"errors", "limits", "core", "engine"},
    "conformance": {"errors", "limits"},
    # Reaches records by the engine alone: the store that it hands on is passed in.
    "web": {"errors", "limits", "core", "engine"},
    "cli": {"errors", "limits", "core", "engine", "storage", "web", "conformance"},
    "client": {"errors", "limits", "core"},
    "__main__": {"cli"},
}
# Each library of others, and the one place that imports it.
OWNERS = {
    "nacl": "core/ed25519.py",
    "rfc8785": "core/encoding.py",
    "sqlalchemy": "storage/sql/",
    "psycopg": "storage/sql/postgres.py",
    "alembic": "storage/sql/",
    "click": "cli/",
    "cryptography": "storage/key_folder.py",
    "fastapi": "web/",
    "starlette": "web/",
    "pydantic": "web/",
    "uvicorn": "web/server.py",
    "orjson": "web/",
    "prometheus_client": "web/metrics.py",
    "httpx": "client/",
    "httpcore": "web/outbound.py",
}
# Doors to the world: files, processes, networks, clocks, randomness, logs.
WORLD = {
    "os", "io", "pathlib", "tempfile", "shutil", "glob", "sys", "subprocess", "socket", "ssl", "http", "urllib", "asyncio",
    "threading", "multiprocessing", "signal", "time", "random", "secrets", "uuid", "logging", "warnings", "sqlite3",
}  # fmt: skip
WORLDLY_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}
LINES_MAX = 450


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def part_of(path):
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports_of(path):
    """Yield the full names of the modules that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: a relative import"
            assert node.module
            # `from counterfoil import errors` names a part too.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parts_imported(path):
    names = (name.split(".") for name in imports_of(path))
    return {parts[1] for parts in names if parts[0] == "counterfoil" and len(parts) > 1}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
class TestEveryModule:
    def test_it_imports_downwards_only(self, path):
        part = part_of(path)
        if part == "__init__":
            return  # gathers the public names
        assert part in MAY_IMPORT, f"a new part: {part}"
        # What is no part is a name of the package itself, its version.
        ours = {name for name in parts_imported(path) if name in MAY_IMPORT}
        assert ours <= MAY_IMPORT[part] | {part}

    def test_it_imports_the_library_of_no_other_owner(self, path):
        for name in imports_of(path):
            library = name.split(".", maxsplit=1)[0]
            if library in sys.stdlib_module_names or library == "counterfoil":
                continue
            assert library in OWNERS, f"a new library: {library}"
            assert name_of(path).startswith(OWNERS[library])

    def test_it_is_read_in_one_sitting(self, path):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_MAX

    def test_it_says_what_it_is(self, path):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "path", [path for path in MODULES if part_of(path) in {"core", "errors", "limits"}], ids=name_of
)
class TestTheCore:
    def test_it_opens_no_door_to_the_world(self, path):
        assert not {name.split(".", maxsplit=1)[0] for name in imports_of(path)} & WORLD

    def test_it_calls_nothing_that_does(self, path):
        called = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not called & WORLDLY_CALLS

    def test_it_reads_no_clock(self, path):
        text = path.read_text(encoding="utf-8")
        assert not any(call in text for call in (".now(", ".utcnow(", ".today("))


def test_every_owner_is_one():
    """A library that nobody imports any more is taken from the list."""
    for library, owner in OWNERS.items():
        users = [
            path for path in MODULES for name in imports_of(path) if name.split(".", maxsplit=1)[0] == library
        ]
        assert users, f"nobody imports {library} any more"
        assert all(name_of(path).startswith(owner) for path in users)
