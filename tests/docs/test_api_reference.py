"""The pages of the HTTP API name every route, parameter, member, code and metric, and none that is not there."""

import json
import re

import pytest
from pacspace_sdk import PacSpace
from pacspace_sdk.webhooks.verify import Webhooks

from counterfoil import limits
from counterfoil.engine.apikeys import SCOPES
from counterfoil.engine.engine import Engine
from counterfoil.errors import CODES
from counterfoil.storage.memory import MemoryStore
from counterfoil.web import problems, server
from counterfoil.web.logs import LEVELS
from counterfoil.web.metrics import Metrics
from counterfoil.web.state import Services, Settings
from tests.docs.examples import BLOCK, ROOT, steps
from tests.support import OPERATOR, FakeClock
from tests.web.calling import Web
from tests.web.openapi import described

API = ROOT / "docs" / "api"
PAGE = (API / "reference.md").read_text(encoding="utf-8")
ERRORS = (API / "errors.md").read_text(encoding="utf-8")
GUIDE = (API / "README.md").read_text(encoding="utf-8")
SERVER = (ROOT / "docs" / "operations" / "server.md").read_text(encoding="utf-8")

ROUTE = re.compile(r"^## ((?:GET|POST|PUT|PATCH|DELETE) /[^\n]*)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
CELL = re.compile(r"^\| ([^|\n]*) \| ([^\n]*) \|$", re.MULTILINE)
HTTP = re.compile(r"^```http\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WORD = re.compile(r"`([^`\n]+)`")
ERROR_ROW = re.compile(
    r'^\| <a id="([^"]+)"></a>`([^`]+)` \| ([0-9]{3}) \| `([A-Z_]+)` \| ([^|\n]+) \|', re.MULTILINE
)
# Codes of every route, every one with a key, and every one with a body: said once.
EVERYWHERE = {"invalid-field", "internal", "store-unavailable"}
WITH_KEY = {"invalid-api-key", "insufficient-scope", "rate-limited"}
WITH_BODY = {"malformed", "request-timeout", "too-large", "unsupported-media-type"}


DOCUMENT = described()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
SECTIONS = dict(ROUTE.findall(PAGE))
each_route = pytest.mark.parametrize("route", OPERATIONS)


@pytest.fixture(scope="module")
def web():
    store = MemoryStore(FakeClock())
    Engine(store, OPERATOR)
    web = Web(Services(store, OPERATOR))
    yield web
    web.close()


def cells(section, head):
    """The rows of the tables that begin with a heading: what stands in their first column, and in the rest."""
    tables = re.findall(rf"^\| {head} \|[^\n]*\n\|(?: --- \|)+\n((?:\|[^\n]*\n)*)", section, re.MULTILINE)
    return [row for table in tables for row in CELL.findall(table)]


def words(section, head):
    return {word for first, _ in cells(section, head) for word in WORD.findall(first)}


def resolved(schema):
    """A schema, looked up where it is a reference."""
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def members(schema):
    """The members of the objects that a schema allows."""
    schema = resolved(schema)
    found = set(schema.get("properties", ()))
    for each in [*schema.get("anyOf", ()), *schema.get("allOf", ())]:
        found |= members(each)
    return found


def answered(operation):
    """What the data of an operation's success may hold."""
    for status, response in operation["responses"].items():
        content = response.get("content", {}).get("application/json", {})
        if status.startswith("2") and content.get("schema"):
            return members(resolved(content["schema"])["properties"]["data"])
    return set()


def codes_of(operation):
    return {
        (int(status), code)
        for status, response in operation["responses"].items()
        if int(status) >= 400
        for code in WORD.findall(response["description"])
    }


def test_every_route_has_its_section_in_the_order_of_the_description_and_no_other_is_there():
    assert list(SECTIONS) == list(OPERATIONS)


def test_the_table_at_the_top_has_every_route_with_its_scope():
    rows = re.findall(r"^\| \[`([^`]+)`\]\(#[^)]+\) \| (?:`(read|write)`)?[^|\n]*\|$", PAGE, re.MULTILINE)
    assert [route for route, _ in rows] == list(OPERATIONS)
    for route, scope in rows:
        needs = f"Needs the scope `{scope}`." if scope else "Needs no key."
        assert needs in SECTIONS[route], route
        assert bool(scope) is ("security" in OPERATIONS[route]), route


@each_route
def test_a_route_opens_with_the_scope_that_its_section_names_and_with_no_other(web, route):
    method, path = route.split(" ")
    needed = re.findall(r"^Needs the scope `([a-z]+)`\.$", SECTIONS[route], re.MULTILINE)
    asked = re.sub(r"\{[a-zA-Z]+\}", "1", path)
    answers = {scope: web.call(method, asked, key=web.new_key(scope)) for scope in SCOPES}
    opened = [scope for scope, answer in answers.items() if answer.status_code not in {401, 403}]
    assert opened == (needed or [*SCOPES])


@each_route
def test_a_section_has_a_row_for_every_parameter_and_member_of_the_body_and_for_no_other(route):
    operation = OPERATIONS[route]
    named = {(each["name"], each["in"]) for each in operation.get("parameters", ())}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    named |= {(member, "body") for member in members(body)}
    rows = {
        (word, place.partition(";")[0].strip())
        for first, place in cells(SECTIONS[route], "Parameter")
        for word in WORD.findall(first)
    }
    # The framework has it apart from the parameters.
    assert rows - {("Accept", "header")} == named


@each_route
def test_a_section_says_what_is_required(route):
    operation = OPERATIONS[route]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    required = set(resolved(body).get("required", ())) if body else set()
    required |= {
        each["name"]
        for each in operation.get("parameters", ())
        if each.get("required") and each["in"] == "query"
    }
    rows = {
        word
        for first, place in cells(SECTIONS[route], "Parameter")
        if re.match(r"[a-z]+; required", place)
        for word in WORD.findall(first)
    }
    assert rows == required


@each_route
def test_a_section_has_a_row_for_every_member_of_the_answer_and_for_no_other(route):
    assert words(SECTIONS[route], "Answer") == answered(OPERATIONS[route])


@each_route
def test_the_members_of_nested_objects_that_an_example_shows_are_named(route):
    for shown in answers_shown(SECTIONS[route]):
        # What a receipt and an entry hold stands in the specification.
        for name, value in shown.items():
            if name not in {"entry", "receipt"}:
                # The sections of customers and of breakdowns define members that others show.
                missing = nested(value) - set(WORD.findall(SECTIONS[route])) - DEFINED
                assert missing == set(), (name, missing)


def answers_shown(section):
    """The data of the JSON answers that the examples of a section show."""
    for step in steps(section):
        if step.output and step.output[0] == "{":
            yield json.loads("\n".join(step.output))["data"]


def nested(value):
    """The names of all members within a value, but for those of entries."""
    if isinstance(value, list):
        return {name for item in value for name in nested(item)}
    if not isinstance(value, dict):
        return set()
    return set(value) | {name for member, item in value.items() if member != "entry" for name in nested(item)}


BALANCES = (API / "balances.md").read_text(encoding="utf-8")
DEFINED = set(WORD.findall(BALANCES)) | set(
    WORD.findall(SECTIONS["GET /api/v1/balance/customers/{customerId}"])
)


@each_route
def test_a_section_lists_the_codes_of_its_route_beyond_those_of_all_routes(route):
    operation = OPERATIONS[route]
    common = EVERYWHERE | (WITH_KEY if "security" in operation else set())
    common |= WITH_BODY if "requestBody" in operation else set()
    codes = codes_of(operation)
    assert {code for _, code in codes} >= common
    rows = {
        (int(status), word)
        for status, words in cells(SECTIONS[route], "Status")
        for word in WORD.findall(words)
        if word in CODES
    }
    assert rows == {(status, code) for status, code in codes if code not in common}


@each_route
def test_a_section_says_where_a_success_is_201(route):
    statuses = {int(status) for status in OPERATIONS[route]["responses"] if int(status) < 300}
    named = {int(status) for status, _ in cells(SECTIONS[route], "Status") if int(status) < 300}
    assert named == (statuses if 201 in statuses else set())


@each_route
def test_a_section_has_an_example_that_asks_for_its_route_and_shows_an_answer(route):
    method, path = route.split(" ")
    pattern = re.sub(r"\\\{[a-zA-Z]+\\\}", r"[^/\"? ]+", re.escape(path))
    asking = [
        step for step in steps(SECTIONS[route]) if re.search(rf":8080{pattern}(?=[\"? \n]|$)", step.command)
    ]
    assert asking
    assert any(step.output for step in steps(SECTIONS[route])), route
    posts = [step for step in asking if re.search(r" -d |-X POST", step.command)]
    assert bool(posts) is (method == "POST")


def test_the_codes_of_all_routes_stand_once_with_their_statuses():
    rows = re.findall(r"^\| ([0-9]{3}) \| `([a-z-]+)` \| ([^|\n]+) \|$", PAGE, re.MULTILINE)
    table = {code: (int(status), where) for status, code, where in rows}
    assert table.keys() == EVERYWHERE | WITH_KEY | WITH_BODY | {"not-found", "method-not-allowed"}
    assert {code: status for code, (status, _) in table.items()} == {
        code: problems.KINDS[code].status for code in table
    }
    for code, (_, where) in table.items():
        if code in WITH_KEY:
            assert where == "routes with a scope"
        elif code in WITH_BODY:
            assert where == "routes with a body"
        elif code in EVERYWHERE:
            assert where.startswith("everywhere")


class TestRefusals:
    def test_every_code_is_on_the_page_with_its_status_and_its_other_name_and_no_other_is(self):
        rows = {code: (int(status), name) for _, code, status, name, _ in ERROR_ROW.findall(ERRORS)}
        assert rows == {code: (kind.status, kind.name) for code, kind in problems.KINDS.items()}

    def test_every_code_can_be_linked_to_by_its_own_name(self):
        assert [anchor for anchor, *_ in ERROR_ROW.findall(ERRORS)] == [
            code for _, code, *_ in ERROR_ROW.findall(ERRORS)
        ]

    def test_the_document_that_the_page_shows_is_the_answer_to_the_request_that_it_shows(self, web):
        request, response = HTTP.findall(ERRORS)
        head, _, body = request.partition("\n\n")
        answer = web.call(
            "POST", head.split(" ")[1], content=body, headers={"Content-Type": "application/json"}
        )
        shown, _, document = response.partition("\n\n")
        assert shown.split("\n") == [
            f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}",
            f"Content-Type: {answer.headers['content-type']}",
        ]
        assert document.strip() == answer.text

    def test_its_members_are_explained(self):
        _, response = HTTP.findall(ERRORS)
        document = json.loads(response.partition("\n\n")[2])
        named = words(ERRORS, "Member")
        shown = {name for name in document if name != "error"} | {
            f"error.{name}" for name in document["error"]
        }
        assert named - {"recordId", "error.retryAfterSeconds"} == shown


