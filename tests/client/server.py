"""A small server that follows docs/api, behind httpx.MockTransport: a real log, and faults where a test wants them."""

import json
from urllib.parse import unquote

import httpx

from counterfoil.client import Client
from counterfoil.core.amount import format_nano
from counterfoil.engine.engine import Engine
from counterfoil.engine.public import log_of_reference, published_checkpoint, published_consistency
from counterfoil.engine.request import Delta
from counterfoil.errors import CounterfoilError
from counterfoil.storage.memory import MemoryStore
from counterfoil.web.problems import KINDS
from tests.support import OPERATOR, FakeClock, seeded

BASE = "https://ledger.example.com"
API_KEY = "pk_test_1.secret-of-the-key"
VKEY = str(OPERATOR.verifier_key)
BALANCE = "/api/v1/balance"
RECEIPT_TYPE = "application/vnd.counterfoil.receipt+json"


class Time:
    """Seconds that pass when somebody sleeps."""

    def __init__(self):
        self.now = 1_000.0
        self.slept = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def new_engine(seed=0, operator=OPERATOR, tenant="acme"):
    store = MemoryStore(FakeClock())
    return Engine(store, operator, tenant=tenant, randomness=seeded(seed)), store


def problem(code, **facts):
    """Return a refusal as the server writes it."""
    status, name, title, retry = KINDS[code]
    error = {"code": name, "message": title} | ({"retryAfterSeconds": retry} if retry else {})
    document = {
        "type": f"urn:counterfoil:error:{code}", "title": title, "status": status, "detail": title, "code": code,
        **facts, "success": False, "error": error,
    }  # fmt: skip
    headers = {"Content-Type": "application/problem+json"} | ({"Retry-After": str(retry)} if retry else {})
    return httpx.Response(status, headers=headers, content=json.dumps(document))


def success(data, status=200, **headers):
    return httpx.Response(status, headers=headers, json={"success": True, "data": data})


def text(content):
    return httpx.Response(200, headers={"Content-Type": "text/plain; charset=utf-8"}, content=content)


