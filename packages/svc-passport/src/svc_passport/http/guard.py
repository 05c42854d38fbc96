"""Keeps web pages away from the development profile, which asks nobody for a capability.

A page in the developer's browser can send requests to loopback. But the browser says whose they are: by
``Origin`` and ``Sec-Fetch-Site`` (Fetch Metadata), and, after a DNS rebinding, by a foreign ``Host``.
"""

import re
from functools import lru_cache
from typing import Final

from svc_passport.errors import Reason, Refused
from svc_passport.http.exchange import Request


def check_is_no_page(request: Request) -> None:
    """Return if a program on this machine asks, and no web page.

    Raises:
        Refused: ``FORBIDDEN``.
    """
    headers = request.headers
    host, site = headers.get(b"host", b"")[:_CHARS_MAX], headers.get(b"sec-fetch-site", b"none")[:_CHARS_MAX]
    if b"origin" in headers or not _is_local(host, site) or request.repeats(b"host", b"sec-fetch-site"):
        raise Refused(Reason.FORBIDDEN)


@lru_cache(maxsize=64)
def _is_local(host: bytes, site: bytes) -> bool:
    return bool(_is_local_host(host)) and site.lower() in (b"none", b"same-origin")


_CHARS_MAX: Final = 64
"""More of a header than any that is accepted has."""

_LOCAL: Final = rb"(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]{1,5})?"
_is_local_host: Final = re.compile(_LOCAL, re.IGNORECASE).fullmatch
