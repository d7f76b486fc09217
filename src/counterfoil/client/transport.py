"""Requests: sent with the key of their host alone, bounded, tried again where that can help.

- The API key goes to the base URL and nowhere else: no redirect is followed, no cookie kept, and public routes are
  asked without it.
- An answer is read up to a bound and no further, as it was sent: compression is not asked for and not undone, since a
  few bytes of it can stand for gigabytes.
- What may pass at a second attempt is tried again: lost connections and the statuses in `RETRIED`, after pauses that
  grow and vary, no sooner than `Retry-After` says, within a number of attempts and a time.
- A write bears one idempotency key over all its attempts, so that it is carried out once.  Where nobody can tell
  whether it was, the refusal is `commit-outcome-unknown`.

Source: docs/api/client.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

import httpx

from counterfoil import __version__
from counterfoil.client.answers import SERVER_ERRORS, Answer, bearing_key, read_answer, read_refusal, shown
from counterfoil.client.settings import Retries, World
from counterfoil.core.encoding import JsonValue, canonical_json
from counterfoil.errors import CounterfoilError, EngineError, MalformedError, TooLargeError
from counterfoil.limits import RECEIPT_BYTES_MAX, REQUEST_BYTES_MAX

RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which the same request is sent again, but where the refusal says that this cannot help."""

# The longest page of a list: 1,000 items with an entry of 2,048 bytes and details of 16,384 each.
ANSWER_BYTES_MAX: Final = 33_554_432
_OK: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_JSON: Final = "application/json"
_DOUBLINGS_MAX: Final = 32
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
# They would lead to another route.
_NO_SEGMENTS: Final = frozenset({"", ".", ".."})
# Refusals of what a request asks for: they hold for every attempt.
_OF_THE_REQUEST: Final = frozenset({
    "too-large", "malformed", "invalid-field", "amount-out-of-range", "customer-not-found", "record-not-found",
    "idempotency-conflict", "invalid-scope-combination", "scope-too-wide",
})  # fmt: skip
# Of refusals under these statuses, those that pass by themselves: for the others somebody has to look at the server.
_PASSING: Final = frozenset(
    {"store-unavailable", "commit-outcome-unknown", "rate-limited", "request-timeout", "internal"}
)
# After these the attempt itself may have been carried out.
_UNSETTLED: Final = frozenset({"commit-outcome-unknown", "internal"})

Query = Mapping[str, str | int | None]


class Request(NamedTuple):
    """One request, the same at each attempt.

    Attributes:
        method: `GET` or `POST`.
        path: segments behind the base URL.
        query: parameters; those that are None are left out.
        body: JSON, or None.
        accept: media types of the answer.
        key: the idempotency key of a write, None of what writes nothing.
        public: whether it goes without the API key.
        bytes_max: of the answer.
    """

    method: str
    path: Sequence[str]
    query: Query | None = None
    body: bytes | None = None
    accept: str = _JSON
    key: str | None = None
    public: bool = False
    bytes_max: int = ANSWER_BYTES_MAX


class Answered(NamedTuple):
    """A success as it came: its body, and whether it says that it repeats an earlier answer."""

    body: bytes
    replayed: bool


class Posted(NamedTuple):
    """The data of the answer to a POST, and whether it says that it repeats an earlier answer."""

    data: Answer
    replayed: bool


class _Failure(NamedTuple):
    """An attempt that failed.

    Attributes:
        refusal: what it failed with.
        again: whether another one may pass.
        unsettled: whether it may have been carried out all the same.
        settles: whether it holds for every attempt, whatever became of an earlier one.
        wait_seconds: how long the server asks to wait, None where it does not.
    """

    refusal: CounterfoilError
    again: bool
    unsettled: bool
    settles: bool = False
    wait_seconds: float | None = None


