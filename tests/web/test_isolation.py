"""Who may ask for what: every route, with every kind of key, for one's own things, another tenant's, and none at all.

The routes are those of the description.  One that has no entry here fails the first test.
"""

import json
import re
from typing import NamedTuple

import pytest

from counterfoil.engine import apikeys, deltas
from counterfoil.engine.deltas import delta_state
from counterfoil.errors import EngineError
from counterfoil.web.access import Access
from counterfoil.web.state import Services
from tests.support import SECOND, seeded
from tests.web import parties
from tests.web.api import Api, in_memory

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
BALANCE = "/api/v1/balance"
CHECKPOINTS = "/api/v1/checkpoints/{customerReference}"
# What anybody may see, without a key: it shows of a customer what nobody can guess the name of.
PUBLIC = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/api/v1/keys"),
    ("GET", "/api/v1/verify/{proofRoot}"),
    ("GET", CHECKPOINTS),
    ("GET", f"{CHECKPOINTS}/consistency"),
    ("GET", f"{CHECKPOINTS}/{{size}}"),
}


class Way(NamedTuple):
    """How a route is asked: `{name}` in path, query and body is that of the party which is asked for.

    `{own}` is the customer of the one who asks.  A way without `{name}` names nothing, and shows what is one's own.
    """

    path: str
    query: str = ""
    body: object = None

    @property
    def names(self):
        text = f"{self.path}{self.query}{json.dumps(self.body)}".replace("{own}", "")
        return any(f"{{{name}}}" in text for name in parties.Party._fields)

    def request(self, me, it):
        """Return the path with its query, and the body."""
        filled = {**it._asdict(), "own": me.customerId}
        target = self.path + (f"?{self.query}" if self.query else "")
        for name, text in filled.items():
            target = target.replace(f"{{{name}}}", text)
        if self.body is None:
            return target, None
        body = json.dumps(self.body)
        for name, text in filled.items():
            body = body.replace(f"{{{name}}}", text)
        return target, body


def ways(path, *more):
    """By the path alone, and as these say: each a query, or a body."""
    return tuple(
        Way(path, query=each) if isinstance(each, str) else Way(path, body=each) for each in more or ("",)
    )


RECORD = {"customerId": "{own}", "delta": "1", "reason": "usage"}
BY_RECORD = RECORD | {"adjusts": {"recordId": "{recordId}"}}
BY_REFERENCE = RECORD | {"adjusts": {"referenceId": "{referenceId}"}}
COMPARE = {"yourBalance": "1", "theirBalance": "1"}
STARTS = ("proofRoot", "checkpointId", "recordId")
FROM_OWN = Way(f"{BALANCE}/derive/{{own}}")

ROUTES = {
    ("POST", f"{BALANCE}/delta"): ways(f"{BALANCE}/delta", RECORD, BY_RECORD, BY_REFERENCE),
    ("POST", f"{BALANCE}/delta/batch"): ways(
        f"{BALANCE}/delta/batch", {"deltas": [RECORD]}, {"deltas": [BY_RECORD]}
    ),
    ("POST", f"{BALANCE}/compare"): ways(
        f"{BALANCE}/compare",
        {**COMPARE, "customerId": "{customerId}"},
        *({**COMPARE, "customerId": "{own}", "startingCheckpoint": f"{{{name}}}"} for name in STARTS),
    ),
    ("POST", f"{BALANCE}/checkpoint"): ways(f"{BALANCE}/checkpoint", {}, {"customerId": "{customerId}"}),
    ("GET", f"{BALANCE}/checkpoints"): ways(f"{BALANCE}/checkpoints", "", "customerId={customerId}"),
    ("GET", f"{BALANCE}/derive/{{customerId}}"): (
        Way(f"{BALANCE}/derive/{{customerId}}"),
        *(FROM_OWN._replace(query=f"startingCheckpoint={{{name}}}") for name in STARTS),
    ),
    ("GET", f"{CHECKPOINTS}/consistency"): ways(f"{CHECKPOINTS}/consistency", "from=6"),
    **{
        (method, path): ways(path)
        for method, path in (
            *(PUBLIC - {("GET", f"{CHECKPOINTS}/consistency")}),
            ("GET", f"{BALANCE}/delta/{{recordId}}"),
            ("GET", f"{BALANCE}/delta/{{recordId}}/receipt"),
            ("GET", f"{BALANCE}/delta/{{recordId}}/verify"),
            ("GET", f"{BALANCE}/customers"),
            ("GET", f"{BALANCE}/customers/summary"),
            ("GET", f"{BALANCE}/customers/{{customerId}}"),
            ("GET", f"{BALANCE}/customers/{{customerId}}/statement"),
            ("GET", f"{BALANCE}/limits"),
            ("GET", f"{BALANCE}/usage"),
            ("GET", f"{BALANCE}/gaps/{{customerId}}"),
            ("GET", f"{BALANCE}/receipt/{{customerId}}"),
            ("GET", f"{BALANCE}/invoice-proof/{{customerId}}"),
            ("GET", f"{BALANCE}/webhooks"),
            ("POST", f"{BALANCE}/webhooks/{{eventId}}/retry"),
        )
    },
}
PROTECTED = [
    (method, way)
    for (method, path), all_ways in ROUTES.items()
    if (method, path) not in PUBLIC
    for way in all_ways
]
OPEN = [
    (method, way)
    for (method, path), all_ways in ROUTES.items()
    if (method, path) in PUBLIC
    for way in all_ways
]


