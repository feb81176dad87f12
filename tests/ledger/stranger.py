"""A stranger's verifier: written from ledger/FORMAT.md alone, with other people's primitives and nothing of `ledger`.

It reads types and signers of the records out of the page itself, and says of an exported log that it holds, or where
not, and of an evidence file that it holds.
"""

import base64
import json
import re
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
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

    def check_file(self, data: bytes) -> None:
        """An evidence file without erasure: raises an AssertionError or something else at the first fault."""
        short = json.loads(data)
        assert jcs(short) == data
        file = ShortForm(self).complete(short)
        other = file["counterpart"]
        roots = {note.split("\n")[0]: note for note in (file["checkpoint"], other["checkpoint"])}
        for one in file["keys"]:
            check_inclusion(one["leaf"], one["proof"], roots[one["leaf"]["log"]])
            self.check_record(one["leaf"], one["evidence"])
        for note in roots.values():
            self.check_note(note)
        check_inclusion(file["leaf"], file["proof"], file["checkpoint"])
        check_inclusion(other["leaf"], other["proof"], other["checkpoint"])
        assert all(file["leaf"][name] == other["leaf"][name] for name in ("type", "digest", "evidence"))
        self.check_record(file["leaf"], file["evidence"])

    def check_note(self, text: str) -> None:
        body, _, block = text.rpartition("\n\n")
        self.origin, size = body.split("\n")[0], int(body.split("\n")[1])
        assert "log" in {self.check_line(line, body + "\n", size) for line in block[:-1].split("\n")}

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


