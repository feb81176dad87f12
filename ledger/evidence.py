"""The evidence: message, text and signatures of one record, byte-identical at both parties, erasable."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from ledger import canonical, checkpoint
from ledger.encoding import to_b64url, to_hex
from ledger.errors import VerificationError
from ledger.signatures import normalise_passkey_signature
from ledger.spelling import read_spelled
from ledger.types import DOMAIN, PRIMARY_TYPES, record_type_of

MAX_BYTES = 262_144
_MOST = 64
_MEMBERS = {"v", "domain", "primaryType", "message", "display", "signatures", "attachments", "notBefore"}
_DISPLAY = {"template", "locale", "text"}
_ATTACHMENT = {"name", "mediaType", "size", "sha256"}
_KEY_AT = {"log", "seq"}
_SIGNATURE_MEMBERS = {
    "passkey": {"kind", "role", "party", "kid", "keyAt", "authenticatorData", "clientDataJSON", "signature"},
    "seal": {"kind", "role", "party", "address", "signature"},
    "log": {"kind", "role", "party", "kid", "keyAt", "signature"},
    "recovery": {"kind", "role", "party", "kid", "keyAt", "signature"},
}
ROLES = ("log", "recovery", "manager", "second", "foreman", "worker", "firm")
_ROLE_ORDER = {role: place for place, role in enumerate(ROLES)}

Signature = dict[str, Any]


class Display(NamedTuple):
    """The exact text that the signers saw; `template` names the version it was rendered from."""

    template: str
    locale: str
    text: str

    @property
    def hash(self) -> bytes:
        """SHA-256 of the text, as it stands in the message as displayHash."""
        return _sha256_text(self.text)


class Evidence(NamedTuple):
    """Parsed evidence; shapes are checked, nothing is verified yet."""

    primary_type: str
    message: dict[str, Any]
    display: Display
    signatures: tuple[Signature, ...]
    attachments: tuple[dict[str, Any], ...] = ()
    not_before: str | None = None

    @property
    def record_type(self) -> str:
        """`agreement` for `Agreement`."""
        return record_type_of(self.primary_type)


def build_evidence(evidence: Evidence) -> bytes:
    """The canonical bytes of a record's evidence; signatures are put into their one order."""
    signatures = sorted(evidence.signatures, key=lambda one: _signature_order(evidence.message, one))
    display = evidence.display
    data = canonical.dumps(
        {
            "v": 1,
            "domain": DOMAIN,
            "primaryType": evidence.primary_type,
            "message": evidence.message,
            "display": {"template": display.template, "locale": display.locale, "text": display.text},
            "signatures": signatures,
            "attachments": list(evidence.attachments),
            "notBefore": None if evidence.not_before is None else {"checkpoint": evidence.not_before},
        }
    )
    parse_entered(data, evidence.record_type)
    return data


def parse_evidence(data: bytes) -> Evidence:
    """The evidence of canonical bytes; raises VerificationError for unknown, missing or wrong-typed members."""
    return read_evidence(canonical.loads(data, MAX_BYTES))


def parse_entered(data: bytes, record_type: str) -> Evidence:
    """`parse_evidence` of what a leaf of that type names: the same answer, in half the time where the form is common."""
    spelled = read_spelled(data, record_type) if len(data) <= MAX_BYTES else None
    if spelled is None or len(spelled.signatures) > _MOST:
        return parse_evidence(data)
    _check_order(spelled.message, spelled.signatures)
    if spelled.not_before is not None:
        checkpoint.parse(spelled.not_before)
    primary_type, display = PRIMARY_TYPES[record_type], Display(*spelled.display)
    return Evidence(primary_type, spelled.message, display, spelled.signatures, (), spelled.not_before)


def read_evidence(value: Any) -> Evidence:
    """The evidence of an already parsed canonical value."""
    _check_members(value, _MEMBERS, "evidence")
    if type(value["v"]) is not int or value["v"] != 1 or value["domain"] != DOMAIN:
        raise VerificationError("evidence of another version or domain")
    primary_type, message = value["primaryType"], value["message"]
    record_type_of(primary_type)
    if not isinstance(message, dict) or not (type(message.get("from")) is type(message.get("to")) is str):
        raise VerificationError("evidence without a message")
    signatures = tuple(_read_signature(one) for one in _list(value["signatures"]))
    _check_order(message, signatures)
    attachments = tuple(_read_attachment(one) for one in _list(value["attachments"]))
    not_before = _read_not_before(value["notBefore"])
    return Evidence(primary_type, message, _read_display(value["display"]), signatures, attachments, not_before)


