"""The least that an ASGI app on our server can do: read the whole body, answer `true`.

`bare.py [HOST:PORT]`, on uvicorn with the service's own settings. What it costs is what HTTP costs here.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"4")],
}
BODY = {"type": "http.response.body", "body": b"true"}


async def app(_scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Read, answer."""
    chunks = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        chunks.append(message["body"])
        if not message["more_body"]:
            break
    b"".join(chunks)
    await send(START)  # type: ignore[arg-type]  # uvicorn's own structs are typed dicts of one literal each
    await send(BODY)  # type: ignore[arg-type]


def main() -> None:
    """Bind, say where, serve until a signal."""
    host, port = (sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:0").rsplit(":", 1)
    listener = socket.create_server((host, int(port)), backlog=2048)
    bound_host, bound_port = listener.getsockname()
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_level="warning",
    )
    sys.stdout.write(f"bare: listening on http://{bound_host}:{bound_port}\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
