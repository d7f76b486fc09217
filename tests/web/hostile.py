"""Requests that nobody sends in good faith, as they go over the wire, and what each is answered.

An expectation is the code of a refusal, or a status of a success where there is nothing to refuse.
"""

from typing import NamedTuple

DELTA = "/api/v1/balance/delta"
BALANCE = "/api/v1/balance"
HEALTH = "/healthz"
# The routes that read a body.
BODY_ROUTES = (
    DELTA,
    f"{DELTA}/batch",
    f"{BALANCE}/compare",
    f"{BALANCE}/checkpoint",
    f"{BALANCE}/webhooks/{{event}}/retry",
)
EVENT = f"delta.verified.0x{'0' * 40}.1"
BODY_BYTES_MAX = 1_048_576
GOOD = b'{"customerId":"alice","delta":1,"reason":"usage"}'
NO_HTTP = "malformed"


class Sent(NamedTuple):
    """Bytes, and what they are answered; `closes` where nothing more is read from the connection."""

    data: bytes
    expected: object
    closes: bool = False


def start(line, *headers):
    """Return a head of these lines, as they are."""
    return b"\r\n".join([line, *headers, b"", b""])


def get(path, *headers):
    return start(b"GET " + path + b" HTTP/1.1", b"Host: x", *headers)


def refused(data, code=NO_HTTP):
    return Sent(data, code, closes=True)


HOST = b"Host: x"
LINES = {
    "noise": refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20),
    "the start of HTTP/2": refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "another version": refused(start(b"GET /healthz HTTP/3.7", HOST)),
    "no version": Sent(b"GET /healthz\r\n\r\n", 200, closes=True),
    "HTTP/1.0": Sent(start(b"GET /healthz HTTP/1.0"), 200, closes=True),
    "a method that is none": refused(start(b"BREW /healthz HTTP/1.1", HOST)),
    "a method in lower case": refused(start(b"get /healthz HTTP/1.1", HOST)),
    "NUL in the method": refused(start(b"GET\x00 /healthz HTTP/1.1", HOST)),
    "a rare method": Sent(start(b"PROPFIND /healthz HTTP/1.1", HOST), "method-not-allowed"),
    "CONNECT": refused(start(b"CONNECT evil.example:443 HTTP/1.1", HOST)),
    "OPTIONS of all": Sent(start(b"OPTIONS * HTTP/1.1", HOST), "not-found"),
    "another host's URL": Sent(start(b"GET http://evil.example/nowhere HTTP/1.1", HOST), "not-found"),
    "line feeds alone": refused(b"GET /healthz HTTP/1.1\nHost: x\n\n"),
    "an upgrade": Sent(get(b"/healthz", b"Connection: Upgrade", b"Upgrade: websocket"), 200),
    "an upgrade to HTTP/2": Sent(
        get(b"/healthz", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c"), 200
    ),
}
HEADERS = {
    "no colon": refused(get(b"/healthz", b"nonsense")),
    "a space before the colon": refused(get(b"/healthz", b"X-A : a")),
    "a folded line": refused(get(b"/healthz", b"X-A: a", b" b")),
    "NUL": refused(get(b"/healthz", b"X-A: a\x00b")),
    "a bare return": refused(get(b"/healthz", b"X-A: a\rX-B: b")),
    "an empty name": refused(get(b"/healthz", b": a")),
    "one that is too long": refused(get(b"/healthz", b"X-A: " + b"a" * 300_000), "too-large"),
    "many": refused(get(b"/healthz", *(b"X-%d: a" % number for number in range(40_000))), "too-large"),
    "a few thousand": Sent(get(b"/healthz", *[b"a:"] * 5_000), 200),
    "a path that is too long": refused(get(b"/" + b"a" * 300_000), "too-large"),
    "a query that is too long": refused(get(b"/healthz?" + b"a" * 300_000), "too-large"),
    "a method that is too long": refused(b"G" * 300_000),
}


def framed(*headers, body=GOOD, key):
    """Return a request to record with these headers about its body."""
    lines = (HOST, b"X-Api-Key: " + key.encode(), b"Content-Type: application/json", *headers)
    return start(b"POST /api/v1/balance/delta HTTP/1.1", *lines) + body


