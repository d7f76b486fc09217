"""Bodies: what is read, what is refused, hostile ones among it."""

import asyncio
import json

import httpx
import pytest

from tests.web.calling import DELTA, assert_problem, data_of

BATCH = f"{DELTA}/batch"
JSON = {"Content-Type": "application/json"}
GOOD = b'{"customerId":"cust_001","delta":-12.5,"reason":"api_call"}'


def sent(web, body, **headers):
    return web.post(DELTA, body, headers={name.replace("_", "-"): value for name, value in headers.items()})


class TestKinds:
    @pytest.mark.parametrize("kind", [
        "text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=latin-1", "application/jsonx",
        "multipart/form-data; boundary=x", "application/json, application/json",
    ])  # fmt: skip
    def test_a_body_of_another_kind_is_refused(self, quick, kind):
        assert_problem(sent(quick, GOOD, Content_Type=kind), "unsupported-media-type", 415)

    def test_a_body_without_a_kind_is_refused(self, quick):
        assert_problem(quick.call("POST", DELTA, content=GOOD), "unsupported-media-type", 415)

    @pytest.mark.parametrize(
        "kind", ["application/json", "Application/JSON; Charset=UTF-8", 'application/json;charset="utf-8"']
    )
    def test_json_in_utf_8_is_read(self, quick, kind):
        assert sent(quick, GOOD, Content_Type=kind).status_code == 201

    @pytest.mark.parametrize("encoding", ["gzip", "identity", "br"])
    def test_a_compressed_body_is_refused(self, quick, encoding):
        assert_problem(sent(quick, GOOD, Content_Encoding=encoding), "unsupported-media-type", 415)