class Server:
    """Answers requests.

    Attributes:
        engine: what it answers from; another one may take its place.
        requests: what came.
        faults: what to do in place of the next answers: a response to give, an exception to raise, a function of the
            request, or None to answer as ever.
        lies: path ending -> function of the request, for every request to such a path.
    """

    def __init__(self):
        self.engine, self.store = new_engine()
        self.requests = []
        self.faults = []
        self.lies = {}

    def __call__(self, request):
        self.requests.append(request)
        fault = self.faults.pop(0) if self.faults else None
        if fault is None:
            lie = next(
                (found for ending, found in self.lies.items() if request.url.path.endswith(ending)), None
            )
            fault = lie or self.answer
        if isinstance(fault, Exception):
            raise fault
        return fault if isinstance(fault, httpx.Response) else fault(request)

    def lose(self, request):
        """Carry a request out, and lose the answer."""
        self.answer(request)
        raise httpx.ReadError("connection reset by peer")

    def answer(self, request):
        """Answer as the server does."""
        try:
            return self._answer(request, unquote(request.url.path))
        except CounterfoilError as error:
            return problem(error.code)

    def _answer(self, request, path):
        public = path.startswith(("/api/v1/checkpoints/", "/api/v1/verify/")) or path == "/api/v1/keys"
        if not public and request.headers.get("X-Api-Key") != API_KEY:
            return problem("invalid-api-key")
        if public:
            return self._public(request, path)
        if request.method == "POST":
            body = json.loads(request.content)
            return getattr(self, "_post_" + path.removeprefix(f"{BALANCE}/").replace("/", "_"))(request, body)
        kind, name, *form = path.removeprefix(f"{BALANCE}/").split("/")
        if kind == "delta" and form == ["receipt"]:
            assert request.headers["Accept"] == RECEIPT_TYPE
            size = request.url.params.get("size")
            return text(self.engine.receipt(name, size=int(size) if size else None).receipt)
        if kind == "delta":
            state = self.engine.delta(name)
            return success({"recordId": name, "status": state.item.status, "verifiedAt": state.verified_at})
        return problem("not-found")

    def _public(self, request, path):
        if path == "/api/v1/keys":
            return success({"operator": OPERATOR.name, "verifierKeys": [VKEY]})
        if path.startswith("/api/v1/checkpoints/"):
            return self._checkpoint(request, *path.split("/")[4:])
        return problem("not-found")

    def _checkpoint(self, request, reference, form=None):
        log = log_of_reference(reference)
        if form == "consistency":
            old, new = (int(request.url.params[name]) for name in ("from", "to"))
            return text(published_consistency(self.engine._store, self.engine.operator, log, old, size=new))  # noqa: SLF001  -- as the web does, which has the store
        size = int(form) if form else None
        return text(published_checkpoint(self.engine._store, self.engine.operator, log, size=size).note)  # noqa: SLF001  -- likewise

    def _post_delta(self, request, body):
        recorded = self.engine.record(_delta(body, request.headers["Idempotency-Key"]))
        if recorded.replayed:
            return success(_recorded(recorded), 200, **{"Idempotency-Replayed": "true"})
        return success(_recorded(recorded), 201)

    def _post_delta_batch(self, request, body):
        assert request.headers["Idempotency-Key"]
        deltas = [_delta(item, item["idempotencyKey"]) for item in body["deltas"]]
        results = []
        for place, answer in enumerate(self.engine.record_many(deltas)):
            if isinstance(answer, CounterfoilError):
                found = {
                    "status": "FAILED",
                    "error": answer.message,
                    "code": answer.code,
                    "idempotent": False,
                }
            else:
                found = {**_recorded(answer), "idempotent": answer.replayed}
            results.append({"index": place, **found})
        return success({"results": results}, 201)

    def _post_checkpoint(self, request, body):
        assert request.headers["Idempotency-Key"]
        if "customerId" not in body:
            list(self.engine.checkpoint_all())
            return success({"checkpoints": []}, 201)
        found = self.engine.checkpoint(body["customerId"])
        reference = f"0x{found.log.hex()}"
        size, root = found.checkpoint.size, f"0x{found.checkpoint.root.hex()}"
        return success({"customerReference": reference, "size": size, "proofRoot": root}, 201)

    # What tests ask of it behind its back.

    def record(self, count=1, customer="cust_001", amount="1"):
        """Record deltas and put them under a checkpoint; return their recordIds."""
        answers = self.engine.record_many([Delta(customer, amount, "usage") for _ in range(count)])
        self.engine.checkpoint(customer)
        return [answer.record_id for answer in answers]

    def note(self, customer="cust_001"):
        return list(self.engine.checkpoints(customer))[-1].note

    def asked(self, ending):
        """The requests to paths that end so."""
        return [request for request in self.requests if request.url.path.endswith(ending)]


def _delta(body, key):
    adjusts = body.get("adjusts", {})
    return Delta(
        body["customerId"],
        body["delta"],
        body["reason"],
        reference_id=body.get("referenceId"),
        metadata=body.get("metadata"),
        idempotency_key=key,
        effective_at=body.get("effectiveAt"),
        adjusts=adjusts.get("recordId"),
        unit=body.get("unit"),
    )


def _recorded(recorded):
    return {
        "recordId": recorded.record_id,
        "status": "QUEUED",
        "customerId": recorded.customer_id,
        "delta": float(format_nano(recorded.entry.amount)),  # exact for the amounts of these tests
        "idempotencyKey": recorded.idempotency_key,
        "entry": json.loads(recorded.data),
    }


def connect(server, time=None, *, keys=VKEY, state=None, api_key=API_KEY, randomness=None, **named):
    """Return a client of a server, with a time of its own."""
    time = time or Time()
    return Client(
        BASE,
        api_key,
        keys=keys,
        state=state,
        transport=httpx.MockTransport(server),
        clock=time.clock,
        sleep=time.sleep,
        randomness=randomness or seeded(1),
        **named,
    )
