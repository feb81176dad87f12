"""Keccak-256, the hash of EIP-712: the same C code as behind eth-hash, without making an object for every hash."""

import threading
from collections.abc import Callable
from typing import Any

from eth_hash.auto import keccak as eth_keccak

Hash = Callable[[bytes], bytes]


def keccak256(data: bytes) -> bytes:
    """The 32 bytes of Keccak-256 (the padding before SHA-3)."""
    return _local.hash(data)


class _Local(threading.local):
    # The C state is changed while the interpreter lock is free: one for each thread.
    def __init__(self) -> None:
        self.hash: Hash = _make_hash()


def _make_hash() -> Hash:
    """The direct way where this version of pycryptodome has it and it agrees with eth-hash; else eth-hash itself."""
    try:
        direct = _bind_pycryptodome()
        samples = (b"", b"Werkring", bytes(135), bytes(136), bytes(1000))
        return direct if all(direct(one) == eth_keccak(one) for one in samples) else eth_keccak
    except (ImportError, AttributeError, TypeError):
        return eth_keccak


def _bind_pycryptodome() -> Hash:
    from Crypto.Hash import keccak
    from Crypto.Util import _raw_api

    api: Any = _raw_api
    module: Any = keccak
    lib = module._raw_keccak_lib
    reset, absorb, finish = lib.keccak_reset, lib.keccak_absorb, lib.keccak_digest
    pointer = api.VoidPointer()
    if lib.keccak_init(pointer.address_of(), api.c_size_t(64), api.c_ubyte(24)):
        raise ImportError("keccak state not made")
    owner = api.SmartPointer(pointer.get(), lib.keccak_destroy)
    state, out = owner.get(), api.create_string_buffer(32)

    def hash_direct(data: bytes, _owner: Any = owner) -> bytes:
        if reset(state) or absorb(state, data, len(data)) or finish(state, out, 32, 1):
            raise RuntimeError("keccak failed")
        return bytes(out)

    return hash_direct


_local = _Local()