class TestTheGuide:
    def test_the_bounds_are_those_of_the_code(self):
        rows = dict(CELL.findall(GUIDE[GUIDE.index('<a id="limits">') :]))
        wanted = {
            "body": f"{limits.REQUEST_BYTES_MAX // 2**20} MiB, within {limits.REQUEST_SECONDS_MAX} seconds",
            "deltas of a batch": f"{limits.REQUEST_DELTAS_MAX:,}",
            "items of a page": f"{limits.PAGE_ITEMS_MAX:,}",
            "window": f"{limits.SCOPE_MONTHS_MAX} months",
            "details of a delta": f"{limits.DETAILS_BYTES_MAX:,} bytes, {limits.DETAILS_NESTING_MAX} levels",
            "number": f"{limits.JSON_NUMBER_CHARACTERS_MAX} characters",
            "requests that one process works on, connections that it has": (
                f"{Settings().requests_max:,}, {server._CONNECTIONS_MAX:,}"  # noqa: SLF001  -- the page is held to it
            ),
        }
        assert {name: rows[name].partition(" | ")[0] for name in wanted} == wanted

    def test_what_it_says_of_pacspaces_client_is_said_of_methods_that_this_has(self):
        table = GUIDE[GUIDE.index("| Of the client | Here |") : GUIDE.index("What is different:")]
        named = {
            word.rpartition(".")[2]
            for first, _ in cells(table, "Of the client")
            for word in WORD.findall(first)
        }
        client = PacSpace.init("pk_test_a.b", base_url="http://127.0.0.1:1")
        parts = (client, client.balance, client.customers, Webhooks)
        assert {name for name in named if not any(hasattr(part, name) for part in parts)} == set()
        client.close()

    def test_its_index_names_every_page_and_file_of_the_folder(self):
        linked = {link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", GUIDE)}
        assert {page.name for page in API.iterdir()} - {"README.md"} <= linked


class TestOperations:
    def test_every_metric_is_on_the_page_with_its_labels_and_no_other(self):
        metrics = Metrics()
        metrics.answered("GET", "/healthz", 200, 0.01)
        families = re.findall(r"^# TYPE (\S+) (\S+)$", metrics.text().decode(), re.MULTILINE)
        rows = re.findall(r"^\| `(counterfoil_[a-z_]+)` \| ([a-z]+) \|", SERVER, re.MULTILINE)
        assert sorted(rows) == sorted(families)
        labels = set(re.findall(r'[{,]([a-z]+)="', metrics.text().decode())) - {"le"}
        section = SERVER[SERVER.index('<a id="metrics">') : SERVER.index('<a id="logs">')]
        assert labels <= set(WORD.findall(section))

    def test_every_level_of_the_log_is_on_the_page(self):
        section = SERVER[SERVER.index('<a id="logs">') :]
        assert set(LEVELS) <= set(WORD.findall(section))


def test_every_block_of_the_reference_is_run():
    assert len(BLOCK.findall(PAGE)) == len(SECTIONS) + 1