def evidence_hash(data: bytes) -> bytes:
    """SHA-256 of the evidence bytes: what the leaf commits to (the salt inside makes it hiding)."""
    return sha256(data).digest()


def passkey_signature(
    role: str, party: str, kid: bytes, key_at: tuple[str, int], assertion: Mapping[str, bytes]
) -> Signature:
    """The evidence form of a WebAuthn assertion (raw bytes authenticatorData, clientDataJSON, signature in DER).

    `key_at` is log and seq of the record that registered the key. The signature is stored in its low-s form.
    """
    return {
        "kind": "passkey",
        "role": role,
        "party": party,
        "kid": to_hex(kid),
        "keyAt": {"log": key_at[0], "seq": key_at[1]},
        "authenticatorData": to_b64url(assertion["authenticatorData"]),
        "clientDataJSON": to_b64url(assertion["clientDataJSON"]),
        "signature": to_b64url(normalise_passkey_signature(assertion["signature"])),
    }


def seal_signature(party: str, address: str, signature: bytes) -> Signature:
    """The evidence form of a firm's seal."""
    return {"kind": "seal", "role": "firm", "party": party, "address": address, "signature": to_hex(signature)}


def key_signature(kind: str, party: str, kid: bytes, key_at: tuple[str, int], signature: bytes) -> Signature:
    """The evidence form of a proof by the log key or the recovery key; `kind` is its role too."""
    key = {"kid": to_hex(kid), "keyAt": {"log": key_at[0], "seq": key_at[1]}}
    return {"kind": kind, "role": kind, "party": party, **key, "signature": to_b64url(signature)}


def display_hash(text: str) -> str:
    """The displayHash of a text, 0x hex."""
    return to_hex(_sha256_text(text))


def _sha256_text(text: str) -> bytes:
    try:
        return sha256(text.encode("utf-8")).digest()
    except UnicodeEncodeError as error:
        raise VerificationError("not text") from error


def _check_order(message: dict[str, Any], signatures: Sequence[Signature]) -> None:
    try:
        order = [_signature_order(message, one) for one in signatures]
    except KeyError as error:
        raise VerificationError("unknown role") from error
    if order != sorted(order):
        raise VerificationError("signatures are not in their order")


def _signature_order(message: dict[str, Any], signature: Signature) -> tuple[int, int, str]:
    side = 0 if signature["party"] == message["from"] else 1
    return side, _ROLE_ORDER[signature["role"]], signature["party"]


def _read_signature(value: Any) -> Signature:
    kind = value.get("kind") if isinstance(value, dict) else None
    members = _SIGNATURE_MEMBERS.get(kind) if type(kind) is str else None
    if members is None or value.keys() != members:
        raise VerificationError("not a signature of a known kind")
    for name, item in value.items():
        if type(item) is not str:
            _check_key_at(name, item)
    if type(value.get("keyAt")) is str or value["role"] not in _ROLE_ORDER:
        raise VerificationError("unknown role, or keyAt that is no place")
    return value  # type: ignore[no-any-return]


def _check_key_at(name: str, value: Any) -> None:
    if name != "keyAt" or not isinstance(value, dict) or value.keys() != _KEY_AT:
        raise VerificationError("signature members are texts, keyAt a log and a seq")
    if type(value["log"]) is not str or type(value["seq"]) is not int or value["seq"] < 0:
        raise VerificationError("keyAt names a log and a seq")


def _read_display(value: Any) -> Display:
    _check_members(value, _DISPLAY, "display")
    template, locale, text = value["template"], value["locale"], value["text"]
    if not (type(template) is type(locale) is type(text) is str):
        raise VerificationError("display holds texts")
    return Display(template, locale, text)


def _read_attachment(value: Any) -> dict[str, Any]:
    _check_members(value, _ATTACHMENT, "attachment")
    texts = all(type(value[name]) is str for name in ("name", "mediaType", "sha256"))
    if not texts or type(value["size"]) is not int or value["size"] < 0:
        raise VerificationError("attachment with wrong types")
    return value  # type: ignore[no-any-return]


def _read_not_before(value: Any) -> str | None:
    if value is None:
        return None
    _check_members(value, {"checkpoint"}, "notBefore")
    if type(value["checkpoint"]) is not str:
        raise VerificationError("notBefore holds a checkpoint")
    checkpoint.parse(value["checkpoint"])
    return value["checkpoint"]


def _check_members(value: Any, members: set[str], what: str) -> None:
    if not isinstance(value, dict) or value.keys() != members:
        raise VerificationError(f"{what} has other members than it must have")


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list) or len(value) > _MOST:
        raise VerificationError(f"list of at most {_MOST} expected")
    return value
