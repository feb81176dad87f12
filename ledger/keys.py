"""Making keys and keeping them: log, cosigner, seal and recovery keys, words for paper, wrapping under a node key."""

import os
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import coincurve
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import VerificationError
from ledger.note import COSIGNER_KEY, LOG_KEY, Signer

WORD_COUNT = 24
_BITS_PER_WORD = 11
_NONCE_BYTES = 12
_WRAP_VERSION = b"\x01"
COSIGNER_SUFFIX = "/witness"


def generate_log_key(origin: str) -> Signer:
    """A new Ed25519 key that signs the checkpoints of one log."""
    return Signer(origin, LOG_KEY, os.urandom(32))


def generate_cosigner_key(origin: str) -> Signer:
    """A new Ed25519 key by which a firm cosigns its partners' checkpoints; named after its own log."""
    return Signer(origin + COSIGNER_SUFFIX, COSIGNER_KEY, os.urandom(32))


def generate_seal_key() -> bytes:
    """A new secp256k1 private key, 32 bytes; its address is `signatures.seal_address`."""
    return bytes(coincurve.PrivateKey().secret)


def generate_recovery_key() -> bytes:
    """A new Ed25519 seed, 32 bytes, to be printed as words and then forgotten by the node."""
    return os.urandom(32)


def recovery_public_key(seed: bytes) -> bytes:
    """The 32 bytes that the genesis record names."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def words_from_seed(seed: bytes) -> str:
    """24 English words with a checksum of 8 bits (BIP-39 encoding of 32 bytes)."""
    if len(seed) != 32:
        raise VerificationError("a recovery key has 32 bytes")
    bits = int.from_bytes(seed + sha256(seed).digest()[:1], "big")
    places = range((WORD_COUNT - 1) * _BITS_PER_WORD, -1, -_BITS_PER_WORD)
    return " ".join(_words()[bits >> place & 2047] for place in places)


def seed_from_words(text: str) -> bytes:
    """The seed of 24 words, in any case and spacing; raises VerificationError for a wrong word, order or number."""
    words, known = text.lower().split(), {word: place for place, word in enumerate(_words())}
    if len(words) != WORD_COUNT:
        raise VerificationError(f"{WORD_COUNT} words expected, {len(words)} given")
    unknown = [str(place) for place, word in enumerate(words, start=1) if word not in known]
    if unknown:
        raise VerificationError(f"unknown word at place {', '.join(unknown)}")
    bits = 0
    for word in words:
        bits = bits << _BITS_PER_WORD | known[word]
    seed, check = bits.to_bytes(33, "big")[:32], bits & 0xFF
    if sha256(seed).digest()[0] != check:
        raise VerificationError("the words are not in this order, or one is wrong")
    return seed


def wrap_key(private_key: bytes, node_key: bytes, purpose: str, origin: str) -> bytes:
    """A private key encrypted under the node key (AES-256-GCM), bound to its purpose and the firm's log."""
    nonce = os.urandom(_NONCE_BYTES)
    return _WRAP_VERSION + nonce + _cipher(node_key).encrypt(nonce, private_key, _bound_to(purpose, origin))


def unwrap_key(wrapped: bytes, node_key: bytes, purpose: str, origin: str) -> bytes:
    """The private key; raises VerificationError for another node key, purpose or log, and for changed bytes."""
    if wrapped[:1] != _WRAP_VERSION or len(wrapped) < 1 + _NONCE_BYTES + 16:
        raise VerificationError("not a wrapped key")
    nonce, body = wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
    try:
        return _cipher(node_key).decrypt(nonce, body, _bound_to(purpose, origin))
    except InvalidTag as error:
        raise VerificationError("the node key does not open this key") from error


def _cipher(node_key: bytes) -> AESGCM:
    if len(node_key) != 32:
        raise VerificationError("a node key has 32 bytes")
    return AESGCM(node_key)


def _bound_to(purpose: str, origin: str) -> bytes:
    return f"werkring/wrapped-key/v1\n{purpose}\n{origin}".encode()


@lru_cache(maxsize=1)
def _words() -> list[str]:
    # The word list lies in eth-account; importing that package for a text file would cost half a second.
    spec = find_spec("eth_account")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("eth-account is not installed")
    path = Path(spec.submodule_search_locations[0], "hdaccount", "wordlist", "english.txt")
    words = path.read_text(encoding="utf-8").split()
    if len(set(words)) != 2048:
        raise RuntimeError("the word list is damaged")
    return words
