"""A small named world: two machine shops and a third as noise, each with keys, a log and signed records."""

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from ledger import checkpoint, keys, records, typed
from ledger.encoding import to_hex
from ledger.evidence import (
    Display,
    Evidence,
    build_evidence,
    display_hash,
    evidence_hash,
    key_signature,
    passkey_signature,
    seal_signature,
)
from ledger.evidence_file import Counterpart, EvidenceFile, Proved, build_file, counterpart, prove
from ledger.firm_keys import key_id
from ledger.head import Head, append_entry, empty_head, sign_head
from ledger.leaf import parse_leaf
from ledger.note import Signer
from ledger.replay import Entry
from ledger.signatures import seal_address, sign_key_proof, sign_seal
from ledger.types import record_type_of
from tests.ledger.software_passkey import SoftwarePasskey

NOW = 1_790_000_000
RP_ID, ORIGIN = "werkring.example", "https://werkring.example"
CONTRACT_TEXT = (
    "Einzelauftrag zum Rahmenvertrag\n\n"
    "Auftraggeber: Rennsteig Zerspanung GmbH, Suhl\nAuftragnehmer: Saale Präzision KG, Jena\n\n"
    "1. Leistung. Sie fertigen für uns in Lohnfertigung 5-Achs-Frästeile nach der beigestellten Zeichnung.\n"
    "2. Termine und Preise.\n"
    "   KW 40/2026: Maschine DMU 65, 40 Stunden zu 92,00 EUR je Stunde = 3.680,00 EUR\n"
    "   KW 41/2026: Maschine DMU 65, 40 Stunden zu 92,00 EUR je Stunde = 3.680,00 EUR\n"
    "   KW 42/2026: Maschine C 42, 30 Stunden zu 98,00 EUR je Stunde = 2.940,00 EUR\n"
    "3. Summe: 10.300,00 EUR netto, dazu Transport 120,00 EUR und die gesetzliche Umsatzsteuer.\n"
    "4. Beistellung. Wir stellen Rohmaterial, Spannmittel und Programme bis Freitag der Vorwoche bereit.\n"
    "5. Abnahme. Die Stunden werden wöchentlich gemeldet und von uns bestätigt.\n"
    "6. Gültigkeit. Dieser Auftrag kommt zustande, wenn beide Seiten bis 24.09.2026 unterschreiben.\n"
)


