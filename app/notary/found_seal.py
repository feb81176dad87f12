"""The seal that a stranger's PDF bears: whether it holds over all of the file, and who claims to have sealed.

Nothing opens the PDF itself: its place is found by the bytes, so that no hostile file is ever unpacked.
"""

import asyncio
import re
from dataclasses import dataclass

from ledger.errors import VerificationError

_MARK = b"/ByteRange"
_RANGE = re.compile(rb"/ByteRange\s*\[\s*(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})\s*\]")
_CURVE = "secp256r1"


@dataclass(frozen=True)
class FoundSeal:
    """A seal that holds: the address that its certificate bears, and the certificate (DER), which vouches for itself."""

    address: str
    certificate: bytes


def find_seal(pdf: bytes) -> FoundSeal | None:
    """The one seal of a PDF, None without any; raises VerificationError where it does not hold for every byte."""
    if _MARK not in pdf:
        return None
    signed, container = _parts_of(pdf)
    try:
        return _verified(signed, container)
    except VerificationError:
        raise
    except Exception as error:
        # of a stranger's bytes a reader may choke on anything: whatever it was, the seal does not hold
        raise VerificationError("the seal cannot be read") from error


def _parts_of(pdf: bytes) -> tuple[bytes, bytes]:
    """What the seal covers, and the seal: all of the file but for the seal itself."""
    found = _RANGE.search(pdf)
    if found is None or pdf.count(_MARK) != 1:
        raise VerificationError("more than one seal, or none that can be read")
    start, length, again, rest = (int(number) for number in found.groups())
    gap = pdf[length:again]
    if start or again + rest != len(pdf) or not re.fullmatch(rb"<[0-9A-Fa-f]+>", gap):
        raise VerificationError("the seal does not cover the whole file")
    return pdf[:length] + pdf[again:], bytes.fromhex(gap[1:-1].decode())


def _verified(signed: bytes, container: bytes) -> FoundSeal:
    # half a second and 40 MB: only for those who check a PDF
    from asn1crypto import cms
    from pyhanko.sign.validation import async_validate_detached_cms
    from pyhanko_certvalidator import ValidationContext

    content = cms.ContentInfo.load(container)["content"]
    certificates = [one.chosen for one in content["certificates"]]
    if len(certificates) != 1 or len(content["signer_infos"]) != 1:
        raise VerificationError("not sealed by one certificate")
    (certificate,) = certificates
    key = certificate.public_key
    # other keys may take hours to check, and no firm's seal is one
    if key.algorithm != "ec" or key.curve != ("named", _CURVE):
        raise VerificationError("not a key of a firm's seal")
    # the firm made the certificate for itself: it is its own root, and its dates say nothing
    context = ValidationContext(trust_roots=[certificate], moment=certificate.not_valid_before, allow_fetching=False)
    status = asyncio.run(async_validate_detached_cms(signed, content, signer_validation_context=context))
    if not status.bottom_line:
        raise VerificationError("the PDF was changed after it was sealed")
    return FoundSeal(str(certificate.subject_alt_name_value.native[0]), certificate.dump())
