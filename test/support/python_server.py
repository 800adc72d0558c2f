"""A TLS server that does what its client says, one line at a time: `name argument...`.

Python's `ssl` asks for a client certificate after the handshake (TLS 1.3), reads and writes in big
pieces, and lets go of a connection in every way TCP knows. Run with one argument, the settings as
JSON (`PythonServerOptions` in python-server.ts); prints its port; a line on standard input is the
cue that `... cue` waits for, and its end ends the process, so that no server outlives its parent.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import socket
import struct
import sys
import threading
import traceback

try:
    import ssl
except ImportError as error:
    sys.exit(f"this Python has no ssl module ({error})")

# What `source` sends, over and over: byte i of the stream is i % 251 (see `pattern()`).
BLOCK = memoryview(bytes(range(251)) * 4096)
SHORT_NAMES = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU"}
VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
VERIFY_MODES = {"no": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
# Long enough for any test, so that a client that never goes leaves no thread for good.
PATIENCE = 15

cues = threading.Semaphore(0)


class Gone(Exception):
    """The client ended the connection."""


class Connection:
    """One client, from its handshake on. Blocking but for `_read_answer`."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        # Read and not used yet.
        self.ahead = bytearray()
        self.room = memoryview(bytearray(64 * 1024))

    def serve(self) -> None:
        while (line := self._line()) is not None:
            # `ask-then-close` and its like: the request, and the command right behind it.
            asks = line.startswith("ask-then-")
            name, *arguments = line.removeprefix("ask-then-").split()
            command = getattr(self, f"do_{name}", None)
            if command is None:
                self._say(f"unknown command {name}")
                continue
            if asks:
                self._ask()
            if command(*arguments) == "over":
                return
        self._close()

    # ---- reading and writing

    def _line(self) -> str | None:
        while b"\n" not in self.ahead:
            piece = self.sock.recv(4096)
            if not piece:
                return None
            self.ahead += piece
        line, _, rest = self.ahead.partition(b"\n")
        self.ahead = bytearray(rest)
        return line.decode()

    def _take(self, limit: int) -> bytes | memoryview:
        """At least one byte and at most `limit`; good until the next call."""
        if self.ahead:
            piece = bytes(self.ahead[:limit])
            del self.ahead[:limit]
            return piece
        count = self.sock.recv_into(self.room[:limit])
        if count == 0:
            raise Gone
        return self.room[:count]

    def _say(self, text: str) -> None:
        self.sock.sendall(text.encode() + b"\n")

    # ---- asking after the handshake

    def _ask(self) -> None:
        """Sends a CertificateRequest at once, after the answer to the one before."""
        while True:
            try:
                self.sock.verify_client_post_handshake()
                break
            except ssl.SSLError as error:
                if error.reason != "REQUEST_SENT":
                    raise
                self._read_answer()
        # Without it the request would leave with the next data.
        self.sock.do_handshake()

    def _read_answer(self) -> None:
        """Waits for something from the client: OpenSSL takes an answer only when it reads."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        poll.poll()
        self.sock.setblocking(False)
        wants_to_write = False
        try:
            piece = self.sock.recv(64 * 1024)
            if not piece:
                raise Gone
            self.ahead += piece
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLWantWriteError:
            # New session tickets, with the way to the client full.
            wants_to_write = True
        finally:
            self.sock.setblocking(True)
        if wants_to_write:
            self.sock.do_handshake()

    def _stream(self, size: str, every: tuple[str, ...], step) -> None:
        """Runs `step(limit)`, which returns a count, until `size` bytes; asks after each `every`."""
        left = int(size)
        interval = int(every[1]) if every else left + 1
        until = interval
        while left > 0:
            count = step(min(left, until))
            left -= count
            until -= count
            if until == 0:
                self._ask()
                until = interval

    # ---- commands: data

    def do_echo(self, size: str, *every: str) -> None:
        def step(limit: int) -> int:
            piece = self._take(limit)
            self.sock.sendall(piece)
            return len(piece)

        self._stream(size, every, step)

    def do_sink(self, size: str, *every: str) -> None:
        digest = hashlib.sha256()

        def step(limit: int) -> int:
            piece = self._take(limit)
            digest.update(piece)
            return len(piece)

        self._stream(size, every, step)
        self._say(f"sunk {size} {digest.hexdigest()}")

    def do_source(self, size: str, *every: str) -> None:
        offset = 0

        def step(limit: int) -> int:
            nonlocal offset
            piece = BLOCK[offset : offset + limit]
            self.sock.sendall(piece)
            offset = (offset + len(piece)) % len(BLOCK)
            return len(piece)

        self._stream(size, every, step)

    def do_who(self) -> None:
        der = self.sock.getpeercert(binary_form=True)
        subject = fingerprint = None
        if der is not None:
            names = (self.sock.getpeercert() or {}).get("subject", ())
            # As RFC 4514 has it: the last name first.
            pairs = [f"{SHORT_NAMES.get(k, k)}={v}" for part in reversed(names) for k, v in part]
            subject = ",".join(pairs)
            fingerprint = hashlib.sha256(der).hexdigest()
        seen = {
            "subject": subject,
            "fingerprint": fingerprint,
            "reused": self.sock.session_reused,
            "protocol": self.sock.version(),
            "alpn": self.sock.selected_alpn_protocol(),
        }
        self._say(json.dumps(seen))

    # ---- commands: questions

    def do_ask(self) -> None:
        try:
            self._ask()
        except ssl.SSLError as error:
            self._say(f"cannot ask: {error.reason}")
        else:
            self._say("asked")

    # ---- commands: the end

    def do_close(self, *cue: str) -> str:
        wait_for(cue)
        return self._close()

    def do_fin(self, *cue: str) -> str:
        wait_for(cue)
        return self._fin()

    def do_reset(self, *cue: str) -> str:
        wait_for(cue)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return "over"

    def do_stall(self) -> str:
        # Until the client goes; what it sends stays unread.
        poll = select.poll()
        poll.register(self.sock, getattr(select, "POLLRDHUP", select.POLLHUP))
        poll.poll(PATIENCE * 1000)
        return "over"

    def do_say(self, *words: str) -> str:
        self._say(" ".join(words))
        return self._close()

    def do_quit(self) -> None:
        os._exit(0)

    def _close(self) -> str:
        # So that it sends close_notify and does not wait for the client's.
        self.sock.setblocking(False)
        try:
            self.sock.unwrap()
        except (ssl.SSLError, OSError):
            pass
        return self._fin()

    def _fin(self) -> str:
        self.sock.shutdown(socket.SHUT_WR)
        # Closed with data unread, TCP would send a reset, which overtakes what was said last.
        self.sock.settimeout(PATIENCE)
        while self.sock.recv_into(self.room) > 0:
            pass
        return "over"


def wait_for(cue: tuple[str, ...]) -> None:
    if cue:
        cues.acquire(timeout=PATIENCE)


def context_of(settings: dict) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings["cert"], settings["key"])
    context.minimum_version = VERSIONS[settings["minVersion"]]
    context.maximum_version = VERSIONS[settings["maxVersion"]]
    context.verify_mode = VERIFY_MODES[settings["requestCert"]]
    # With it TLS 1.3 asks in no handshake, only afterwards.
    context.post_handshake_auth = settings["postHandshakeOnly"]
    if settings.get("clientCa"):
        context.load_verify_locations(settings["clientCa"])
    if settings.get("ticketCount") is not None:
        context.num_tickets = settings["ticketCount"]
    if settings.get("alpnProtocols"):
        context.set_alpn_protocols(settings["alpnProtocols"])
    if settings.get("keyLogPath"):
        context.keylog_filename = settings["keyLogPath"]
    return context


def serve(context: ssl.SSLContext, plain: socket.socket) -> None:
    connection = None
    try:
        # Replies are small and waited for.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(plain, server_side=True) as sock:
            connection = Connection(sock)
            try:
                connection.serve()
            except ssl.SSLError as error:
                complain(error)
                # OpenSSL has sent its alert, which has to arrive.
                connection._fin()
    except Gone:
        pass
    except OSError as error:
        complain(error)
    except Exception:  # A mistake in a command: the test is to see it, not to wait.
        complain(traceback.format_exc())
    finally:
        plain.close()


def complain(error: object) -> None:
    print(f"connection: {error}", file=sys.stderr, flush=True)


def main() -> None:
    context = context_of(json.loads(sys.argv[1]))
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    def accept() -> None:
        while True:
            plain, _ = listener.accept()
            threading.Thread(target=serve, args=(context, plain), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(f"PORT {listener.getsockname()[1]}", flush=True)
    for _ in sys.stdin:
        cues.release()
    os._exit(0)


main()