class World:
    """A server with two tenants, and every kind of key.

    Attributes:
        me: the customer of the tenant that asks.
        it: by kind, whose things are asked for.
        keys: by kind, what a client sends.
    """

    def __init__(self, app, clock, steady):
        self.clock, self.steady = clock, steady
        self.store = app.services.store
        self.randomness = seeded("world")
        self.me = parties.settle(self.store, "mine", "customer-a")
        self.it = {
            "own": self.me,
            "theirs": parties.settle(self.store, "theirs", "customer-b"),
            "absent": parties.absent("mine", "customer-c"),
        }
        own, gone, old = self.issue(), self.issue(), self.issue(lifetime_seconds=1)
        apikeys.revoke(self.store, gone.key.key_id)
        clock.now += 2 * SECOND
        stranger = self.issue("theirs")
        secret = own.text.partition(".")[2]
        self.keys = {
            "own": own.text,
            "read-only": self.issue(scopes=("read",)).text,
            "write-only": self.issue(scopes=("write",)).text,
            "stranger's": stranger.text,
        }
        self.refused = {
            "none": None,
            "empty": "",
            "malformed": own.text.replace(".", ":"),
            "unknown": f"pk_test_{'0' * 16}.{secret}",
            "wrong secret": own.text[:-1] + ("0" if own.text[-1] != "0" else "1"),
            "another key's secret": f"{own.text.partition('.')[0]}.{stranger.text.partition('.')[2]}",
            "wrong environment": own.text.replace("_test_", "_live_"),
            "revoked": gone.text,
            "expired": old.text,
        }
        self.api = Api(app, None)

    def stand(self, now):
        """Stop the clock at a time; what is kept for seconds is forgotten."""
        self.clock.now, self.clock.tick = now, 0
        self.steady.now += 60

    def issue(self, tenant="mine", scopes=("read", "write"), **how):
        return apikeys.create(self.store, tenant=tenant, scopes=scopes, randomness=self.randomness, **how)

    def ask(self, method, way, key, whose, me=None):
        """Return the answer to one cell of the matrix."""
        target, body = way.request(me or self.me, self.it[whose])
        headers = {} if key is None else {"X-Api-Key": key}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self.api.call(method, target, content=body, headers=headers)


@pytest.fixture
def world(app, clock, steady):
    world = World(app, clock, steady)
    yield world
    world.api.close()


def cells(routes):
    for method, way in routes:
        for whose in ("own", "theirs", "absent") if way.names else ("own",):
            yield method, way, whose


def is_reading(method, way):
    return method == "GET" or way.path.endswith("/compare")


def assert_isolated(world, key="own", mine="own", others=("theirs", "absent"), me=None):
    """Hold every protected route to this: what is another's looks like what there is not, and one's own is there."""
    for method, way, whose in cells(PROTECTED):
        if whose != mine:
            continue
        found = world.ask(method, way, world.keys[key], mine, me)
        assert found.status in (200, 201), (method, way, found.text)
        if not way.names:
            for mark in world.it[others[0]].marks:
                assert mark not in found.text, (method, way)
            continue
        foreign, missing = (world.ask(method, way, world.keys[key], other, me) for other in others)
        assert foreign.shown == missing.shown, (method, way)
        assert not is_success(foreign), (method, way, foreign.text)