@dataclass
class Firm:
    """A firm with all its private keys and its own log."""

    address: str
    origin: str
    manager: SoftwarePasskey = field(default_factory=SoftwarePasskey)
    head: Head = field(init=False)
    log_key: Signer = field(init=False)
    cosign_key: Signer = field(init=False)
    seal: bytes = field(default_factory=keys.generate_seal_key)
    recovery: bytes = field(default_factory=keys.generate_recovery_key)
    leaves: list[bytes] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    evidence: list[bytes | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.head = empty_head(self.origin)
        self.log_key = keys.generate_log_key(self.origin)
        self.cosign_key = keys.generate_cosigner_key(self.origin)

    @property
    def kid(self) -> bytes:
        return bytes.fromhex(key_id(self.manager.point)[2:])

    def common(self, to: str = "", text: str = "", **more: Any) -> dict[str, Any]:
        number = f"{self.origin} {len(self.leaves)} {text}".encode()
        common = {"id": to_hex(sha256(b"id" + number).digest()), "salt": to_hex(sha256(b"salt" + number).digest())}
        issued = {"from_": self.address, "to": to, "issued_at": NOW, "display_hash": display_hash(text)}
        return {**common, **issued, **more}

    def sign_by_passkey(
        self, digest: bytes, role: str = "manager", passkey: SoftwarePasskey | None = None, at: int = 0
    ) -> dict[str, Any]:
        device = passkey or self.manager
        kid = bytes.fromhex(key_id(device.point)[2:])
        return passkey_signature(role, self.address, kid, (self.origin, at), device.sign(digest))

    def sign_by_seal(self, digest: bytes) -> dict[str, Any]:
        return seal_signature(self.address, seal_address(self.seal), sign_seal(digest, self.seal))

    def sign_by_recovery(self, digest: bytes) -> dict[str, Any]:
        kid = bytes.fromhex(key_id(keys.recovery_public_key(self.recovery))[2:])
        return key_signature("recovery", self.address, kid, (self.origin, 0), sign_key_proof(digest, self.recovery))

    def sign_by_log_key(self, digest: bytes) -> dict[str, Any]:
        kid = bytes.fromhex(key_id(self.log_key.verifier.public_key)[2:])
        return key_signature("log", self.address, kid, (self.origin, 0), sign_key_proof(digest, self.log_key.seed))

    def append(self, evidence: bytes, primary_type: str, digest: bytes, at: int = NOW) -> int:
        new = append_entry(self.head, record_type_of(primary_type), digest, evidence_hash(evidence), at)
        self.leaves.append(new.leaf)
        self.hashes.append(new.leaf_hash)
        self.evidence.append(evidence)
        self.head = new.head
        return self.head.size - 1

    def enter(
        self, record: records.Record, signatures: Any, text: str = "", at: int = NOW, not_before: str | None = None
    ) -> int:
        """Signs and appends a record; `signatures` makes the list of them from the digest."""
        name, message = type(record).__name__, record.message()
        digest = typed.digest(name, message)
        display, signed = Display("test/1", "de", text), tuple(signatures(digest))
        evidence = build_evidence(Evidence(name, message, display, signed, not_before=not_before))
        return self.append(evidence, name, digest, at)

    def enter_genesis(self) -> int:
        record = records.Genesis(
            **self.common(),
            log=self.origin,
            log_key=self.log_key.verifier.vkey,
            cosign_key=self.cosign_key.verifier.vkey,
            seal=seal_address(self.seal),
            passkey=to_hex(self.manager.point),
            recovery=to_hex(keys.recovery_public_key(self.recovery)),
            rp_id=RP_ID,
            origins=(ORIGIN,),
        )
        sign = (self.sign_by_log_key, self.sign_by_recovery, self.sign_by_passkey, self.sign_by_seal)
        return self.enter(record, lambda digest: [one(digest) for one in sign])

    def enter_noise(self, count: int) -> None:
        for number in range(count):
            record = records.AgreementLapsed(
                **self.common(text=f"{number}"), agreement=records.ZERO32, reason="zu spät"
            )
            self.enter(record, lambda digest: [self.sign_by_seal(digest)], text=f"{number}")

    def note(self, *cosigners: "Firm") -> str:
        note = sign_head(self.head, self.log_key)
        seen_at = max([NOW, *(parse_leaf(leaf).at for leaf in self.leaves)]) + 60
        for other in cosigners:
            note = checkpoint.add_cosignature(note, checkpoint.cosign(note, other.cosign_key, seen_at))
        return note

    def prove(self, seq: int) -> Proved:
        return prove(self.leaves[seq], self.hashes, self.evidence[seq])

    def entries(self) -> list[Entry]:
        return [Entry(leaf, evidence) for leaf, evidence in zip(self.leaves, self.evidence, strict=True)]


@dataclass
class World:
    """Requester, provider and their agreement, entered in both logs."""

    requester: Firm
    provider: Firm
    agreement: records.Agreement
    seq: int
    provider_seq: int

    def file(self, **changes: Any) -> EvidenceFile:
        other: Counterpart = counterpart(
            self.provider.note(self.requester),
            self.provider.leaves[self.provider_seq],
            self.provider.prove(self.provider_seq).proof,
        )
        file = EvidenceFile(
            record=self.requester.prove(self.seq),
            checkpoint=self.requester.note(self.provider),
            keys=(self.requester.prove(0), self.provider.prove(0)),
            counterpart=other,
        )
        return replace(file, **changes)

    def file_bytes(self, **changes: Any) -> bytes:
        return build_file(self.file(**changes))


def make_world(prefix: str = "werkring.example/", noise: int = 3) -> World:
    """The agreement of the 500 hours: 110 of them, three lines, four signatures, both logs."""
    requester = Firm("rennsteig@werkring.example", f"{prefix}0193-rennsteig")
    provider = Firm("saale@werkring.example", f"{prefix}0193-saale")
    for firm in (requester, provider):
        firm.enter_genesis()
        firm.enter_noise(noise)
    enter_link(requester, provider)
    agreement = make_agreement(requester, provider)
    seq, provider_seq = enter_for_both(requester, provider, agreement, CONTRACT_TEXT)
    requester.enter_noise(1)
    return World(requester, provider, agreement, seq, provider_seq)


def make_agreement(requester: Firm, provider: Firm, **changes: Any) -> records.Agreement:
    lines = tuple(
        records.Line(
            machine=machine,
            week=week,
            minutes=minutes,
            rate_cents_per_hour=rate,
            set_up_min=60,
            amount_cents=minutes * rate // 60,
        )
        for machine, week, minutes, rate in (
            ("0193-dmu65", "2026-W40", 2400, 9200),
            ("0193-dmu65", "2026-W41", 2400, 9200),
            ("0193-c42", "2026-W42", 1800, 9800),
        )
    )
    fields = {
        **requester.common(to=provider.address, text=CONTRACT_TEXT, expires_at=NOW + 259_200),
        "template": "lohnfertigung/1",
        "terms_hash": to_hex(sha256(b"terms").digest()),
        "framework": framework_of(requester),
        "log_from": requester.origin,
        "log_to": provider.origin,
        "currency": "EUR",
        "total_cents": 1_042_000,
        "transport_cents": 12_000,
        "bundled": True,
        "bundle": to_hex(sha256(b"bundle").digest()),
        "lines": lines,
    }
    return records.Agreement(**{**fields, **changes})


def framework_of(firm: Firm) -> str:
    """The digest of the firm's newest link.partner."""
    found = [leaf for leaf in map(parse_leaf, firm.leaves) if leaf.type == "link.partner"]
    return to_hex(found[-1].digest if found else sha256(b"link").digest())


def enter_link(one: Firm, other: Firm) -> int:
    """The framework agreement of two firms, in both logs; its position in the first."""
    genesis = [to_hex(parse_leaf(firm.leaves[0]).digest) for firm in (one, other)]
    link = records.LinkPartner(
        **one.common(to=other.address, text="link.partner"), log_from=one.origin, log_to=other.origin,
        genesis_from=genesis[0], genesis_to=genesis[1], seal_from=seal_address(one.seal),
        seal_to=seal_address(other.seal), scope=("requests", "offers"), template="lohnfertigung/1",
        terms_hash=to_hex(sha256(b"terms").digest()), fingerprint=" ".join(genesis),
    )  # fmt: skip
    return enter_for_both(one, other, link, "link.partner")[0]


def enter_for_both(one: Firm, other: Firm, record: records.Record, text: str) -> tuple[int, int]:
    """Both managers and both seals sign; the same evidence goes into both logs."""

    def signatures(digest: bytes) -> list[dict[str, Any]]:
        return [firm_sign(digest) for firm in (one, other) for firm_sign in (firm.sign_by_passkey, firm.sign_by_seal)]

    seq = one.enter(record, signatures, text)
    evidence, name = one.evidence[seq], type(record).__name__
    assert evidence is not None
    return seq, other.append(evidence, name, typed.digest(name, record.message()))
