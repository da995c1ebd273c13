"""The sandbox over real HTTP: on free loopback ports for tests, on chosen ones for people."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Event, Thread
from typing import NamedTuple

import uvicorn
from starlette.types import ASGIApp

from pipeline.sources.http import SANDBOX

HOST = "127.0.0.1"


class Addresses(NamedTuple):
    """Base URLs of the servers that run; empty text for one that does not."""

    forum: str
    chat: str


@contextmanager
def running(
    forum_app: ASGIApp | None = None,
    chat_app: ASGIApp | None = None,
    *,
    forum_port: int = 0,
    chat_port: int = 0,
    headers: Sequence[tuple[str, str]] = (),
) -> Iterator[Addresses]:
    """Both servers, in threads, until the block ends. Port 0 takes a free one; `headers` go with
    every answer.

    Raises OSError where a chosen port is taken.
    """
    with ExitStack() as stack:
        forum = stack.enter_context(_served(forum_app, forum_port, headers)) if forum_app else ""
        chat = stack.enter_context(_served(chat_app, chat_port, headers)) if chat_app else ""
        yield Addresses(forum, chat)


def serve(
    forum_app: ASGIApp | None = None,
    chat_app: ASGIApp | None = None,
    *,
    forum_port: int = 4200,
    chat_port: int = 4300,
) -> Addresses:
    """Serve in the foreground until interrupted (Ctrl-C); returns the addresses it had.

    Answers say that a sandbox gave them, so that `hearth doctor` takes its clock as it is."""
    ports = {"forum_port": forum_port, "chat_port": chat_port}
    with running(forum_app, chat_app, **ports, headers=[("Server", SANDBOX)]) as addresses:
        try:
            Event().wait()
        except KeyboardInterrupt:
            return addresses
    return addresses


@contextmanager
def _served(app: ASGIApp, port: int, headers: Sequence[tuple[str, str]]) -> Iterator[str]:
    with socket.create_server((HOST, port)) as listener:
        config = uvicorn.Config(
            app,
            http="h11",
            lifespan="off",
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=False,  # each server has the time of its own clock
            headers=list(headers),
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            if not thread.is_alive():
                raise OSError(f"the sandbox server on port {port} did not start")
            time.sleep(0.005)
        try:
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)
