"""The file that holds the seal key: 32 raw bytes that only their owner may read."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from ron_kms.entropy import Entropy, system
from ron_kms.errors import StoreRefused
from ron_kms.private_file import write_private
from ron_kms.sealed import SEAL_KEY_BYTES
from ron_kms.secret import Secret


def read_seal_key(path: Path) -> Secret:
    """Return the seal key. A symbolic link is followed: secret managers mount files as links.

    Raises:
        StoreRefused: ``seal_key_missing``, ``seal_key_exposed`` (others may read it) or
            ``seal_key_malformed`` (not a file of exactly 32 bytes).
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        raise StoreRefused("seal_key_missing", "the seal key cannot be read") from None
    try:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise StoreRefused("seal_key_malformed", "the seal key is not a file")
        if found.st_mode & 0o077 or found.st_uid not in (os.geteuid(), 0):
            raise StoreRefused(
                "seal_key_exposed", "the seal key is readable by others (its mode is not 0600)"
            )
        held = os.read(opened, SEAL_KEY_BYTES + 1)
    finally:
        os.close(opened)
    if len(held) != SEAL_KEY_BYTES:
        raise StoreRefused("seal_key_malformed", "the seal key is not 32 bytes")
    return Secret(held)


def make_seal_key(path: Path, *, entropy: Entropy = system) -> Secret:
    """Write a new seal key, durably, and return it. A key that is there already is read, never replaced.

    Raises:
        StoreRefused: What is there is not to be used, as for ``read_seal_key``.
        OSError: It cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        write_private(path, entropy(SEAL_KEY_BYTES))
    return read_seal_key(path)
