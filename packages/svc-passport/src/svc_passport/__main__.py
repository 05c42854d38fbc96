"""``python -m svc_passport`` is ``passport``."""

from svc_passport.cli import entry

if __name__ == "__main__":
    entry()
