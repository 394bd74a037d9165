"""A web server on Python's own http.server and socket, made a component by componentize-py.

GET  /      says hello, and by which Python
GET  /ask   asks the address in TARGET with urllib, and gives what it says
POST /echo  gives the body back
"""

# Looked for by name when a name is looked up; a component has only the modules that were there when it was made.
import encodings.idna  # noqa: F401
import http.server
import os
import platform
import socket
import urllib.request

import wit_world.exports


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        # One thread serves one connection at a time: the next one waits for it to end.
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path == "/":
            self.answer(f"hello from Python {platform.python_version()}\n".encode())
        elif self.path == "/ask":
            with urllib.request.urlopen(os.environ["TARGET"], timeout=30) as response:
                self.answer(b"it says: " + response.read())
        else:
            self.answer(b"not found\n", 404)

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(http.server.HTTPServer):
    address_family = socket.AF_INET
    request_queue_size = 512

    def server_bind(self) -> None:
        # HTTPServer's own asks for the name of its address, which nobody here needs.
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.server_address


class Run(wit_world.exports.Run):
    def run(self) -> None:
        port = int(os.environ.get("PORT", "8000"))
        with Server(("0.0.0.0", port), Handler) as server:
            print(f"serving port {port}", flush=True)
            server.serve_forever()
