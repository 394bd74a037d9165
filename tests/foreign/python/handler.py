"""A web server by wasi:http, as componentize-py makes it: one call a request, and asyncio over the loop that it brings.

GET  /            says hello, and by which Python
GET  /ask?of=URL  gives what is at another address, as it comes
GET  /all?of=URL  the same of several at once
GET  /sleep?ms=N  answers N milliseconds later
POST /echo        gives the body back as it comes, and its digest in a trailer
"""

import asyncio
import hashlib
import json
import platform
import urllib.parse

import poll_loop
from componentize_py_types import Ok
from poll_loop import PollLoop, Sink, Stream
from wit_world import exports
from wit_world.imports import monotonic_clock
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    Method_Post,
    OutgoingBody,
    OutgoingRequest,
    OutgoingResponse,
    ResponseOutparam,
    Scheme_Http,
)


async def fetch(address: str) -> Stream:
    """The body of what is at an address."""
    target = urllib.parse.urlsplit(address)
    request = OutgoingRequest(Fields.from_list([("user-agent", b"handler.py")]))
    request.set_scheme(Scheme_Http())
    request.set_authority(target.netloc)
    request.set_path_with_query(target.path + (f"?{target.query}" if target.query else ""))
    response = await poll_loop.send(request)
    if response.status() != 200:
        raise RuntimeError(f"{address}: status {response.status()}")
    return Stream(response.consume())


async def text_of(address: str) -> str:
    stream = await fetch(address)
    body = bytearray()
    while (piece := await stream.next()) is not None:
        body += piece
    return body.decode()


async def sleep(milliseconds: int) -> None:
    loop = asyncio.get_running_loop()
    await poll_loop.register(loop, monotonic_clock.subscribe_duration(milliseconds * 1_000_000))


def begin(out: ResponseOutparam, kind: str, status: int = 200, **headers: str) -> OutgoingBody:
    """Sends the head of an answer."""
    headers["content-type"] = kind
    response = OutgoingResponse(Fields.from_list([(name, value.encode()) for name, value in headers.items()]))
    response.set_status_code(status)
    body = response.body()
    ResponseOutparam.set(out, Ok(response))
    return body


async def say(out: ResponseOutparam, text: str, kind: str = "text/plain", status: int = 200) -> None:
    sink = Sink(begin(out, kind, status))
    await sink.send(text.encode())
    sink.close()


async def echo(request: IncomingRequest, out: ResponseOutparam) -> None:
    body = begin(out, "application/octet-stream", trailer="digest")
    stream, sink, digest = Stream(request.consume()), Sink(body), hashlib.sha256()
    while (piece := await stream.next()) is not None:
        digest.update(piece)
        await sink.send(piece)
    # What Sink.close() does, with a trailer.
    sink.stream.__exit__(None, None, None)
    OutgoingBody.finish(body, Fields.from_list([("digest", digest.hexdigest().encode())]))


async def answer(request: IncomingRequest, out: ResponseOutparam) -> None:
    target = urllib.parse.urlsplit(request.path_with_query())
    query = urllib.parse.parse_qs(target.query)
    if target.path == "/echo" and isinstance(request.method(), Method_Post):
        await echo(request, out)
    elif target.path == "/ask":
        await say(out, "it says: " + await text_of(query["of"][0]))
    elif target.path == "/all":
        found = await asyncio.gather(*(text_of(address) for address in query["of"]))
        await say(out, json.dumps([text.strip() for text in found]), "application/json")
    elif target.path == "/sleep":
        await sleep(int(query["ms"][0]))
        await say(out, "slept\n")
    elif target.path == "/":
        await say(out, f"hello from Python {platform.python_version()}, by wasi:http\n")
    else:
        await say(out, "not found\n", status=404)


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        loop = PollLoop()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(answer(request, response_out))
