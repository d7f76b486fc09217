"""A run of Schemathesis over the description that a server hands out, in process, and what it found.

The generator is given the ids of what there is, so that it does not only meet what there is not.  Besides Schemathesis's
own checks, each answer is held to what it leaves out: an object has no members but those described, and a refusal is
of a code that its status is described with.
"""

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, StopReason, events, from_schema

from counterfoil.errors import CODES
from tests.web import parties
from tests.web.api import PROBLEM, Api

BATCH = "POST /api/v1/balance/delta/batch"
# What a description of members one by one cannot say: a request that keeps to each of them may be refused for these.
TOGETHER = {"invalid-scope-combination", "scope-too-wide", "amount-out-of-range"}
FIELDS_TOGETHER = {
    "adjusts": "names one thing in one way",
    "effectiveAt": "is a day that there is",
    "endDate": "is a day that there is, behind startDate",
    "from": "is smaller than to",
    "fromSequence": "is no larger than toSequence, and than the newest",
    "metadata": "nests so deep and no deeper, and its numbers are doubles",
    "period": "does not lie in the future",
    "startDate": "is a day that there is, and does not lie in the future",
    "startingCheckpoint": "is the customer's, and of the type that is named",
    "unit": "is that of the log",
}
# Each of the ways in which a scope is named.
WAYS = (
    {"period"},
    {"timePreset"},
    {"startDate", "endDate"},
    {"startingCheckpoint", "startingCheckpointType"},
)
# No path has these in it.
NO_PATH = re.compile(r"[\x00-\x20\x7f]")
# How often what is drawn comes from our lists.
LISTED_SHARE = 0.8


@dataclass
class Found:
    """What a run found.

    Attributes:
        requests: how many were made.
        statuses: how often each operation answered with each status.
        failures: what did not hold, with a request that shows it.
    """

    requests: int = 0
    statuses: dict = field(default_factory=lambda: defaultdict(Counter))
    failures: dict = field(default_factory=dict)

    def __str__(self):
        return "\n".join(f"{what}\n    {shown}" for what, shown in self.failures.items())

    def fail(self, what, interaction):
        request, response = interaction.request, interaction.response
        shown = [request.method, request.uri, request.body, response.status_code, response.content[:500]]
        self.failures.setdefault(what, shown)


def lists_of(store):
    """Make what there is in a store; return by name what the generator may name."""
    there = [
        parties.settle(store, "default", "customer-a"),
        parties.settle(store, "default", "customer-b"),
        parties.settle(store, "theirs", "customer-c"),
        parties.absent("default", "customer-d"),
    ]

    def all_of(name):
        return [getattr(party, name) for party in there]

    return {
        "customerId": all_of("customerId"),
        "customerReference": all_of("customerReference"),
        "recordId": all_of("recordId"),
        "referenceId": all_of("referenceId"),
        "proofRoot": all_of("proofRoot"),
        "eventId": all_of("eventId"),
        "size": [1, 6, 9],
        "startingCheckpoint": [*all_of("proofRoot"), *all_of("checkpointId"), *all_of("recordId")],
        "period": ["2026-04", "2026-03", "2024-12"],
        "date": ["2026-02-01", "2026-04-01T09:00:00Z", "2026-04-02", "2026-05-01"],
        "amount": ["1", "-2.5", "0.000000001"],
        "key": ["key-1", "key-2"],
    }


# Where each of them may stand.
PLACES = {
    "path": {name: name for name in ("customerId", "customerReference", "recordId", "proofRoot", "eventId", "size")},
    "query": {
        **{name: name for name in ("customerId", "startingCheckpoint", "period", "size")},
        "from": "size", "to": "size", "startDate": "date", "endDate": "date", "startingBalance": "amount",
    },
    "body": {
        **{name: name for name in ("customerId", "startingCheckpoint", "period", "referenceId")},
        "delta": "amount", "startDate": "date", "endDate": "date", "effectiveAt": "date",
        "adjusts.recordId": "recordId", "deltas[*].customerId": "customerId", "deltas[*].delta": "amount",
        "deltas[*].adjusts.recordId": "recordId",
    },
    "header": {"Idempotency-Key": "key"},
}  # fmt: skip