def is_success(answer):
    """Whether something was done; a batch says so of each of its items."""
    return answer.status in (200, 201) and (answer.document["data"].get("totalQueued", 1) > 0)


@in_memory
def test_every_route_of_the_description_has_its_cells(app):
    described = {(method.upper(), path) for path, item in app.openapi()["paths"].items() for method in item}
    assert set(ROUTES) == described


@in_memory
def test_the_description_is_everybodys(world):
    for key in (None, world.keys["own"], world.refused["revoked"]):
        assert world.ask("GET", Way("/openapi.json"), key, "own").status == 200


@in_memory
def test_the_description_says_which_routes_need_no_key(app):
    described = {
        (method.upper(), path)
        for path, item in app.openapi()["paths"].items()
        for method, operation in item.items()
        if not operation.get("security")
    }
    assert described == PUBLIC


def test_another_tenants_things_look_like_things_that_do_not_exist(world):
    assert_isolated(world)


def test_and_so_it_is_the_other_way_round(world):
    assert_isolated(world, "stranger's", "theirs", ("own", "absent"), world.it["theirs"])


def test_whoever_asks_for_anothers_things_changes_nothing_of_theirs(world):
    theirs, now = world.it["theirs"], world.clock.now

    def state():
        world.stand(now)
        return [
            world.ask(method, way, world.keys["stranger's"], "theirs", theirs).text
            for method, way in PROTECTED
            if is_reading(method, way)
        ]

    before = state()
    for method, way, whose in cells(PROTECTED):
        world.ask(method, way, world.keys["own"], whose)
    assert state() == before


@in_memory
def test_what_opens_nothing_is_refused_alike_whatever_it_is_and_whatever_it_asks_for(world):
    shown = set()
    for method, way, whose in cells(PROTECTED):
        for kind, key in world.refused.items():
            answer = world.ask(method, way, key, whose)
            answer.refused("invalid-api-key", 401, "INVALID_API_KEY")
            shown.add(repr(answer.shown))
            assert len(shown) == 1, (method, way, whose, kind)


def assert_scoped(world):
    """Hold every protected route to this: one scope opens it, and the other one does not."""
    shown = set()
    for method, way, whose in cells(PROTECTED):
        enough, short = (
            ("read-only", "write-only") if is_reading(method, way) else ("write-only", "read-only")
        )
        refused = world.ask(method, way, world.keys[short], whose)
        refused.refused("insufficient-scope", 403, "INSUFFICIENT_SCOPE")
        shown.add(repr(refused.shown))
        found = world.ask(method, way, world.keys[enough], whose)
        assert is_success(found) is (whose == "own"), (method, way, whose)
    # It says which scope, and nothing of what was asked for.
    assert len(shown) == 2


@in_memory
def test_a_key_opens_what_its_scope_names_and_nothing_else(world):
    assert_scoped(world)


def test_what_is_public_is_the_same_for_everybody(world):
    for method, way, whose in cells(OPEN):
        if way.path == "/metrics":
            continue
        answers = [
            world.ask(method, way, key, whose).shown
            for key in [*world.keys.values(), *world.refused.values()]
        ]
        assert all(each == answers[0] for each in answers), (method, way)
        assert answers[0][0] == (404 if whose == "absent" else 200), (method, way)


@in_memory
def test_a_method_that_a_route_has_not_is_refused_before_anything_is_looked_at(world):
    one_way = {(way.path, whose): way for _, way, whose in cells([*PROTECTED, *OPEN])}
    for (_, whose), way in one_way.items():
        template = way.path.replace("{own}", "{customerId}")
        allowed = methods_of(path for _, path in ROUTES if path == template)
        # A word may stand where another route has an id.
        answered = methods_of(path for _, path in ROUTES if matches(path, template))
        for other in set(METHODS) - answered:
            shown = set()
            for key in (world.keys["own"], None, world.refused["revoked"]):
                answer = world.ask(other, way, key, whose)
                assert answer.status == 405, (other, way)
                assert set(answer.headers["allow"].split(", ")) == allowed, (other, way)
                shown.add(repr(answer.shown))
            assert len(shown) == 1, (other, way)