class ShortForm:
    """Section 6 of the page, "Short form": what a file leaves out is put back."""

    def __init__(self, reader: Stranger) -> None:
        self.reader = reader
        self.keys: dict[tuple[str, int], dict[str, Any]] = {}
        self.logs: dict[str, str] = {}
        self.lines = {name: zero(kind) for kind, name in (field.split(" ") for field in LINE.split(","))}

    def complete(self, short: dict[str, Any]) -> dict[str, Any]:
        file = {"chain": [], "erasure": None, "counterpart": None, "witnesses": [], "places": [], **short}
        origin, other = short["checkpoint"].split("\n")[0], file["counterpart"]
        for one in file["keys"]:
            self.complete_key_record(one)
        for one in file["keys"]:
            evidence, leaf = one["evidence"], one["leaf"]
            digest = self.reader.digest(evidence["primaryType"], evidence["message"])
            self.sign(evidence, digest)
            hashes = {"digest": "0x" + digest.hex(), "evidence": b64(sha256(jcs(evidence)).digest())}
            one["leaf"] = hashes | leaf
        for one in (file, *file["chain"]):
            one["leaf"] = self.leaf(one) | ({"log": origin} if "log" not in one["leaf"] else {})
            self.complete_evidence(one, {})
            self.sign(one["evidence"], unhex(one["leaf"]["digest"]))
        same = {name: file["leaf"][name] for name in ("type", "digest", "evidence")}
        other["leaf"] = {"log": other["checkpoint"].split("\n")[0], **same, **self.leaf(other)}
        return file

    def leaf(self, record: dict[str, Any]) -> dict[str, Any]:
        leaf = {"v": 1, "seq": 0, **record["leaf"]}
        before = record["proof"][0] if leaf["seq"] % 2 and record["proof"] else b64(bytes(32))
        return {"prev": before, **({} if leaf["seq"] else {"type": "genesis"}), **leaf}

    def complete_key_record(self, one: dict[str, Any]) -> None:
        one["leaf"] = leaf = self.leaf(one)
        evidence, said = one["evidence"], one["evidence"]["message"]
        text = "0x" + sha256(evidence["display"]["text"].encode()).hexdigest()
        known = {"to": said["from"], "log": leaf["log"], "issuedAt": leaf["at"], "displayHash": text}
        if said.get("origins"):
            known["rpId"] = said["origins"][0].split("//")[1].split(":")[0]
        message = self.complete_evidence(one, known)
        if leaf["type"] == "genesis":
            for name, kind, ending in (("logKey", 1, ""), ("cosignKey", 4, "/witness")):
                if "+" not in message[name]:
                    key, owner = unb64url(message[name]), leaf["log"] + ending
                    message[name] = f"{owner}+{key_id(owner, kind, key).hex()}+{b64(bytes([kind]) + key)}"
            self.logs[message["from"]] = leaf["log"]
            own = {name: unhex(message[name]) for name in ("passkey", "recovery", "seal")}
            own["log"] = base64.b64decode(message["logKey"].split("+", 2)[2])[1:]
        else:
            own = {message["purpose"]: unhex(message.get("publicKey", "0x"))}
        self.keys[leaf["log"], leaf["seq"]] = {**own, "rpId": message.get("rpId"), "origins": message.get("origins")}

    def complete_evidence(self, one: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        usual = {"v": 1, "domain": {"name": "Werkring", "version": "1"}, "attachments": [], "notBefore": None}
        name = self.reader.names[one["leaf"]["type"]]
        evidence = one["evidence"] = {**usual, "primaryType": name, **one["evidence"]}
        kinds = {field.split(" ")[1]: field.split(" ")[0] for field in self.reader.fields[name].split(",")}
        said = evidence["message"]
        known = {"locale": "de", "currency": "EUR", **known}
        known |= {"logFrom": self.logs.get(said["from"], ""), "logTo": self.logs.get(said.get("to"), "")}
        message = evidence["message"] = {
            key: said.get(key, known.get(key, zero(kind))) for key, kind in kinds.items()
        } | {key: value for key, value in said.items() if key not in kinds}
        for key, kind in kinds.items():
            if kind in ("bytes32", "bytes", "address") and not message[key].startswith("0x"):
                message[key] = "0x" + uncompressed(unb64url(message[key])).hex()
        before = self.lines
        for place, line in enumerate(message.get("lines", ())):
            before = message["lines"][place] = {**before, **line}
        shared = {key: message[key] for key in ("locale", "template") if key in message}
        evidence["display"] = {**shared, **evidence["display"]}
        return message

    def sign(self, evidence: dict[str, Any], digest: bytes) -> None:
        roles: set[str] = set()
        for place, one in enumerate(evidence["signatures"]):
            if isinstance(one, str):
                one = evidence["signatures"][place] = self.signature(one, evidence["message"], roles, digest)
            roles.add(one["role"])

    def signature(self, text: str, message: dict[str, Any], roles: set[str], digest: bytes) -> dict[str, Any]:
        label, data = text.split(" ")
        role, _, seq = label.partition("@")
        party, raw = message["to" if role in roles else "from"], unb64url(data)
        at = {"log": self.logs[party], "seq": int(seq or 0)}
        key, kind = self.keys[at["log"], at["seq"]], {"firm": "seal", "log": "log", "recovery": "recovery"}.get(role)
        if kind == "seal":
            named = {"kind": kind, "role": role, "party": party}
            return {**named, "address": "0x" + key["seal"].hex(), "signature": "0x" + raw.hex()}
        kid = "0x" + sha256(key[kind or "passkey"]).hexdigest()
        named = {"kind": kind or "passkey", "role": role, "party": party, "kid": kid, "keyAt": at}
        if kind:
            return {**named, "signature": b64url(raw)}
        r, s = int.from_bytes(raw[6:38], "big"), int.from_bytes(raw[38:70], "big")
        origin = key["origins"][raw[0] // 2]
        client = f'{{"type":"webauthn.get","challenge":"{b64url(digest)}","origin":"{origin}"'
        client += "}" if raw[0] % 2 else ',"crossOrigin":false}'
        return {
            **named,
            "authenticatorData": b64url(sha256(key["rpId"].encode()).digest() + raw[1:6]),
            "clientDataJSON": b64url(client.encode()),
            "signature": b64url(encode_dss_signature(r, s)),
        }


def zero(kind: str) -> Any:
    if kind.endswith("[]"):
        return []
    return {"string": "", "bool": False, "bytes32": "0x" + "00" * 32, "bytes": "0x", "address": "0x" + "00" * 20}.get(
        kind, 0
    )


def uncompressed(data: bytes) -> bytes:
    if len(data) != 33:
        return data
    numbers = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data).public_numbers()
    return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def check_inclusion(leaf: dict[str, Any], proof: list[str], note: str) -> None:
    origin, size, root = note.split("\n")[:3]
    assert leaf["log"] == origin
    first, second, found = leaf["seq"], int(size) - 1, sha256(b"\x00" + jcs(leaf)).digest()
    for one in (base64.b64decode(text) for text in proof):
        assert second
        if first % 2 or first == second:
            found = sha256(b"\x01" + one + found).digest()
            while first and not first % 2:
                first, second = first // 2, second // 2
        else:
            found = sha256(b"\x01" + found + one).digest()
        first, second = first // 2, second // 2
    assert (second, b64(found)) == (0, root)


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


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def unhex(text: str) -> bytes:
    assert text.startswith("0x")
    return bytes.fromhex(text[2:])