def framings(key):
    """Return requests whose body is as long as one likes."""
    length = b"Content-Length: %d"
    right = length % len(GOOD)
    chunked = b"Transfer-Encoding: chunked"
    whole = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)
    smuggled = get(b"/metrics")

    def send(*headers, body=GOOD, expected=NO_HTTP, closes=True):
        return Sent(framed(*headers, body=body, key=key), expected, closes)

    return {
        "both lengths": send(right, chunked, body=whole),
        "both, the other way round": send(chunked, right, body=whole),
        "length 0 and pieces": send(length % 0, chunked, body=whole + smuggled),
        "two lengths": send(right, length % 3),
        "the same length twice": send(right, right),
        "a list of lengths": send(b"Content-Length: 2, 2"),
        "a length with a sign": send(b"Content-Length: +49"),
        "a negative length": send(b"Content-Length: -1"),
        "a hexadecimal length": send(b"Content-Length: 0x31"),
        "a length with a space": send(b"Content-Length: 4 9"),
        "an endless length": send(length % 10**40),
        "a length beyond 64 bits": send(length % 2**64),
        "a length of 63 bits": send(length % (2**63 - 1), expected="too-large"),
        "a length over the bound": send(length % (BODY_BYTES_MAX + 1), expected="too-large"),
        "a length too short": send(length % (len(GOOD) - 1), expected="malformed"),
        "pieces over the bound": send(
            chunked, body=(b"10000\r\n" + b" " * 65_536 + b"\r\n") * 40, expected="too-large"
        ),
        "one piece over the bound": send(
            chunked, body=b"%x\r\n" % (1 << 40) + b" " * (1 << 21), expected="too-large"
        ),
        "pieces without a size": send(chunked, body=b"zz\r\n{}\r\n0\r\n\r\n"),
        "a size beyond 64 bits": send(chunked, body=b"f" * 20 + b"\r\n{}"),
        "a negative size": send(chunked, body=b"-2\r\n{}\r\n0\r\n\r\n"),
        "a piece that is longer than it says": send(chunked, body=b"2\r\n{}}\r\n0\r\n\r\n"),
        "another coding": send(b"Transfer-Encoding: gzip"),
        "a coding that nearly is one": send(b"Transfer-Encoding: xchunked", body=whole),
        "two codings": send(
            b"Transfer-Encoding: gzip, chunked", body=whole, expected="unsupported-media-type", closes=False
        ),
        "a coding twice": send(chunked, chunked, body=whole),
        "an expectation": send(right, b"Expect: 200-maybe", expected=201, closes=False),
        "HTTP/1.0 in pieces": Sent(
            framed(chunked, body=whole, key=key).replace(b"HTTP/1.1", b"HTTP/1.0"), 201, closes=True
        ),
    }


def kinds(key):
    """Return requests whose body is of another kind."""
    length = b"Content-Length: %d" % len(GOOD)

    def send(*headers):
        lines = (HOST, b"X-Api-Key: " + key.encode(), length, *headers)
        return Sent(start(b"POST /api/v1/balance/delta HTTP/1.1", *lines) + GOOD, "unsupported-media-type")

    json = b"Content-Type: application/json"
    return {
        "none": send(),
        "a form": send(b"Content-Type: application/x-www-form-urlencoded"),
        "text": send(b"Content-Type: text/plain"),
        "in UTF-16": send(json + b"; charset=utf-16"),
        "a long one": send(json + b";" + b" " * 10_000 + b"x"),
        "NUL bytes of another one": send(b"Content-Type: application/json\xff"),
        "gzip": send(json, b"Content-Encoding: gzip"),
        "no coding, in words": send(json, b"Content-Encoding: identity"),
    }


def deep(text):
    """Return a body in which something stands where metadata may."""
    return b'{"customerId":"alice","delta":1,"reason":"usage","metadata":' + text + b"}"


