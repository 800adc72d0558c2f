"""A TLS 1.3 server for the model: it does what its standard input says, not what its client sends.

Python's `ssl` asks for a client certificate after the handshake. One connection at a time, each named by
its client's port. Commands, one a line: `write N`, `ask`, `end`, `stall`, `flow`, `close`, `sync WORD`. What
happens is printed as `PORT what ...`; the end of standard input ends the process. Run with the settings
as JSON: certificate, key, the client's authorities, whether to ask in the handshake.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import socket
import ssl
import sys

CERTIFICATE = 11
CERTIFICATE_REQUEST = 13
FINISHED = 20


class Connection:
    """Never blocks. OpenSSL sees no socket: `unwrap()` would eat what the client still says."""

    def __init__(self, plain: socket.socket, port: int, context: ssl.SSLContext, pattern: bytes) -> None:
        self.port = port
        self.pattern = memoryview(pattern)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setblocking(False)
        self.plain = plain
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.out = b""
        self.secured = self.stalled = self.ending = self.ended = self.over = False
        self.sent = self.received = 0
        self.waiting: list[str] = []
        self.messages: list[int] = []

    @property
    def open(self) -> bool:
        return self.plain.fileno() >= 0

    @property
    def interest(self) -> int:
        reads = not self.over and not (self.stalled and self.secured)
        return (select.POLLIN if reads else 0) | (select.POLLOUT if self.out else 0)

    def tell(self, *words: object) -> None:
        print(self.port, *words, flush=True)

    def do(self, command: str) -> None:
        if command == "stall":
            self.stalled = True
        elif command == "flow":
            self.stalled = False
        else:
            self.waiting.append(command)

    def turn(self) -> None:
        try:
            self.receive()
            if not self.secured:
                self.tls.do_handshake()
                self.secured = True
                self.tell("secured", self.whom() if CERTIFICATE in self.messages else "unasked")
                self.messages.clear()
            self.read()
            for command in self.waiting:
                self.obey(command)
            self.waiting.clear()
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLError, OSError) as error:
            self.tell("failed", getattr(error, "reason", None) or type(error).__name__)
            self.over = self.ending = True
        try:
            self.send()
        except OSError as error:
            self.tell("failed", type(error).__name__)
            self.close()
        if self.over and self.ended:
            self.close()

    def receive(self) -> None:
        while self.interest & select.POLLIN:
            try:
                piece = self.plain.recv(256 * 1024)
            except BlockingIOError:
                return
            if not piece:
                self.incoming.write_eof()
                return
            self.incoming.write(piece)

    def send(self) -> None:
        said = self.outgoing.read()
        # A ticket for whoever answered late, say, would come behind our end.
        self.out += b"" if self.ended else said
        while self.out:
            try:
                self.out = self.out[self.plain.send(self.out) :]
            except BlockingIOError:
                return
        if self.ending and not self.ended:
            self.ended = True
            self.plain.shutdown(socket.SHUT_WR)

    def obey(self, command: str) -> None:
        name, *arguments = command.split()
        if self.ending:
            return
        if name == "write":
            size = len(self.pattern)
            left = int(arguments[0])
            while left:
                start = self.sent % size
                count = self.tls.write(self.pattern[start : min(start + left, size)])
                self.sent += count
                left -= count
        elif name == "ask":
            try:
                self.tls.verify_client_post_handshake()
            except ssl.SSLError as error:
                self.tell("unasked", error.reason)
            else:
                self.tell("asked")
                self.tls.do_handshake()
        elif name == "end":
            self.ending = True
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                # It does not wait for the client's.
                pass

    def read(self) -> None:
        size = len(self.pattern)
        while not self.over:
            before = len(self.messages)
            try:
                piece = self.tls.read(64 * 1024)
            except ssl.SSLWantReadError:
                return
            finally:
                whom = self.whom() if FINISHED in self.messages[before:] else "unknown"
                if whom != "unknown":
                    self.tell("answered", whom)
            if not piece:
                self.tell("ended", "close_notify")
                self.over = True
                return
            start = self.received % size
            expected = bytes(self.pattern[start : start + len(piece)])
            if len(expected) < len(piece):
                expected += bytes(self.pattern[: len(piece) - len(expected)])
            self.received += len(piece)
            self.tell("received", self.received, "intact" if piece == expected else "WRONG")

    def whom(self) -> str:
        try:
            certificate = self.tls.getpeercert() or {}
        except ValueError:
            # The connection failed in the same breath, in the middle of the next handshake.
            return "unknown"
        names = dict(pair for part in certificate.get("subject", ()) for pair in part)
        return names.get("commonName", "nobody")

    def close(self) -> None:
        if self.open:
            self.plain.close()
            self.tell("closed")


def make_pattern() -> bytes:
    """As pattern.ts does."""
    size = 1024 * 1024 - 3
    blocks = []
    block = b"pattern"
    for _ in range(0, size, 64):
        block = hashlib.sha512(block).digest()
        blocks.append(block)
    return b"".join(blocks)[:size]


def main() -> None:
    settings = json.loads(sys.argv[1])
    pattern = make_pattern()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings["cert"], settings["key"])
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_OPTIONAL
    context.post_handshake_auth = not settings["asksFirst"]
    context.load_verify_locations(settings["clientCa"])
    connection: Connection | None = None

    def message(_conn, direction, _version, _content, kind, _data) -> None:
        if connection is not None and direction == "read":
            connection.messages.append(int(kind))

    context._msg_callback = message
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"PORT {listener.getsockname()[1]}", flush=True)
    commands = b""
    while True:
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(listener, select.POLLIN)
        if connection is not None and connection.open:
            poll.register(connection.plain, connection.interest)
        ready = dict(poll.poll())
        if listener.fileno() in ready:
            if connection is not None:
                connection.close()
            plain, (_, port) = listener.accept()
            connection = Connection(plain, port, context, pattern)
            connection.tell("connected")
        words: list[str] = []
        if 0 in ready:
            commands += (piece := os.read(0, 65536))
            if not piece:
                os._exit(0)
            *lines, commands = commands.split(b"\n")
            words = [line.decode() for line in lines]
        for command in words:
            if command.startswith("sync"):
                print(command, flush=True)
            elif command == "close":
                if connection is not None:
                    connection.close()
            elif connection is not None:
                connection.do(command)
        if connection is not None and connection.open:
            if connection.over and ready.get(connection.plain.fileno(), 0) & (select.POLLHUP | select.POLLERR):
                connection.close()
            else:
                connection.turn()


main()
