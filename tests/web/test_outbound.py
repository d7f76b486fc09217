"""Requests go to checked addresses, follow nothing, and end in time."""

import datetime as dt
import socket
import ssl
import threading

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from counterfoil.engine.webhook_deliveries import Attempt
from counterfoil.web import outbound
from counterfoil.web.outbound import ANSWER_BYTES_MAX, TOTAL_SECONDS, Outgoing, Sender, resolve
from tests.web.receiver import receiving, respond

NO_CONNECTION = "no connection"
NOT_PUBLIC = "the host's address is not a public one"
PUBLIC = "93.184.216.34"


def at(*addresses):
    """A resolver that always says the same."""
    return lambda _host, _port: list(addresses)


def outgoing(url, body=b'{"a":1}', **headers):
    return Outgoing(url, [("Content-Type", "application/json"), *headers.items()], body)


def failed(outcome):
    return Attempt(delivered=False, final=False, outcome=outcome)


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def sender():
    """Sends to this host, whatever the name."""
    return Sender(allow_private=True, resolve=at("127.0.0.1"))


class TestWhatIsSent:
    def test_it_is_a_post_to_the_path_and_query_of_the_url_with_our_headers(self, receiver, sender):
        assert sender.send(outgoing(receiver.url, **{"X-Event-ID": "e1"})) == Attempt(
            delivered=True, final=False, outcome="HTTP 204"
        )
        [got] = receiver.received
        assert (got.path, got.body) == ("/counterfoil?token=abc", '{"a":1}')
        assert got.headers == {
            "Host": f"hooks.example.com:{receiver.port}",
            "Connection": "close",
            "Content-Type": "application/json",
            "X-Event-ID": "e1",
            "Content-Length": "7",
        }

    @pytest.mark.parametrize(
        ("rest", "path"),
        [
            ("", "/"),
            ("?a=b", "/?a=b"),
            ("/x;y=1?", "/x;y=1"),
            ("/%2e%2e/ä".replace("ä", "%C3%A4"), "/%2e%2e/%C3%A4"),
        ],
    )
    def test_a_path_is_sent_as_it_stands(self, receiver, sender, rest, path):
        sender.send(outgoing(f"http://hooks.example.com:{receiver.port}{rest}"))
        assert [each.path for each in receiver.received] == [path]

    def test_a_host_that_is_an_address_stands_in_brackets_where_it_must(self, receiver, sender):
        sender.send(outgoing(f"http://[2001:db8::1]:{receiver.port}/"))
        assert receiver.received[0].headers["Host"] == f"[2001:db8::1]:{receiver.port}"

    def test_a_proxy_of_the_environment_is_not_used(self, receiver, sender, monkeypatch):
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert sender.send(outgoing(receiver.url)).delivered

    def test_a_url_is_in_no_repr(self):
        assert "token" not in repr(outgoing("https://example.com/?token=abc"))


