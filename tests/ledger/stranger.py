"""A stranger's verifier: written from ledger/FORMAT.md alone, with other people's primitives and nothing of `ledger`.

It reads types and signers of the records out of the page itself, and says of an exported log that it holds, or where not.
"""

import base64
import json
import re
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from eth_account import Account
from eth_utils.crypto import keccak

ORDER = ("log", "recovery", "manager", "second", "foreman", "worker", "firm")
SIGNS_AS = {
    "manager": {"worker", "foreman", "manager", "second"},
    "foreman": {"worker", "foreman"},
    "worker": {"worker"},
}
COMMON = (
    "bytes32 id,bytes32 salt,string from,string to,bytes32 supersedes,uint64 issuedAt,uint64 expiresAt,string locale,"
    "bytes32 displayHash"
)
LINE = "string machine,string week,uint32 minutes,uint64 rateCentsPerHour,uint32 setUpMin,uint64 amountCents"


class Stranger:
    """What the page says, and what the log said so far."""

    def __init__(self, page: str) -> None:
        found = re.findall(r"^- `([a-z.]+)` (\w+): `([^`]+)`; signed by (.+)$", page, re.M)
        self.names = {record_type: name for record_type, name, _, _ in found}
        self.fields = {name: f"{COMMON},{own}" for _, name, own, _ in found} | {"Line": LINE}
        self.signers = {name: signed_by for _, name, _, signed_by in found}
        self.keys: dict[str, list[dict[str, Any]]] = {}
        self.origins: dict[str, str] = {}
        self.cosign_names: dict[str, str] = {}
        self.leaves: list[bytes] = []
        self.prev, self.digests = bytes(32), set[str]()

    def check_export(self, lines: list[bytes]) -> int:
        """The number of entries; raises an AssertionError at the first fault."""
        values = [json.loads(line) for line in lines]
        assert [jcs(value) + b"\n" for value in values] == lines
        self.origin = values[0]["origin"]
        for value in values[1:]:
            if value["kind"] == "key":
                self.check_record(value["leaf"], value["evidence"])
            elif value["kind"] == "entry":
                self.check_entry(value["leaf"], value["evidence"])
            else:
                self.check_checkpoint(value["note"])
        return len(self.leaves)

    def check_entry(self, leaf: dict[str, Any], evidence: dict[str, Any] | None) -> None:
        assert set(leaf) == {"v", "log", "seq", "prev", "type", "at", "digest", "evidence"}
        assert (leaf["v"], leaf["log"], leaf["seq"]) == (1, self.origin, len(self.leaves))
        assert leaf["prev"] == b64(self.prev)
        assert leaf["digest"] not in self.digests
        if evidence is not None:
            self.check_record(leaf, evidence)
        self.prev = sha256(b"\x00" + jcs(leaf)).digest()
        self.leaves.append(self.prev)
        self.digests.add(leaf["digest"])

    def check_record(self, leaf: dict[str, Any], evidence: dict[str, Any]) -> None:
        assert leaf["evidence"] == b64(sha256(jcs(evidence)).digest())
        message, name = evidence["message"], evidence["primaryType"]
        assert self.names[leaf["type"]] == name
        digest = self.digest(name, message)
        assert leaf["digest"] == "0x" + digest.hex()
        assert message["displayHash"] == "0x" + sha256(evidence["display"]["text"].encode()).hexdigest()
        if name == "Genesis":
            self.add_first_keys(leaf, message)
        self.check_roles(name, message, evidence["signatures"])
        for signature in evidence["signatures"]:
            self.check_signature(digest, leaf, signature)
        if name in ("KeyRegister", "KeyRotate", "KeyRevoke"):
            self.change_keys(leaf, message, name)

    def digest(self, name: str, message: dict[str, Any]) -> bytes:
        domain = {"name": "Werkring", "version": "1"}
        fields = {**self.fields, "EIP712Domain": "string name,string version"}
        return keccak(b"\x19\x01" + self.struct("EIP712Domain", domain, fields) + self.struct(name, message, fields))

    def struct(self, name: str, value: dict[str, Any], fields: dict[str, str]) -> bytes:
        text = f"{name}({fields[name]})"
        pairs = [field.split(" ") for field in fields[name].split(",")]
        assert {key for _, key in pairs} == set(value)
        if any(kind == "Line[]" for kind, _ in pairs):
            text += f"Line({LINE})"
        return keccak(keccak(text.encode()) + b"".join(self.encode(kind, value[key], fields) for kind, key in pairs))

    def encode(self, kind: str, value: Any, fields: dict[str, str]) -> bytes:
        if kind.endswith("[]"):
            return keccak(b"".join(self.encode(kind[:-2], item, fields) for item in value))
        if kind == "Line":
            return self.struct("Line", value, fields)
        if kind == "string":
            return keccak(value.encode())
        if kind == "bytes":
            return keccak(unhex(value))
        return unhex(value).rjust(32, b"\x00") if kind in ("bytes32", "address") else int(value).to_bytes(32, "big")

    def check_roles(self, name: str, message: dict[str, Any], signatures: list[dict[str, Any]]) -> None:
        """`manager/recovery + firm of `from``: one of each group, nobody else, in their order."""
        rules = {side: roles for roles, side in re.findall(r"([a-z/+ ]+) of `(from|to)`", self.signers[name])}
        if message.get("basis", "mutual") != "mutual":
            rules.pop("to")
        given = [(one["party"] != message["from"], ORDER.index(one["role"])) for one in signatures]
        assert given == sorted(set(given))
        for side, rule in rules.items():
            roles = {one["role"] for one in signatures if one["party"] == message[side]}
            groups = [set(group.strip().split("/")) for group in rule.split("+")]
            assert all(roles & group for group in groups)
            extra = {"second"} if any("manager" in group for group in groups) else set()
            assert roles <= set.union(*groups) | extra
        assert {one["party"] for one in signatures} == {message[side] for side in rules}

    def add_first_keys(self, leaf: dict[str, Any], message: dict[str, Any]) -> None:
        firm = message["from"]
        self.origins[firm], self.keys[firm] = leaf["log"], []
        self.cosign_names[firm] = message["cosignKey"].split("+")[0]
        web = {"rpId": message["rpId"], "origins": message["origins"]}
        for purpose, data in (
            ("log", base64.b64decode(message["logKey"].split("+", 2)[2])[1:]),
            ("cosign", base64.b64decode(message["cosignKey"].split("+", 2)[2])[1:]),
            ("seal", unhex(message["seal"])),
            ("recovery", unhex(message["recovery"])),
            ("passkey", unhex(message["passkey"])),
        ):
            self.add_key(firm, purpose, data, leaf["seq"], "manager", web)

    def change_keys(self, leaf: dict[str, Any], message: dict[str, Any], name: str) -> None:
        firm = message["from"]
        old = {"KeyRotate": message.get("oldKid"), "KeyRevoke": message.get("kid")}.get(name)
        for key in self.keys[firm]:
            if key["kid"] == old and key["end"] is None:
                key["end"], key["ended"] = leaf["seq"], leaf["at"]
        if name != "KeyRevoke":
            data = unhex(message["publicKey"])
            self.add_key(firm, message["purpose"], data, leaf["seq"], message["role"], message)

    def add_key(self, firm: str, purpose: str, data: bytes, seq: int, role: str, web: dict[str, Any]) -> None:
        kid = "0x" + sha256(data).hexdigest()
        key = {"purpose": purpose, "data": data, "kid": kid, "seq": seq, "end": None, "role": role}
        self.keys[firm].append({**key, "rpId": web["rpId"], "origins": web["origins"]})

    def check_signature(self, digest: bytes, leaf: dict[str, Any], one: dict[str, Any]) -> None:
        key = self.key_of(one)
        if self.origins[one["party"]] == leaf["log"]:
            assert key["seq"] < leaf["seq"] or leaf["seq"] == 0
            assert key["end"] is None or key["end"] >= leaf["seq"]
        if one["kind"] == "seal":
            data = unhex(one["signature"])
            assert data[64] in (27, 28)
            assert Account._recover_hash(digest, signature=data).lower() == one["address"]
        elif one["kind"] == "passkey":
            assert one["role"] in SIGNS_AS[key["role"]]
            check_passkey(digest, one, key)
        else:
            proved = b"werkring/key-proof/v1\n" + digest
            Ed25519PublicKey.from_public_bytes(key["data"]).verify(unb64url(one["signature"]), proved)

    def key_of(self, one: dict[str, Any]) -> dict[str, Any]:
        keys = self.keys[one["party"]]
        if one["kind"] == "seal":
            return next(
                key for key in reversed(keys) if key["purpose"] == "seal" and key["data"] == unhex(one["address"])
            )
        assert one["keyAt"]["log"] == self.origins[one["party"]]
        place = (one["kind"], one["kid"], one["keyAt"]["seq"])
        return next(key for key in keys if (key["purpose"], key["kid"], key["seq"]) == place)

    def check_checkpoint(self, text: str) -> None:
        body, _, block = text.rpartition("\n\n")
        body += "\n"
        origin, size, root = body[:-1].split("\n")
        assert (origin, int(size), root) == (self.origin, len(self.leaves), b64(root_of(self.leaves)))
        signed = {self.check_line(line, body, int(size)) for line in block[:-1].split("\n")}
        assert "log" in signed

    def check_line(self, line: str, body: str, size: int) -> str:
        dash, name, data = line.split(" ")
        raw = base64.b64decode(data, validate=True)
        assert dash == "—"
        for firm, keys in self.keys.items():
            for key in keys:
                is_log = key["purpose"] == "log" and self.origins[firm] == self.origin == name
                if is_log and key["seq"] < size and (key["end"] is None or key["end"] >= size):
                    assert raw[:4] == key_id(name, 1, key["data"])
                    Ed25519PublicKey.from_public_bytes(key["data"]).verify(raw[4:], body.encode())
                    return "log"
                if key["purpose"] == "cosign" and raw[:4] == key_id(self.cosign_names[firm], 4, key["data"]):
                    time = int.from_bytes(raw[4:12], "big")
                    assert key["end"] is None or time < key["ended"]
                    message = f"cosignature/v1\ntime {time}\n{body}".encode()
                    Ed25519PublicKey.from_public_bytes(key["data"]).verify(raw[12:], message)
                    return "cosign"
        raise AssertionError("a line by an unknown key")


def check_passkey(digest: bytes, one: dict[str, Any], key: dict[str, Any]) -> None:
    data, client = unb64url(one["authenticatorData"]), unb64url(one["clientDataJSON"])
    said = json.loads(client)
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert (said["type"], said["challenge"], said.get("crossOrigin", False)) == ("webauthn.get", challenge, False)
    assert said["origin"] in key["origins"]
    assert "topOrigin" not in said
    assert data[:32] == sha256(key["rpId"].encode()).digest()
    assert data[32] & 0x45 == 0x05
    assert len(data) == 37
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key["data"])
    public.verify(unb64url(one["signature"]), data + sha256(client).digest(), ec.ECDSA(hashes.SHA256()))


def root_of(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:])).digest()


def key_id(name: str, kind: int, public_key: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([kind]) + public_key).digest()[:4]


def jcs(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def unb64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def unhex(text: str) -> bytes:
    assert text.startswith("0x")
    return bytes.fromhex(text[2:])
