"""The platform's callback envelope: sign, verify, encrypt, decrypt.

Our own instead of wechatpy's, which parses before it verifies, compares with ``!=`` and leaves the
padding unchecked (see docs/adr/0004). Source of the rules: developer.work.weixin.qq.com path/90968,
"加解密方案说明"; both platforms use the same scheme.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32  # PKCS#7 block size of the scheme: 32 bytes, not AES's 16
KEY_BYTES, KEY_CHARACTERS = 32, 43
PREFIX = 16  # random bytes before the length


class Rejected(Exception):
    """The envelope is not the platform's. The message is for our log, never for the caller."""


class CallbackCrypto:
    """One key pair (Token, EncodingAESKey) of one receiver (corp id or app id).

    Thread-safe: it holds only the derived key.
    """

    def __init__(self, token: str, encoding_aes_key: str, receive_id: str) -> None:
        if not token:
            raise ValueError("token is empty: anybody could sign")
        key = base64.b64decode(encoding_aes_key + "=")  # lenient: the last char may carry stray bits
        if len(encoding_aes_key) != KEY_CHARACTERS or len(key) != KEY_BYTES:
            raise ValueError("encoding_aes_key must be 43 characters of base64")
        self._token = token.encode()
        self._cipher = Cipher(algorithms.AES(key), modes.CBC(key[:16]))
        self._receive_id = receive_id.encode()

    def sign(self, timestamp: str, nonce: str, encrypted: str) -> str:
        parts = sorted([self._token, timestamp.encode(), nonce.encode(), encrypted.encode()])
        return hashlib.sha1(b"".join(parts), usedforsecurity=False).hexdigest()

    def verify(self, signature: str, timestamp: str, nonce: str, encrypted: str) -> bool:
        """Whether the signature is ours; compares bytes in constant time."""
        expected = self.sign(timestamp, nonce, encrypted).encode()
        return hmac.compare_digest(expected, signature.encode("utf-8", "surrogatepass"))

    def encrypt(self, message: bytes, prefix: bytes | None = None) -> str:
        plain = (prefix or os.urandom(PREFIX)) + struct.pack(">I", len(message)) + message + self._receive_id
        pad = BLOCK - len(plain) % BLOCK
        encryptor = self._cipher.encryptor()
        return base64.b64encode(encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()).decode()

    def decrypt(self, encrypted: str) -> bytes:
        """The message inside. Raises Rejected for anything malformed or meant for another receiver."""
        try:
            data = base64.b64decode(encrypted, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Rejected("not base64") from error
        if not data or len(data) % 16:
            raise Rejected("length is no multiple of the cipher's block")
        decryptor = self._cipher.decryptor()
        plain = decryptor.update(data) + decryptor.finalize()
        pad = plain[-1]
        if not 1 <= pad <= BLOCK or pad > len(plain) or plain[-pad:] != bytes([pad]) * pad:
            raise Rejected("bad padding")
        plain = plain[:-pad]
        if len(plain) < PREFIX + 4:
            raise Rejected("too short")
        (size,) = struct.unpack_from(">I", plain, PREFIX)
        end = PREFIX + 4 + size
        if end > len(plain):
            raise Rejected("message longer than the plaintext")
        if not hmac.compare_digest(plain[end:], self._receive_id):
            raise Rejected("meant for another receiver")
        return plain[PREFIX + 4 : end]