class TestAnswers:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_2xx_is_delivered(self, receiver, sender, status):
        receiver.answer = lambda handler: respond(handler, status, b"x" if status != 204 else b"")
        assert sender.send(outgoing(receiver.url)) == Attempt(
            delivered=True, final=False, outcome=f"HTTP {status}"
        )

    @pytest.mark.parametrize("status", [400, 401, 404, 408, 429, 500, 503, 599])
    def test_an_error_is_a_failure(self, receiver, sender, status):
        receiver.answer = lambda handler: respond(handler, status)
        assert sender.send(outgoing(receiver.url)) == failed(f"HTTP {status}")

    def test_410_is_final(self, receiver, sender):
        receiver.answer = lambda handler: respond(handler, 410)
        assert sender.send(outgoing(receiver.url)) == Attempt(delivered=False, final=True, outcome="HTTP 410")

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_a_failure_and_not_followed(self, receiver, sender, status):
        receiver.answer = lambda handler: respond(handler, status, Location=receiver.url)
        assert sender.send(outgoing(receiver.url)) == failed(f"HTTP {status}: redirects are not followed")
        assert len(receiver.received) == 1

    def test_a_long_answer_is_not_read_to_its_end(self, receiver, sender):
        stopped = threading.Event()

        def go_on_for_ever(handler):
            handler.send_response_only(200)
            handler.send_header("Content-Length", str(10**12))
            handler.end_headers()
            try:
                while True:
                    handler.wfile.write(bytes(ANSWER_BYTES_MAX))
            except OSError:
                stopped.set()

        receiver.answer = go_on_for_ever
        assert sender.send(outgoing(receiver.url)).delivered
        assert stopped.wait(20)

    def test_an_answer_that_breaks_off_behind_its_status_counts(self, receiver, sender):
        def break_off(handler):
            handler.send_response_only(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()

        receiver.answer = break_off
        assert sender.send(outgoing(receiver.url)).delivered

    @pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 2000 OK\r\n\r\n"])
    def test_what_is_no_answer_is_a_failure(self, receiver, sender, said):
        receiver.answer = lambda handler: handler.wfile.write(said)
        assert sender.send(outgoing(receiver.url)) == failed("the connection ended without an answer")

    def test_where_nobody_listens_there_is_no_connection(self, sender):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            assert sender.send(outgoing(f"http://hooks.example.com:{port}/")) == failed(NO_CONNECTION)


class TestTime:
    def test_an_answer_that_does_not_come_is_not_waited_for(self, receiver, sender, monkeypatch):
        monkeypatch.setattr(outbound, "READ_SECONDS", 0.05)
        done = threading.Event()
        receiver.answer = lambda _: done.wait(20)
        assert sender.send(outgoing(receiver.url)) == failed("timed out")
        done.set()

    def test_steps_that_each_keep_their_bound_keep_the_bound_of_all(self, receiver):
        """An answer that comes byte by byte, on a clock of which each look takes a fifth of the bound."""
        looks = []

        def steady():
            looks.append(None)
            return len(looks) * TOTAL_SECONDS / 5

        sender = Sender(allow_private=True, resolve=at("127.0.0.1"), steady=steady)
        done = threading.Event()

        def drip(handler):
            for byte in b"HTTP/1.1 200 OK\r\n":
                handler.wfile.write(bytes([byte]))
            done.wait(20)

        receiver.answer = drip
        assert sender.send(outgoing(receiver.url)) == failed("timed out")
        done.set()
        assert len(looks) <= 6


class TestUrls:
    """A URL out of the store, which somebody may have written there."""

    @pytest.mark.parametrize("url", [
        "", "hooks.example.com", "//hooks.example.com/", "ftp://hooks.example.com/", "file:///etc/passwd", "gopher://x/",
        "https://", "https:///x", "https://hooks.example.com:0/", "https://hooks.example.com:65536/",
        "https://hooks.example.com:x/", "https://user:secret@hooks.example.com/", "https://hooks.example.com/#x",
        "https://[::1/", "https://[::1%25lo]/", "https://hooks.example.com/\r\nX-Other: 1", "https://hooks.example.com/\xe4",
    ])  # fmt: skip
    def test_one_that_cannot_be_sent_to_is_a_failure_before_anything_is_resolved(self, url):
        sender = Sender(allow_private=True, resolve=lambda *_: pytest.fail("resolved"))
        outcome = sender.send(outgoing(url))
        assert (outcome.delivered, outcome.final) == (False, False)
        assert outcome.outcome.startswith("not a URL for a webhook: ")
        assert not url or url not in outcome.outcome

    def test_http_is_spoken_where_it_was_allowed_alone(self):
        asked = []

        def resolver(host, _port):
            asked.append(host)
            return []

        for name, allowed in (("a", {}), ("b", {"allow_http": True}), ("c", {"allow_private": True})):
            Sender(resolve=resolver, **allowed).send(outgoing(f"http://{name}.example.com/"))
        assert asked == ["b.example.com", "c.example.com"]

    def test_https_always_is(self):
        sender = Sender(resolve=at())
        assert sender.send(outgoing("https://a.example.com/")) == failed("the host's name has no address")


class TestAddresses:
    @pytest.mark.parametrize(
        "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"]
    )
    def test_a_host_inside_is_refused_before_anything_is_connected(self, receiver, monkeypatch, address):
        monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", lambda *_, **__: pytest.fail("connected"))
        sender = Sender(allow_http=True, resolve=at(address))
        assert sender.send(outgoing(receiver.url)) == failed(NOT_PUBLIC)

    @pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "2130706433", "0x7f.1", "127.1"])
    def test_a_url_that_names_this_host_is_refused_however_it_is_written(self, receiver, host):
        assert Sender(allow_http=True).send(outgoing(f"http://{host}:{receiver.port}/")) == failed(NOT_PUBLIC)
        assert receiver.received == []

    def test_one_address_inside_among_others_spoils_all(self, receiver):
        sender = Sender(allow_http=True, resolve=at(PUBLIC, "127.0.0.1"))
        assert sender.send(outgoing(receiver.url)) == failed(NOT_PUBLIC)

    def test_the_refusal_does_not_say_what_is_inside(self, receiver):
        assert (
            "10." not in Sender(allow_http=True, resolve=at("10.1.2.3")).send(outgoing(receiver.url)).outcome
        )

    def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(self, receiver, monkeypatch):
        """DNS rebinding: the second answer would lead inside."""
        answers = [[PUBLIC], ["127.0.0.1"]]
        connected = []
        right = httpcore.SyncBackend.connect_tcp

        def connect(self, host, _port, *given):
            connected.append(host)
            return right(self, "127.0.0.1", receiver.port, *given)

        monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
        sender = Sender(allow_http=True, resolve=lambda _host, _port: answers.pop(0))
        assert sender.send(outgoing(receiver.url)).delivered
        assert (connected, answers) == ([PUBLIC], [["127.0.0.1"]])

    def test_each_request_is_checked_anew(self, receiver, monkeypatch):
        monkeypatch.setattr(
            httpcore.SyncBackend, "connect_tcp", lambda *_, **__: (_ for _ in ()).throw(httpcore.ConnectError)
        )
        answers = [[PUBLIC], ["127.0.0.1"]]
        sender = Sender(allow_http=True, resolve=lambda _host, _port: answers.pop(0))
        outcomes = [sender.send(outgoing(receiver.url)).outcome for _ in range(2)]
        assert outcomes == [NO_CONNECTION, NOT_PUBLIC]

    def test_of_several_addresses_the_first_that_answers_is_taken(self, receiver):
        # Nobody listens at the first: 127.0.0.2 is this host too.
        sender = Sender(allow_private=True, resolve=at("127.0.0.2", "127.0.0.1"))
        assert sender.send(outgoing(receiver.url)).delivered

    @pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long"), None])
    def test_a_name_that_has_no_address_is_a_failure(self, receiver, error):
        def resolver(_host, _port):
            if error is not None:
                raise error
            return []

        outcome = Sender(allow_http=True, resolve=resolver).send(outgoing(receiver.url))
        assert outcome == failed("the host's name has no address")

    def test_the_system_resolves_names(self):
        assert resolve("127.0.0.1", 80) == ["127.0.0.1"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of hooks.example.com, and the contexts of both sides."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example.com")])
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.com")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=file)


