"""What an envelope may measure."""

WIRE_BYTES_MAX = 64 * 1024
"""Largest envelope read or written. Larger payloads travel by reference, not by value."""

DEPTH_MAX = 8
"""How deep header and payload may nest: a number is 0 deep, ``[]`` is 1, ``[[]]`` is 2."""

VALUES_MAX = 1024
"""Most values (keys, entries and containers counted) that header and payload may each hold.

One byte of MessagePack becomes up to a hundred of Python. With this the costliest envelope that ``make fuzz``
finds takes some 3 ms and 800 KiB to read; many small numbers travel as bytes.
"""

SCOPES_MAX = 256
"""Most scopes of an envelope, for the same reason."""

LIFETIME_S_MAX = 3600
"""Longest ``exp - iat`` that ``open`` takes unless it is told otherwise."""

EPOCH_S = 86_400
"""Seconds in an epoch when nobody says otherwise: a day of UTC."""

EPOCH_MAX = 2**64 - 1

NONCE_BYTES = 16
KEY_BYTES = 32
TAG_BYTES = 32
