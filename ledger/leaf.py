"""The leaf: about 300 bytes of commitments, the only thing of a record that the tree ever sees."""

import re
from binascii import a2b_base64
from typing import NamedTuple

from ledger.encoding import to_b64, to_hex
from ledger.errors import VerificationError
from ledger.types import primary_type_of

NO_PREVIOUS = bytes(32)
MAX_BYTES = 65_535
_MAX_SAFE_INT = 2**53 - 1
_INT = rb"(0|[1-9][0-9]{0,15})"
_B64_32 = rb"([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)"
# The one canonical spelling (names sorted, no spaces): what matches is RFC 8785, what is not does not match.
_LEAF = re.compile(
    rb'\{"at":'
    + _INT
    + rb',"digest":"0x([0-9a-f]{64})","evidence":"'
    + _B64_32
    + rb'","log":"([A-Za-z0-9._:/@~-]{1,255})"'
    rb',"prev":"' + _B64_32 + rb'","seq":' + _INT + rb',"type":"([a-z.]{1,40})","v":1\}'
)


class Leaf(NamedTuple):
    """One entry of a log; `at` in seconds since 1970 is only a claim, `seq` counts from 0."""

    log: str
    seq: int
    prev: bytes
    type: str
    at: int
    digest: bytes
    evidence: bytes


def build_leaf(leaf: Leaf) -> bytes:
    """The canonical bytes of a leaf; raises VerificationError for values that no leaf may hold."""
    text = (
        f'{{"at":{leaf.at},"digest":"{to_hex(leaf.digest)}","evidence":"{to_b64(leaf.evidence)}","log":"{leaf.log}"'
        f',"prev":"{to_b64(leaf.prev)}","seq":{leaf.seq},"type":"{leaf.type}","v":1}}'
    )
    data = text.encode("utf-8")
    if parse_leaf(data) != leaf:
        raise VerificationError("not a leaf")
    return data


def parse_leaf(data: bytes) -> Leaf:
    """The leaf of canonical bytes; raises VerificationError for any other spelling, field or type."""
    match = _LEAF.fullmatch(data) if len(data) <= MAX_BYTES else None
    if match is None:
        raise VerificationError("not a leaf in canonical form")
    # The pattern allows nothing but canonical base64 and hex of 32 bytes.
    at, digest, evidence, log, prev, seq, record_type = match.groups()
    leaf = Leaf(
        log.decode("ascii"),
        int(seq),
        a2b_base64(prev),
        record_type.decode("ascii"),
        int(at),
        bytes.fromhex(digest.decode("ascii")),
        a2b_base64(evidence),
    )
    if leaf.seq > _MAX_SAFE_INT or leaf.at > _MAX_SAFE_INT:
        raise VerificationError("integer beyond 2^53-1")
    primary_type_of(leaf.type)
    return leaf