def methods_of(paths):
    found = {method for path in paths for method, known in ROUTES if known == path}
    return found | {"HEAD"} if "GET" in found else found


def matches(template, path):
    return re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path)


@in_memory
def test_head_is_get_without_the_body(world):
    for method, way, whose in cells([*PROTECTED, *OPEN]):
        if method != "GET" or way.path == "/metrics":
            continue
        for key in (world.keys["own"], None):
            get, head = (world.ask(each, way, key, whose) for each in ("GET", "HEAD"))
            assert (head.status, head.text) == (get.status, ""), (way, whose)
            assert head.shown[1] == get.shown[1], (way, whose)


@in_memory
@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v1", BALANCE, f"{BALANCE}/deltas", "/admin", "/docs", "/redoc"]
)
def test_a_path_that_is_none_is_the_same_for_everybody(world, path):
    answers = [
        world.ask("GET", Way(path), key, "own") for key in [*world.keys.values(), *world.refused.values()]
    ]
    answers[0].refused("not-found", 404, "NOT_FOUND")
    assert all(each.shown == answers[0].shown for each in answers)


@in_memory
class TestATenantThatIsNamed:
    """The tenant comes from the key alone."""

    def test_in_a_query_is_refused(self, world):
        for method, way in PROTECTED:
            named = way._replace(query=f"{way.query}&tenant=theirs".lstrip("&"))
            world.ask(method, named, world.keys["own"], "own").invalid("tenant")

    def test_in_a_body_is_refused(self, world):
        for method, way in PROTECTED:
            if method == "POST" and way.body is not None:
                named = way._replace(body={**way.body, "tenant": "theirs"})
                world.ask(method, named, world.keys["own"], "own").invalid("tenant")

    def test_in_a_header_is_not_looked_at(self, world):
        headers = {"X-Api-Key": world.keys["own"]}
        named = {"X-Tenant": "theirs", "X-Forwarded-User": "theirs", "Authorization": "Bearer theirs"}
        plain, other = (
            world.api.call("GET", f"{BALANCE}/customers", headers=each) for each in (headers, headers | named)
        )
        assert plain.shown == other.shown


def test_an_idempotency_key_counts_within_its_tenant(world):
    body = json.dumps({**RECORD, "customerId": "shared"})
    headers = {"Content-Type": "application/json", "Idempotency-Key": "same"}

    def record(key):
        return world.api.call(
            "POST", f"{BALANCE}/delta", content=body, headers={**headers, "X-Api-Key": world.keys[key]}
        )

    first, other, again = record("own"), record("stranger's"), record("own")
    assert [first.status, other.status, again.status] == [201, 201, 200]
    assert again.data["recordId"] == first.data["recordId"] != other.data["recordId"]


@in_memory
class TestPlantedFaults:
    """The same claims, of servers that do not keep to them."""

    def test_a_server_that_takes_one_tenant_for_the_other_is_noticed(self, world, monkeypatch):
        engine = Services.engine
        monkeypatch.setattr(Services, "engine", lambda services, _tenant: engine(services, "theirs"))
        with pytest.raises(AssertionError):
            assert_isolated(world)

    def test_a_refusal_that_tells_anothers_record_from_none_is_noticed(self, world, monkeypatch):
        fired = []

        def telling(store, operator, tenant, log, index):
            with store.read() as view:
                if any(head.tenant != tenant for head in view.heads([log]).values()):
                    fired.append(index)
                    raise EngineError("insufficient-scope", "the record is another tenant's")
            return delta_state(store, operator, tenant, log, index)

        monkeypatch.setattr(deltas, "delta_state", telling)
        with pytest.raises(AssertionError):
            assert_isolated(world)
        assert fired

    def test_a_server_that_does_not_look_at_scopes_is_noticed(self, world, monkeypatch):
        admit = Access.admit
        monkeypatch.setattr(Access, "admit", lambda self, headers, _scope: admit(self, headers, "read"))
        with pytest.raises(AssertionError):
            assert_scoped(world)
