"""Servers that receive: mail over TLS by the words of RFC 5321, and the webhook of a group chat over HTTP."""

from __future__ import annotations

import datetime as dt
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any


@dataclass
class Mailbox:
    """A mail server that keeps what it got; ``refused`` addresses get 550, ``busy`` greetings are refused with 451."""

    port: int = 0
    certificate: Path = Path()
    mails: list[tuple[str, bytes]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    busy: int = 0
    connections: int = 0


@contextmanager
def mail_server(folder: Path, *, security: str = "starttls") -> Iterator[Mailbox]:
    """A mail server on a port of its own, with a certificate that it signed itself for 127.0.0.1."""
    certificate, key = self_signed(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    box = Mailbox(certificate=certificate)

    class Session(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            box.connections += 1
            socket = self.request
            if security == "tls":
                socket = context.wrap_socket(socket, server_side=True)
            lines, is_secret = socket.makefile("rb"), security == "tls"

            def say(text: str) -> None:
                socket.sendall(text.encode() + b"\r\n")

            if box.busy > 0:
                box.busy -= 1
                say("451 too busy")
                return
            say("220 ready")
            to = ""
            while line := lines.readline():
                word, _, rest = line.decode().strip().partition(" ")
                match word.upper():
                    case "EHLO":
                        say("250-here")
                        say("250 AUTH PLAIN" if is_secret else "250 STARTTLS")
                    case "STARTTLS":
                        say("220 go")
                        socket = context.wrap_socket(socket, server_side=True)
                        lines, is_secret = socket.makefile("rb"), True
                    case "AUTH":
                        box.logins.append(rest)
                        say("235 in")
                    case "RCPT":
                        to = rest.partition("<")[2].partition(">")[0]
                        say("550 nobody" if to in box.refused else "250 ok")
                    case "DATA":
                        say("354 go on")
                        data = b""
                        while (part := lines.readline()) != b".\r\n":
                            data += part
                        box.mails.append((to, data))
                        say("250 kept")
                    case "QUIT":
                        say("221 bye")
                        return
                    case _:
                        say("250 ok")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        server.daemon_threads = True
        box.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield box
        server.shutdown()


@dataclass
class Chat:
    """A chat's webhook: what it got, and what it answers (status and text), the last answer again and again."""

    port: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    answers: list[tuple[int, str]] = field(default_factory=lambda: [(200, '{"errcode":0,"code":0}')])

    @property
    def url(self) -> str:
        """Its address, with a secret as the real ones have."""
        return f"http://127.0.0.1:{self.port}/hook?key=SECRET-OF-THE-CHAT"


@contextmanager
def chat_server() -> Iterator[Chat]:
    """A webhook on a port of its own."""
    chat = Chat()

    class Session(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            chat.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            chat.hosts.append(self.headers["Host"])
            status, text = chat.answers.pop(0) if len(chat.answers) > 1 else chat.answers[0]
            self.send_response(status)
            if status in (301, 302):
                self.send_header("Location", f"http://127.0.0.1:{chat.port}/elsewhere")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    with HTTPServer(("127.0.0.1", 0), Session) as server:
        chat.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield chat
        server.shutdown()


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "mail.crt", folder / "mail.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    unencrypted = serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted))
    return files
