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
        with ExitStack() as held:
            self.sockets = [
                held.enter_context(self._hold(held, name, address(text)))
                for name, text in (
                    ("server.bind", config.server.bind),
                    ("server.admin_bind", config.server.admin_bind),
                )
            ]
            self._held = held.pop_all()
        public, admin = (Address(*own.getsockname()[:2]) for own in self.sockets)
        self.addresses = Addresses(public, admin)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def _hold(self, held: ExitStack, name: str, where: Address) -> socket.socket:
        if not self._several:
            return listening(name, where)
        if where.port:
            # With SO_REUSEPORT we would join another service of this user that has the address: with several
            # workers, which claim it first, or in any other way.
            held.enter_context(_claim(name, where))
            listening(name, where).close()
        return _bound(name, where, socket.SO_REUSEPORT)


def listening_beside(addresses: Addresses) -> list[socket.socket]:
    """Return one worker's own listening sockets on addresses that ``Held`` holds."""
    planes = (("server.bind", addresses.public), ("server.admin_bind", addresses.admin))
    return [listening(name, where, socket.SO_REUSEPORT) for name, where in planes]


def listening(name: str, where: Address, *more: int) -> socket.socket:
    """Return a socket that listens on ``where``, though connections of an earlier service may linger there.

    Args:
        name: Of the setting, for the error.
        more: Further socket options to set.

    Raises:
        CannotListen: It cannot be.
    """
    own = _bound(name, where, socket.SO_REUSEADDR, *more)
    try:
        own.listen(BACKLOG)
    except OSError as error:
        own.close()
        raise CannotListen(f"{name}: {where}: {error.strerror}") from error
    return own


def _bound(name: str, where: Address, *options: int) -> socket.socket:
    try:
        family, _, _, _, resolved = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)[0]
        own = socket.socket(family, socket.SOCK_STREAM)
        try:
            for option in options:
                own.setsockopt(socket.SOL_SOCKET, option, 1)
            own.bind(resolved)
        except OSError:
            own.close()
            raise
    except OSError as error:
        raise CannotListen(f"{name}: {where}: {error.strerror}") from error
    own.setblocking(False)
    return own


def _claim(name: str, where: Address) -> socket.socket:
    """Return a lock on an address, which ends with the process: an abstract name (unix(7))."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(f"\0svc-passport {where}")
    except OSError as error:
        claim.close()
        raise CannotListen(f"{name}: {where}: {error.strerror}") from error
    return claim