# None of these is right for any route.
BODIES = {
    "nothing": b"",
    "a space": b" ",
    "an array": b"[]",
    "text": b'"x"',
    "null": b"null",
    "half of one": GOOD[:-1],
    "two": GOOD + GOOD,
    "a word behind it": GOOD + b"x",
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "UTF-32": GOOD.decode().encode("utf-32-le"),
    "latin-1": GOOD.replace(b"alice", b"al\xefce"),
    "an overlong form": GOOD.replace(b"alice", b"al\xc0\xafce"),
    "an encoded surrogate": GOOD.replace(b"alice", b"al\xed\xa0\x80ce"),
    "beyond Unicode": GOOD.replace(b"alice", b"al\xf4\x90\x80\x80ce"),
    "a lone surrogate": GOOD.replace(b"alice", b"al\\ud800ce"),
    "surrogates in the wrong order": GOOD.replace(b"alice", b"\\udc00\\ud800"),
    "half an escape": GOOD.replace(b"alice", b"al\\u12"),
    "NUL": GOOD.replace(b"alice", b"al\x00ce"),
    "an escaped NUL": GOOD.replace(b"alice", b"al\\u0000ce"),
    "NUL behind it": GOOD + b"\x00",
    "duplicate members": b'{"customerId":"alice",' + GOOD[1:],
    "duplicates below": deep(b'{"a":1,"a":2}'),
    "a proto": deep(b"{}")[:-1] + b',"__proto__":{"a":1}}',
    "a tenant": GOOD[:-1] + b',"tenant":"theirs"}',
    "deep arrays": b"[" * 500_000,
    "deep objects": b'{"a":' * 200_000,
    "deep where it may be": deep(b"[" * 100_000 + b"]" * 100_000),
    "deeper than may be": deep(b'{"a":' + b"[" * 64 + b"]" * 64 + b"}"),
    "many members": b"{" + b",".join(b'"%d":1' % number for number in range(90_000)) + b"}",
    "a long name": b'{"' + b"a" * 1_000_000 + b'":1}',
    "a long text": GOOD.replace(b"usage", b"a" * 1_000_000),
    "many escapes": GOOD.replace(b"usage", b"\\u0041" * 160_000),
    "a number of hidden depth": deep(b'{"a":' + b"9" * 5_000 + b"}"),
}

# As they stand in JSON.  Refused with the whole body where they are no JSON, else by their field.
AMOUNTS = {
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "1e999999999": b"1e999999999",
    "1e-999999999": b"1e-999999999",
    "0e999999999999999999": b"0e999999999999999999",
    "1e500000 as text": b'"1e500000"',
    "2^128": b"340282366920938463463374607431768211456",
    "2^128 as text": b'"340282366920938463463374607431768211456"',
    "18 nines and a half": b"999999999999999999.9999999999",
    "5,000 digits": b"9" * 5_000,
    "a million digits": b"9" * 1_000_000,
    "a million digits as text": b'"' + b"9" * 1_000_000 + b'"',
    "a million digits behind the point": b"0." + b"1" * 1_000_000,
    "a million zeros": b"0." + b"0" * 1_000_000 + b"1",
    "an exponent of a million digits": b"1e" + b"9" * 1_000_000,
    "hexadecimal": b'"0x10"',
    "a leading zero": b"01",
    "a point alone": b"1.",
    "a plus": b"+1",
    "another script's digits": b'"\xef\xbc\x91"',
    "an underscore": b'"1_000"',
    "a comma": b'"1,5"',
    "a space": b'"1 2"',
    "a line feed behind it": b'"1\\n"',
    "a truth value": b"true",
    "an object": b"{}",
}

IDS = {
    "an encoded slash": "a%2fb",
    "two encoded slashes": "a%2F%2fb",
    "a slash encoded twice": "a%252fb",
    "a backslash": "a%5cb",
    "dots": "..",
    "encoded dots": "%2e%2e",
    "dots and a slash": "..%2f..%2fetc%2fpasswd",
    "NUL": "%00",
    "NUL in the middle": "a%00b",
    "half an escape": "%",
    "a digit of an escape": "%4",
    "no hexadecimal escape": "%zz",
    "what is not UTF-8": "%ff%fe",
    "an overlong slash": "%c0%af",
    "another alphabet": "%D0%B0lice",
    "a line": "a%0d%0aSet-Cookie:%20x=1",
    "a line feed": "alice%0a",
    "an escape of a terminal": "%1b%5b31m",
    "another one": "%c2%9b31m",
    "markup": "%3Cscript%3Ealert(1)%3C/script%3E",
    "a quote": "a%22b",
    "SQL": "a'%20OR%201=1--",
    "a wildcard": "%25",
    "a parameter": "alice;a=b",
    "a space": "%20alice",
    "a plus": "+alice",
    "a long one": "a" * 20_000,
    "a number": "9" * 10_000,
}
"""Of no customer, record, log, root or event."""


def path_of(template, text):
    """Return a path with the same text for each of its ids."""
    while "{" in template:
        before, _, rest = template.partition("{")
        template = before + text + rest.partition("}")[2]
    return template


def bodies_of(amount):
    """Return bodies with an amount, each with the route that takes it."""
    delta = b'{"customerId":"alice","reason":"usage","delta":%s}' % amount
    compare = b'{"customerId":"alice","yourBalance":%s,"theirBalance":%s}'
    return [
        (DELTA, delta),
        (f"{DELTA}/batch", b'{"deltas":[%s]}' % delta),
        (f"{BALANCE}/compare", compare % (amount, b"1")),
        (f"{BALANCE}/compare", compare % (b"1", amount)),
    ]
