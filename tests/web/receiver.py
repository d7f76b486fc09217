"""A receiver of webhooks: an HTTP server in a thread, which keeps what it gets and answers as it is told."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Received(NamedTuple):
    path: str
    headers: dict
    body: str


class Receiver:
    """What came, and what is answered: `answer(handler)` writes it."""

    def __init__(self, port, *, scheme="http"):
        self.received = []
        self.port = port
        self.url = f"{scheme}://hooks.example.com:{port}/counterfoil?token=abc"
        self.answer = lambda handler: respond(handler, 204)


def respond(handler, status, body=b"", **headers):
    handler.send_response_only(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    if status not in (204, 304):
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        """Those who go away in the middle are part of the tests."""


@contextmanager
def receiving(*, tls=None):
    """Run a receiver; where `tls` is a server's context it speaks TLS."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8")
            receiver.received.append(Received(self.path, dict(self.headers), body))
            receiver.answer(self)

        def log_message(self, *_):
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    receiver = Receiver(server.server_address[1], scheme="https" if tls else "http")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
