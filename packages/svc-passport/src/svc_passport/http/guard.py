"""Keeps web pages away from the development profile, which asks nobody for a capability.

A page in the developer's browser can send requests to loopback. But the browser says whose they are: by
``Origin`` and ``Sec-Fetch-Site`` (Fetch Metadata), and, after a DNS rebinding, by a foreign ``Host``.
"""

import re
from typing import Final

from svc_passport.errors import Reason, Refused
from svc_passport.http.exchange import Request

_is_local_host: Final = re.compile(
    rb"(?:127\.0\.0\.1|\[::1\]|localhost)(?::[0-9]{1,5})?", re.IGNORECASE
).fullmatch


def check_is_no_page(request: Request) -> None:
    """Return if a program on this machine asks, and no web page.

    Raises:
        Refused: ``FORBIDDEN``.
    """
    headers = request.headers
    local = _is_local_host(headers.get(b"host", b"")) is not None
    same_site = headers.get(b"sec-fetch-site", b"none").lower() in (b"none", b"same-origin")
    if not local or b"origin" in headers or not same_site or request.repeats(b"host", b"sec-fetch-site"):
        raise Refused(Reason.FORBIDDEN)
