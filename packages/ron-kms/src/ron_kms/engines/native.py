"""The engine in Rust, where its extension is installed: tables for each key, several signatures at once.

The one module that imports ``ron_kms_native``. A handle is the extension's own key, with its tables: about a
millisecond to make, half a megabyte, gone when the handle is.
"""

from collections.abc import Sequence
from typing import cast

import ron_kms_native

from ron_kms.engines import Item, Signer, VerifyingKey
from ron_kms.engines.sodium import SodiumSigner
from ron_kms.secret import Secret


class NativeEngine:
    """See ``Engine``. The path is the instruction set that was found on this machine."""

    name = f"native ({ron_kms_native.path()})"

    def load(self, public_key: bytes) -> VerifyingKey:
        """See ``Engine``."""
        return VerifyingKey(ron_kms_native.load(public_key))

    def verify_many(self, items: Sequence[Item]) -> Sequence[int]:
        """See ``Engine``. The GIL is free meanwhile; large batches go over several threads."""
        return ron_kms_native.verify_many(cast("Sequence[tuple[ron_kms_native.Key, bytes, bytes]]", items))

    def signer(self, seed: Secret) -> Signer:
        """See ``Engine``. Where the processor lacks what the extension's signer needs, libsodium signs."""
        signer = ron_kms_native.signer(seed.reveal())
        return SodiumSigner(seed) if signer is None else signer
