"""Tokens for values that name a person, and their encryption: plain functions of bytes, no storage, no Spark.

It imports nothing of this project: it travels to Spark's workers with the query. A token is HMAC-SHA-256 (RFC 2104) of
the value, cut to 128 bits: who has no key can neither compute it nor guess phones until one fits. Values are encrypted
with AES-256-GCM (NIST SP 800-38D), the nonce before the text.
"""

import base64
import hashlib
import hmac
import os
import re
from typing import Any

TOKEN = re.compile(r"tok_[a-z2-7]{26}")
_NONCE = 12


def lookup(value: str, key: bytes) -> str:
    """`tok_` and 26 characters; the same value has the same under the same key, in whatever column it stands."""
    digest = hmac.new(_derived(key, b"lookup"), value.encode(), hashlib.sha256).digest()[:16]
    return "tok_" + base64.b32encode(digest).decode().rstrip("=").lower()


def encrypt(value: str, key: bytes) -> bytes:
    """The value as nobody reads it without the key."""
    nonce = os.urandom(_NONCE)
    return nonce + _cipher(key).encrypt(nonce, value.encode(), None)


def decrypt(sealed: bytes, key: bytes) -> str:
    """The value again. `cryptography.exceptions.InvalidTag` where the key is another."""
    return _cipher(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], None).decode()


def is_token(value: str) -> bool:
    """Whether this is what `lookup` makes."""
    return TOKEN.fullmatch(value) is not None


def _cipher(key: bytes) -> Any:
    # Imported where it is used: cloudpickle would take the class, which is compiled, for one of ours.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(_derived(key, b"encrypt"))


def _derived(key: bytes, purpose: bytes) -> bytes:
    """A key of its own for each purpose, so that neither use weakens the other."""
    return hmac.new(key, purpose, hashlib.sha256).digest()