def fuzz(app, key, *, examples, seed, lists, only=None):
    """Send requests to an application; return what was found.

    Args:
        app: the application.
        key: an API key that opens everything.
        examples: of the requests that are drawn by lot, how many an operation.
        seed: of the lots; None for others each time.
        lists: by name, what the generator may name.
        only: the path of the one operation to ask.
    """
    config = SchemathesisConfig.from_dict(
        {
            "headers": {"X-Api-Key": key},
            "generation": {"max-examples": examples, "no-shrink": True, "deterministic": seed is not None},
            "continue-on-failure": True,
            "dictionaries": {name: {"values": values} for name, values in lists.items()},
            "parameters": {
                f"{place}.{name}": {"dictionary": values, "probability": LISTED_SHARE}
                for place, names in PLACES.items()
                for name, values in names.items()
            },
            **({} if seed is None else {"seed": seed}),
        }
    )
    schema = schemathesis.openapi.from_dict(described(app), config=config)
    schema.app = without_lifespan(app)
    found = Found()
    schemathesis.hook(before_call)
    try:
        for event in from_schema(schema if only is None else schema.include(path=only)).execute():
            assert not isinstance(event, events.NonFatalError | events.FatalError), event
            if isinstance(event, events.ScenarioFinished):
                look_at(event.recorder, found)
            elif isinstance(event, events.EngineFinished):
                assert event.stop_reason is StopReason.COMPLETED
    finally:
        schemathesis.hooks.unregister(before_call)
    return found


def described(app):
    """Return the description that a server hands out, of which no object has members that it does not name."""
    api = Api(app, None)
    document = json.loads(api.call("GET", "/openapi.json").text)
    api.close()
    for each in document["components"]["schemas"].values():
        if "properties" in each:
            each.setdefault("additionalProperties", False)
    return document


def without_lifespan(app):
    """Return an application that whoever made it ends."""

    async def call(scope, receive, send):
        if scope["type"] != "http":
            raise RuntimeError(scope["type"])
        await app(scope, receive, send)

    return call


def before_call(context, case, kwargs):
    """Name a scope in one way, three times of four, where it would be named in several: they exclude each other."""
    # Hooks are told by the names of what they take.
    del context, kwargs
    if case.meta is None or not case.meta.generation.mode.is_positive or not case.query:
        return
    named = [way for way in WAYS if way & case.query.keys()]
    choice = len(json.dumps(case.query, default=str)) % 4
    if len(named) > 1 and choice:
        for way in named[: choice - 1] + named[choice:]:
            for name in way:
                case.query.pop(name, None)


def look_at(recorder, found):
    """Add to what was found what a scenario brought."""
    for case_id, interaction in recorder.interactions.items():
        if interaction.response is None:
            found.fail("no answer", interaction)
            continue
        found.requests += 1
        case = recorder.cases[case_id].value
        if interaction.request.method == case.operation.method.upper():
            found.statuses[case.operation.label][interaction.response.status_code] += 1
        for what in own_checks(case, interaction):
            found.fail((case.operation.label, what), interaction)
    for case_id, checks in recorder.checks.items():
        case, interaction = recorder.cases[case_id].value, recorder.interactions[case_id]
        for check in checks:
            if check.status is Status.FAILURE and not is_right(check.name, case, interaction.response):
                failure = check.failure_info.failure
                found.fail((case.operation.label, check.name, failure.message), interaction)


def own_checks(case, interaction):
    """Yield what of a refusal does not hold."""
    response = interaction.response
    if response.status_code < 400:
        return
    if response.headers.get("content-type") != [PROBLEM]:
        yield "a refusal is no problem document"
        return
    document = json.loads(response.content)
    code = document["code"]
    if code not in CODES or document["type"] != f"urn:counterfoil:error:{code}":
        yield f"{code} is of no listed type"
    if document["status"] != response.status_code:
        yield "the document says another status"
    if not reaches(case, interaction.request):
        return
    operation = case.operation.definition.raw
    said = operation["responses"].get(str(response.status_code), {}).get("description", "")
    if f"`{code}`" not in said:
        yield f"{code} is not described"


def reaches(case, request):
    """Whether a request is one to the operation: another method is none, and so is an id that is no part of a path."""
    path = unquote(urlsplit(request.uri).path)
    return (
        request.method == case.operation.method.upper()
        and path.count("/") == case.operation.path.count("/")
        and not NO_PATH.search(path)
    )


def is_right(check, case, response):
    """Whether what a check calls a failure is as it should be."""
    document = json.loads(response.content)
    if check == "positive_data_acceptance" and response.status_code == 400:
        return document["code"] in TOGETHER or document.get("field") in FIELDS_TOGETHER
    if check == "negative_data_rejection" and case.operation.label == BATCH:
        # Each item is refused by itself.
        return document["data"]["totalFailed"] > 0
    # In the place of its last word GET has a recordId, which `batch` is none of.
    return (
        check == "unsupported_method"
        and case.operation.label == BATCH
        and document["code"] == "record-not-found"
    )