class Transport:
    """Sends requests to one base URL; threads may share it."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        timeout_seconds: float,
        retries: Retries,
        world: World,
        transport: httpx.BaseTransport | None,
    ) -> None:
        """Open a pool of connections; nothing is sent yet.

        Raises:
            EngineError: `usage`, where the URL is none of http or https, bears credentials, a query or a fragment, or
                the API key cannot stand in a header.
        """
        self._base = _check_base(base_url)
        if api_key is not None and not _VISIBLE.fullmatch(api_key):
            raise EngineError("usage", "an API key is visible ASCII characters without spaces")
        self._api_key = api_key
        self._timeout_seconds = timeout_seconds
        self._retries = retries
        self._world = world
        self._http = httpx.Client(
            timeout=timeout_seconds,
            transport=transport,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={"User-Agent": f"counterfoil-python/{__version__}", "Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def new_key(self) -> str:
        """Return a new idempotency key: 128 random bits in hex."""
        return self._world.randomness(16).hex()

    def send(self, request: Request) -> Answered:
        """Send a request, again where that can help; return the success.

        Raises:
            CounterfoilError: the refusal of the last attempt, with `attempts` among its facts; `commit-outcome-unknown`
                where a write may have been carried out.
        """
        if self._http.is_closed:
            raise EngineError("usage", "the client is closed")
        headers = self._headers(request)
        started = self._world.clock()
        unsettled = False
        attempts = 0
        while True:
            attempts += 1
            outcome = self._attempt(request, headers)
            if isinstance(outcome, Answered):
                return outcome
            unsettled = unsettled or outcome.unsettled
            pause = max(self._pause(attempts), outcome.wait_seconds or 0)
            late = self._world.clock() + pause - started > self._retries.total_seconds
            if not outcome.again or attempts >= self._retries.attempts or late:
                raise _last(outcome, attempts=attempts, unsettled=unsettled)
            self._world.sleep(pause)

    def fetch_answer(
        self, path: Sequence[str], query: Query | None = None, *, public: bool = False
    ) -> Answer:
        """Return the data of an answer.

        Raises:
            CounterfoilError: as `send`; `malformed`, `too-large` of the answer.
        """
        request = Request("GET", path, query, public=public)
        return read_answer(self.send(request).body, bytes_max=ANSWER_BYTES_MAX)

    def fetch_document(
        self,
        path: Sequence[str],
        accept: str,
        query: Query | None = None,
        *,
        public: bool = False,
        bytes_max: int = RECEIPT_BYTES_MAX,
    ) -> bytes:
        """Return the bytes of a receipt, a statement, a note, a consistency file.

        Raises:
            CounterfoilError: as `send`.
        """
        request = Request("GET", path, query, accept=accept, public=public, bytes_max=bytes_max)
        return self.send(request).body

    def post(self, path: Sequence[str], body: Mapping[str, JsonValue], key: str | None) -> Posted:
        """Send an object; return the data of the answer.

        Args:
            path: segments behind the base URL.
            body: the object; members that are None are left out.
            key: the idempotency key of a write, None of what writes nothing.

        Raises:
            CounterfoilError: as `send`; `invalid-field`, where the body holds what is no exact JSON; `malformed`,
                `too-large` of the answer: a write was carried out then.
        """
        try:
            data = canonical_json({name: value for name, value in body.items() if value is not None})
        except MalformedError as error:
            raise EngineError("invalid-field", error.message) from error
        with bearing_key(key):
            answered = self.send(Request("POST", path, body=data, key=key))
            return Posted(read_answer(answered.body, bytes_max=ANSWER_BYTES_MAX), answered.replayed)

    def _headers(self, request: Request) -> dict[str, str]:
        headers = {"Accept": request.accept}
        if request.body is not None:
            if len(request.body) > REQUEST_BYTES_MAX:
                raise TooLargeError(f"the request has over {REQUEST_BYTES_MAX} bytes: send it in parts")
            headers["Content-Type"] = _JSON
        if request.key is not None:
            headers["Idempotency-Key"] = request.key
        if not request.public:
            if self._api_key is None:
                raise EngineError("usage", "this needs an API key, and the client was made without one")
            headers["X-Api-Key"] = self._api_key
        return headers

    def _pause(self, attempts: int) -> float:
        """Return the seconds before the next attempt: doubled each time, and between half and all of that.

        Clients that lost the same server do not come back at the same moment.
        """
        doubled = self._retries.first_pause_seconds * (1 << min(attempts - 1, _DOUBLINGS_MAX))
        whole = min(doubled, self._retries.pause_seconds_max)
        share = int.from_bytes(self._world.randomness(4), "big") / 2**32
        return whole * (0.5 + share / 2)

    def _attempt(self, request: Request, headers: Mapping[str, str]) -> Answered | _Failure:
        write = request.key is not None
        try:
            with self._http.stream(
                request.method, self._url(request), headers=dict(headers), content=request.body
            ) as response:
                body = self._read(response, request.bytes_max)
        except httpx.TransportError as error:
            # It stays with the refusal as its cause, and the request that it names bears the API key and the body.
            error.request = httpx.Request(request.method, self._base)
            return _lost(
                f"the connection failed: {shown(str(error) or type(error).__name__)}", error, write=write
            )
        except MalformedError as error:
            # A success that cannot be read: whatever was asked for, it was carried out.
            return _Failure(error, again=False, unsettled=write, settles=True)
        except _SlowError as error:
            return _lost("the answer took too long", error, write=write)
        if response.status_code in _OK:
            return Answered(body, response.headers.get("Idempotency-Replayed", "").lower() == "true")
        if response.status_code in _REDIRECTS:
            return _Failure(_redirect(response), again=False, unsettled=False)
        return _refused(response, body, write=write)

    def _url(self, request: Request) -> str:
        if any(segment in _NO_SEGMENTS for segment in request.path):
            raise EngineError("invalid-field", "a name in the path is empty, or dots alone")
        path = "/".join(quote(segment, safe="") for segment in request.path)
        query = urlencode({name: value for name, value in (request.query or {}).items() if value is not None})
        return f"{self._base}/{path}" + (f"?{query}" if query else "")

    def _read(self, response: httpx.Response, bytes_max: int) -> bytes:
        """Read a body: up to its bound, and for no longer than an attempt may take; of a refusal only a readable one."""
        if response.status_code in _OK:
            return self._read_bounded(response, bytes_max)
        try:
            return self._read_bounded(response, RECEIPT_BYTES_MAX)
        except MalformedError:
            return b""

    def _read_bounded(self, response: httpx.Response, bytes_max: int) -> bytes:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise MalformedError("the answer is compressed, which was not asked for")
        end = self._world.clock() + self._timeout_seconds
        parts: list[bytes] = []
        size = 0
        # An answer of a mock is there as a whole; one of the network is read here and nowhere else.
        whole = response.is_stream_consumed
        for part in [response.content] if whole else response.iter_raw():
            size += len(part)
            if size > bytes_max:
                raise TooLargeError(f"the answer has over {bytes_max} bytes")
            if self._world.clock() > end:
                raise _SlowError
            parts.append(part)
        return b"".join(parts)


class _SlowError(Exception):
    """A body that comes in drops: each in time, and all of it never."""


def _check_base(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError):
        url = httpx.URL("")
    # Not what it is instead: that may hold a password.
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo or url.query or url.fragment:
        raise EngineError("usage", "the base URL is that of an http or https server, and nothing more")
    return str(url).rstrip("/")


def _lost(words: str, error: Exception, *, write: bool) -> _Failure:
    if write:
        refusal = EngineError("commit-outcome-unknown", f"{words}; the server may have carried it out")
    else:
        refusal = EngineError("store-unavailable", words)
    refusal.__cause__ = error
    return _Failure(refusal, again=True, unsettled=write)


def _redirect(response: httpx.Response) -> EngineError:
    location = shown(response.headers.get("Location", ""))
    return EngineError(
        "usage",
        "the server redirects, and the API key is sent to the base URL alone: if the other address is the right one, "
        "give it as the base URL",
        status=response.status_code,
        location=location,
    )


def _refused(response: httpx.Response, body: bytes, *, write: bool) -> _Failure:
    status = response.status_code
    refusal, documented = read_refusal(status, body, bytes_max=RECEIPT_BYTES_MAX)
    # Without a document it was perhaps not the server that answered, but what stands before it.
    unsettled = write and (refusal.code in _UNSETTLED or (status >= SERVER_ERRORS and not documented))
    if unsettled and not documented:
        refusal = EngineError(
            "commit-outcome-unknown",
            f"the server answers {status}; it may have carried it out",
            **refusal.facts,
        )
    wait = _retry_after(response.headers, refusal.facts)
    refusal.facts.pop("retryAfterSeconds", None)
    if wait is not None:
        refusal.facts["retryAfterSeconds"] = f"{wait:.6f}".rstrip("0").rstrip(".")
    if request_id := response.headers.get("X-Request-Id"):
        # Whoever runs the server finds it in the log under this.
        refusal.facts["requestId"] = shown(request_id)
    again = status in RETRIED and refusal.code in _PASSING
    settles = documented and refusal.code in _OF_THE_REQUEST
    return _Failure(refusal, again, unsettled, settles, wait)


def _retry_after(headers: httpx.Headers, facts: Mapping[str, str]) -> float | None:
    """Return how long a server asks to wait: `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), or the document."""
    text = headers.get("Retry-After") or facts.get("retryAfterSeconds") or ""
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        # By the server's own clock, which may differ from ours.
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers["Date"])
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
    return max(0.0, wait.total_seconds())


def _last(failure: _Failure, *, attempts: int, unsettled: bool) -> CounterfoilError:
    """Return what a request ends with that no further attempt is made for."""
    refusal = failure.refusal
    # An earlier attempt may have been carried out; that this one was not does not settle it.
    if unsettled and not failure.settles and refusal.code not in _UNSETTLED:
        refusal = EngineError(
            "commit-outcome-unknown",
            f"an attempt may have been carried out, and the last one was refused: {refusal.message}",
            **(refusal.facts | {"last": refusal.code}),
        )
        refusal.__cause__ = failure.refusal
    refusal.facts["attempts"] = str(attempts)
    return refusal
