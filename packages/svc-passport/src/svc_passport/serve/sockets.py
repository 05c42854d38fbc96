"""The two addresses of the service, held before anything is served."""

import socket
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from svc_passport.config import Address, Config, address

BACKLOG = 2048
"""Connections that the kernel keeps for us while a turn of the loop lasts."""


class CannotListen(Exception):
    """An address cannot be listened on. The message names it."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the planes are, with real ports."""

    public: Address
    admin: Address


class Held:
    """Both addresses, bound: the real ports are known, and nobody else gets them.

    One worker listens on these very sockets. Several have their own beside them (SO_REUSEPORT), among which
    the kernel shares out connections evenly; then these stay bound and never listen.

    Raises:
        CannotListen: One is taken, or not of this machine.
    """

    def __init__(self, config: Config) -> None:
        self._several = config.server.workers > 1
        with ExitStack() as undo:
            self._sockets = []
            for name, text in (
                ("server.bind", config.server.bind),
                ("server.admin_bind", config.server.admin_bind),
            ):
                held = self._bound(name, address(text))
                undo.callback(held.close)
                self._sockets.append(held)
            undo.pop_all()
        public, admin = (Address(*held.getsockname()[:2]) for held in self._sockets)
        self.addresses = Addresses(public, admin)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for held in self._sockets:
            held.close()

    def listening(self) -> tuple[socket.socket, socket.socket]:
        """Return the two sockets, listening; for one worker."""
        public, admin = self._sockets
        for held in (public, admin):
            held.listen(BACKLOG)
        return public, admin

    def _bound(self, name: str, where: Address) -> socket.socket:
        if self._several and where.port:
            bind(name, where, shared=False).close()  # SO_REUSEPORT would join another service of this user
        return bind(name, where, shared=self._several)


def listening_beside(addresses: Addresses) -> tuple[socket.socket, socket.socket]:
    """Return one worker's own listening sockets on addresses that ``Held`` holds."""
    pair = (
        bind("server.bind", addresses.public, shared=True),
        bind("server.admin_bind", addresses.admin, shared=True),
    )
    for own in pair:
        own.listen(BACKLOG)
    return pair


def bind(name: str, where: Address, *, shared: bool) -> socket.socket:
    """Return a socket bound to ``where``.

    Raises:
        CannotListen: It cannot be.
    """
    try:
        family, _, _, _, resolved = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(resolved)
    except OSError as error:
        raise CannotListen(f"{name}: {where}: {error.strerror}") from error
    bound.setblocking(False)
    return bound