class TestBounds:
    @pytest.mark.parametrize("path", [DELTA, BATCH])
    def test_one_byte_over_the_bound_is_refused(self, quick, path):
        most = quick.services.settings.body_bytes_max
        answer = quick.post(path, GOOD + b" " * (most - len(GOOD)))
        assert answer.status_code in (201, 400)
        answer = quick.post(path, GOOD + b" " * (most - len(GOOD) + 1))
        assert_problem(answer, "too-large", 413, "PAYLOAD_TOO_LARGE")
        assert answer.headers["connection"] == "close"

    @pytest.mark.parametrize("length", ["1048577", "9" * 30, "-1", "1e3"])
    def test_a_declared_length_over_the_bound_is_refused_before_anything_comes(self, quick, length):
        answer = quick.run(quick._client.request(  # noqa: SLF001
            "POST", DELTA, headers={"X-Api-Key": quick.key, **JSON, "Content-Length": length}, content=never()
        ))  # fmt: skip
        assert_problem(answer, "too-large", 413)

    def test_a_body_in_pieces_is_bounded_as_it_comes(self, quick):
        async def pieces():
            for _ in range(65):
                yield b" " * 16_384
            raise AssertionError("read on behind the bound")

        assert_problem(sent_in_pieces(quick, pieces()), "too-large", 413)

    def test_a_body_in_pieces_is_read(self, quick):
        async def pieces():
            for start in range(len(GOOD)):
                yield GOOD[start : start + 1]

        assert sent_in_pieces(quick, pieces()).status_code == 201

    def test_a_body_that_does_not_arrive_in_time_is_refused(self, quick):
        async def pieces():
            yield GOOD[:5]
            await asyncio.sleep(3_600)

        object.__setattr__(quick.services.settings, "body_seconds_max", 0.01)
        answer = sent_in_pieces(quick, pieces())
        assert_problem(answer, "request-timeout", 408, "REQUEST_TIMEOUT")
        assert answer.headers["connection"] == "close"

    def test_a_client_that_went_away_is_answered_by_nobody(self, quick):
        heard = []

        async def gone():
            return {"type": "http.disconnect"}

        async def hear(message):
            heard.append(message)

        headers = [(b"x-api-key", quick.key.encode()), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": DELTA, "query_string": b"", "headers": headers}
        quick.run(quick.app(scope, gone, hear))
        assert heard == []
        assert b'status="499"' in quick.app.metrics.text()


async def never():
    raise AssertionError("the body was asked for")
    yield b""  # what makes it a stream


def sent_in_pieces(web, pieces):
    request = web._client.build_request("POST", DELTA, headers={"X-Api-Key": web.key, **JSON}, content=pieces)  # noqa: SLF001
    transport = Streaming(web.app)
    return web.run(transport.send(request, pieces))


class Streaming:
    """Sends a body piece by piece; httpx's own transport gathers it first."""

    def __init__(self, app):
        self._app = app

    async def send(self, request, pieces):
        parts = []

        async def receive():
            try:
                piece = await anext(pieces)
            except StopAsyncIteration:
                return {"type": "http.request", "body": b"", "more_body": False}
            return {"type": "http.request", "body": piece, "more_body": True}

        async def send(message):
            parts.append(message)

        headers = [
            (name.lower(), value) for name, value in request.headers.raw if name.lower() != b"content-length"
        ]
        scope = {"type": "http", "method": "POST", "path": DELTA, "query_string": b"", "headers": headers}
        await self._app(scope, receive, send)
        return httpx.Response(
            parts[0]["status"],
            headers=parts[0]["headers"],
            content=b"".join(part["body"] for part in parts[1:]),
        )


class TestJson:
    @pytest.mark.parametrize("body", [
        b"", b"{", b"[]", b'"x"', b"null", b"\xff", b"\xef\xbb\xbf" + GOOD, GOOD + b"x", b"{'a':1}", GOOD[:-1] + b",}",
        b'{"customerId":"a","customerId":"b","delta":1,"reason":"x"}', b'{"customerId":"\\ud800","delta":1,"reason":"x"}',
        b'{"customerId":"a","delta":NaN,"reason":"x"}', b'{"customerId":"a","delta":Infinity,"reason":"x"}',
        b'{"customerId":"a","delta":01,"reason":"x"}', b'{"customerId":"a","delta":.5,"reason":"x"}',
    ])  # fmt: skip
    def test_what_is_no_json_object_is_refused(self, quick, body):
        assert_problem(sent(quick, body), "malformed", 400, "VALIDATION_ERROR")

    @pytest.mark.parametrize("body", [
        b"[" * 100_000, b'{"a":' * 100_000, b'{"metadata":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"customerId":"a","reason":"x","delta":' + b"9" * 1_000_000 + b"}",
        b'{"customerId":"a","reason":"x","delta":1e' + b"9" * 1_000_000 + b"}",
        b'{"customerId":"a","reason":"x","delta":1e999999999}', b'{"customerId":"a","reason":"x","delta":1e-999999999}',
        b'{"customerId":"a","reason":"x","delta":0.' + b"0" * 1_000_000 + b"}",
        b'{"customerId":"a","reason":"x","delta":1,"metadata":{"a":' + b"9" * 5_000 + b"}}",
        b'{"customerId":"a","reason":"x","delta":1,"metadata":{"a":1e999999999}}',
        b'{"customerId":"a","reason":"x","delta":1,"metadata":{"a":' + b"[" * 200 + b"]" * 200 + b"}}",
        b'{"customerId":"a","delta":1,"reason":"' + b"\\u0000" * 150_000 + b'"}',
        b'{"' + b"a" * 900_000 + b'":1}', b"{" + b",".join(b'"%d":1' % number for number in range(90_000)) + b"}",
    ], ids=lambda body: f"{body[:60].decode()}...{len(body)}")  # fmt: skip
    def test_hostile_ones_are_refused(self, quick, body):
        answer = sent(quick, body)
        assert answer.status_code == 400, answer.text
        assert len(answer.content) < 1_000


class TestMembers:
    @pytest.mark.parametrize(
        "members", [{"amount": 1}, {"customerID": "x"}, {"": 1}, {"idempotencyKey": "k"}]
    )
    def test_one_that_is_not_known_is_refused_by_its_name(self, quick, members):
        answer = quick.record(**members)
        assert_problem(answer, "invalid-field", 400, "VALIDATION_ERROR", next(iter(members)))

    @pytest.mark.parametrize("name", ["customerId", "delta", "reason"])
    @pytest.mark.parametrize("how", ["missing", "null"])
    def test_one_that_is_missing_is_named(self, quick, name, how):
        body = json.loads(GOOD)
        body[name] = None
        if how == "missing":
            del body[name]
        assert_problem(sent(quick, json.dumps(body)), "invalid-field", 400, field=name)

    @pytest.mark.parametrize("name", ["customerId", "reason", "referenceId", "effectiveAt", "unit"])
    @pytest.mark.parametrize("value", [5, 5.5, True, [], {}])
    def test_text_is_text(self, quick, name, value):
        body = {**json.loads(GOOD), name: value}
        assert_problem(sent(quick, json.dumps(body)), "invalid-field", 400, field=name)

    @pytest.mark.parametrize("value", [True, [], {}, [1], "twelve", "", "1 2", "0x1", "1_000", "NaN", "1e"])
    def test_an_amount_is_a_decimal_number(self, quick, value):
        body = {**json.loads(GOOD), "delta": value}
        assert_problem(sent(quick, json.dumps(body)), "invalid-field", 400, field="delta")

    @pytest.mark.parametrize("value", ["0", "0.0", "-0", "1e18", "0.0000000001", "1000000000000000000"])
    @pytest.mark.parametrize("quote", ["", '"'])
    def test_an_amount_that_does_not_fit_is_refused(self, quick, value, quote):
        body = f'{{"customerId":"a","reason":"x","delta":{quote}{value}{quote}}}'
        assert_problem(sent(quick, body), "amount-out-of-range", 400, "VALIDATION_ERROR", "delta")

    @pytest.mark.parametrize(("written", "kept"), [
        ("-12.5", "-12.5"), ("0.1", "0.1"), ("123456789012345678.123456789", "123456789012345678.123456789"),
        ("1e3", "1000"), ("1.50E-1", "0.15"), ('"+500"', "500"), ('"0.30"', "0.3"), ("999999999999999999", "999999999999999999"),
        ("0.000000001", "0.000000001"),
    ])  # fmt: skip
    def test_amounts_are_exact_from_end_to_end(self, quick, written, kept):
        answer = sent(quick, f'{{"customerId":"a","reason":"x","delta":{written}}}')
        assert f'"delta":{kept},' in answer.text
        assert data_of(answer)["entry"]["amount"] == kept
        stands = quick.get(f"{DELTA}/{data_of(answer)['recordId']}")
        assert f'"delta":{kept},' in stands.text

    @pytest.mark.parametrize("value", [5, "x", [], [1]])
    def test_metadata_is_an_object(self, quick, value):
        assert_problem(quick.record(metadata=value), "invalid-field", 400, field="metadata")

    @pytest.mark.parametrize("number", ["9007199254740993", "0.1000000000000000055511151231257827", "1e400"])
    def test_a_number_in_metadata_that_is_no_exact_double_is_refused(self, quick, number):
        body = GOOD[:-1] + b',"metadata":{"n":' + number.encode() + b"}}"
        assert_problem(sent(quick, body), "invalid-field", 400, field="metadata")

    def test_a_null_is_as_if_it_were_not_there(self, quick):
        answer = quick.record(referenceId=None, metadata=None, adjusts=None, effectiveAt=None, unit=None)
        assert answer.status_code == 201

    def test_vendors_of_middleware_are_refused_in_words(self, quick):
        document = assert_problem(
            quick.record(vendorAccountId="v"), "invalid-field", 400, field="vendorAccountId"
        )
        assert "middleware" in document["detail"]