class TestTls:
    def test_a_certificate_of_the_host_is_taken(self, certificate):
        server, trusting = certificate
        with receiving(tls=server) as receiver:
            sender = Sender(allow_private=True, resolve=at("127.0.0.1"), tls=trusting)
            assert sender.send(outgoing(receiver.url)).delivered
            assert receiver.received[0].path == "/counterfoil?token=abc"

    def test_one_of_another_host_is_not_and_nothing_is_sent(self, certificate):
        server, trusting = certificate
        with receiving(tls=server) as receiver:
            sender = Sender(allow_private=True, resolve=at("127.0.0.1"), tls=trusting)
            found = sender.send(outgoing(receiver.url.replace("hooks.", "other.")))
            assert found.outcome.startswith("the certificate does not hold: ")
            assert (found.delivered, receiver.received) == (False, [])

    def test_the_address_that_is_connected_to_is_not_the_name_that_is_verified(self, certificate):
        server, trusting = certificate
        with receiving(tls=server) as receiver:
            sender = Sender(allow_private=True, resolve=at("127.0.0.1"), tls=trusting)
            found = sender.send(outgoing(f"https://127.0.0.1:{receiver.port}/"))
            assert found.outcome.startswith("the certificate does not hold: ")

    def test_one_that_nobody_vouches_for_is_not(self, certificate):
        server, _ = certificate
        with receiving(tls=server) as receiver:
            sender = Sender(allow_private=True, resolve=at("127.0.0.1"))
            found = sender.send(outgoing(receiver.url))
            assert found.outcome.startswith("the certificate does not hold: ")
            assert receiver.received == []

    def test_a_server_that_speaks_no_tls_is_a_failure(self, receiver, sender):
        receiver.answer = lambda _: None
        assert sender.send(outgoing(receiver.url.replace("http:", "https:"))) == failed("TLS failed")
