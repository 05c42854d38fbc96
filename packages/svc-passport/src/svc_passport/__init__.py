"""Issue, verify and batch-verify short-lived Ed25519 tokens, and rotate their key without breaking anyone."""

from importlib.metadata import version

__version__ = version("svc-passport")
SERVICE = "svc-passport"
