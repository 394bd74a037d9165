"""A client on Python's urllib and socket, made a component by componentize-py: asks its neighbours, and says what they say.

TARGETS are addresses, with spaces between them. Each is asked until it answers, for as long as PATIENCE seconds.
"""

# Looked for by name when a name is looked up; a component has only the modules that were there when it was made.
import encodings.idna  # noqa: F401
import os
import socket
import time
import urllib.error
import urllib.parse
import urllib.request

import wit_world.exports


def ask(address: str, deadline: float) -> bytes:
    while True:
        try:
            with urllib.request.urlopen(address, timeout=30) as response:
                return response.read()
        except urllib.error.URLError as error:
            # A neighbour that has not begun to listen.
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def echo(address: str) -> None:
    """What is sent in pieces comes back whole, over a plain socket."""
    target = urllib.parse.urlsplit(address)
    # No more than a connection holds in one direction, because nothing is read before all is sent.
    body = bytes(range(256)) * 1024
    with socket.create_connection((target.hostname, target.port), timeout=30) as connection:
        head = f"POST /echo HTTP/1.1\r\nHost: {target.netloc}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        received = bytearray()
        for start in range(0, len(body), 16384):
            connection.sendall(body[start : start + 16384])
        while piece := connection.recv(65536):
            received += piece
    status, _, rest = bytes(received).partition(b"\r\n")
    headers, _, answer = rest.partition(b"\r\n\r\n")
    if b" 200 " not in status:
        raise SystemExit(f"{address}: {status!r}")
    if b"chunked" in headers:
        answer = unchunk(answer)
    if answer != body:
        raise SystemExit(f"{address}: {len(answer)} bytes of {len(body)} came back, or others")
    print(f"{address}: {len(answer)} bytes came back", flush=True)


def unchunk(body: bytes) -> bytes:
    whole = bytearray()
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        whole += body[:length]
        body = body[length + 2 :]
    return bytes(whole)


class Run(wit_world.exports.Run):
    def run(self) -> None:
        deadline = time.monotonic() + float(os.environ.get("PATIENCE", "60"))
        for address in os.environ["TARGETS"].split():
            print(f"{address}: {ask(address, deadline).decode().strip()}", flush=True)
        for address in os.environ.get("ECHOES", "").split():
            echo(address)
