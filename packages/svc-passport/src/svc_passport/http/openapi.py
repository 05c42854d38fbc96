"""The service's description (OpenAPI 3.1): ``openapi.json`` beside this module, as it is."""

from functools import cache
from importlib.resources import files


@cache
def document() -> bytes:
    """Return the document."""
    return files("svc_passport.http").joinpath("openapi.json").read_bytes()
