"""HTTP around the hub: a thread a connection, and the faults that tests ask for."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from hub_server.messages import Logged, Refusal, Reply, Request

if TYPE_CHECKING:
    from hub_server.server import Hub


class Server(ThreadingHTTPServer):
    """One thread a connection. None keeps the test alive, and that a client was killed is no news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """HTTP around `Hub.answer`: reads the body, lets the due fault strike, sends the answer, logs."""

    hub: "Hub"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes, and would wait 40 ms for each other

    def handle_any(self) -> None:
        """Answer one request of any method."""
        target, body = urlsplit(self.path), self.read_body()
        query = {name: values[-1] for name, values in parse_qs(target.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, target.path, query, headers, body)
        with self.hub.lock:
            fault = next((fault for fault in self.hub.faults if fault.strikes(request)), None)
        if fault and fault.call:
            fault.call()
        if fault and fault.status:
            reply = Refusal(fault.status, fault.code, "a fault that the test asked for").reply
            reply.headers |= {"Retry-After": "0"} if fault.status in (429, 503) else {}
        else:
            reply = self.hub.answer(request)
        spoil = fault.body if fault else None
        status = 0 if spoil == "drop" else reply.status
        self.hub.log.append(Logged(request.method, request.path, status, len(body), "authorization" in headers))
        self.send(reply, spoil)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

    def read_body(self) -> bytes:
        """The request's body, sent with its length or in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            if len(body) < length:  # half a commit must not be taken for a whole one
                raise ConnectionAbortedError("the client went away in the middle of its request")
            return body
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def send(self, reply: Reply, spoil: str | None) -> None:
        """Send an answer, spoilt if a fault asks for it."""
        self.close_connection = self.close_connection or spoil in ("cut", "drop")
        if spoil == "drop":
            return
        raw = isinstance(reply.body, bytes)
        body = reply.body if raw else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        kind = "application/octet-stream" if raw else "application/json"
        for name, value in {"Content-Type": kind, **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if spoil == "wrong":
            body = bytes(255 - byte for byte in body)
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if spoil == "cut" else body)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean; `Hub.log` has what happened."""
