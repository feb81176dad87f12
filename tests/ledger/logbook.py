"""One log with every type of record in it, by keys that never change: for replays, tampering and vectors."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from ledger import checkpoint, keys, records, typed
from ledger.encoding import to_hex
from ledger.evidence import evidence_hash
from ledger.evidence_file import Proved
from ledger.firm_keys import key_id
from ledger.head import append_entry, empty_head, sign_head
from ledger.leaf import Leaf, parse_leaf
from ledger.note import COSIGNER_KEY, LOG_KEY, Signer
from ledger.replay import Entry
from ledger.signatures import seal_address
from tests.ledger.software_passkey import SoftwarePasskey
from tests.ledger.world import CONTRACT_TEXT, NOW, ORIGIN, RP_ID, Firm, enter_for_both, enter_link, make_agreement

Sign = Callable[[bytes], list[dict[str, Any]]]


def secret(word: str) -> bytes:
    return sha256(f"werkring test key {word}".encode()).digest()


def fixed_passkey(word: str) -> SoftwarePasskey:
    number = int.from_bytes(secret(word), "big") >> 1
    return SoftwarePasskey(private_key=ec.derive_private_key(number, ec.SECP256R1()))


def fixed_firm(word: str) -> Firm:
    origin = f"werkring.example/0193-{word}"
    firm = Firm(
        f"{word}@werkring.example",
        origin,
        manager=fixed_passkey(f"{word} manager"),
        seal=secret(f"{word} seal"),
        recovery=secret(f"{word} recovery"),
    )
    firm.log_key = Signer(origin, LOG_KEY, secret(f"{word} log"))
    firm.cosign_key = Signer(origin + keys.COSIGNER_SUFFIX, COSIGNER_KEY, secret(f"{word} cosign"))
    return firm


@dataclass
class Logbook:
    """The log of `own`; `places` tells where each record stands, `notes` the checkpoint of every size, all cosigned."""

    own: Firm
    partner: Firm
    places: dict[str, int] = field(default_factory=dict)
    notes: list[tuple[int, str]] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, seq: int) -> None:
        """Tells of a new entry, and signs the checkpoint after it."""
        self.places[name] = seq
        self.digests[name] = to_hex(parse_leaf(self.own.leaves[seq]).digest)
        note = sign_head(self.own.head, self.own.log_key)
        line = checkpoint.cosign(note, self.partner.cosign_key, NOW + 60 + self.own.head.size)
        self.notes.append((self.own.head.size, checkpoint.add_cosignature(note, line)))

    def add(self, name: str, record: records.Record, signatures: Sign, text: str = "") -> int:
        seq = self.own.enter(record, signatures, text or name)
        self.put(name, seq)
        return seq

    def common(self, name: str, **more: Any) -> dict[str, Any]:
        return self.own.common(to=self.partner.address, text=name, **more)

    def partner_keys(self) -> list[tuple[Proved, str]]:
        return [(self.partner.prove(0), self.partner.note())]


def by_manager(firm: Firm) -> Sign:
    return lambda digest: [firm.sign_by_passkey(digest), firm.sign_by_seal(digest)]


def by_seal(firm: Firm) -> Sign:
    return lambda digest: [firm.sign_by_seal(digest)]


def by_recovery(firm: Firm) -> Sign:
    return lambda digest: [firm.sign_by_recovery(digest), firm.sign_by_seal(digest)]


def key_fields(purpose: str, public_key: bytes) -> dict[str, Any]:
    is_passkey = purpose == "passkey"
    web = {"rp_id": RP_ID if is_passkey else "", "origins": (ORIGIN,) if is_passkey else ()}
    ids = {"purpose": purpose, "kid": key_id(public_key), "public_key": to_hex(public_key)}
    return {**ids, **web, "role": "worker" if is_passkey else "", "limit_cents": 0, "valid_from": NOW}


def hours(book: Logbook, **changes: Any) -> dict[str, Any]:
    fields = {"agreement": book.digests["agreement"], "line": 0, "week": "2026-W40", "minutes": 2400}
    return {**fields, **changes}


def start_logbook() -> Logbook:
    """Genesis of two firms, a worker's passkey, the link and an agreement with one change."""
    book = Logbook(fixed_firm("rennsteig"), fixed_firm("saale"))
    own, partner = book.own, book.partner
    partner.enter_genesis()
    book.put("genesis", own.enter_genesis())
    worker = key_fields("passkey", fixed_passkey("worker").point)
    book.add("key.register", records.KeyRegister(**own.common(text="key.register"), **worker), by_manager(own))
    book.put("link.partner", enter_link(own, partner))
    agreement = make_agreement(own, partner)
    book.put("agreement", enter_for_both(own, partner, agreement, CONTRACT_TEXT)[0])
    named = (book.digests["agreement"],)
    book.add(
        "bundle.effective", records.BundleEffective(**book.common("bundle.effective"), agreements=named), by_seal(own)
    )
    change = records.Change(
        **book.common("change", supersedes=book.digests["agreement"]), agreement=book.digests["agreement"], basis="mutual",
        log_from=own.origin, log_to=partner.origin, currency="EUR", total_cents=1_000_000, transport_cents=0,
        fee_cents=0, lines=agreement.lines,
    )  # fmt: skip
    book.put("change", enter_for_both(own, partner, change, "change")[0])
    return book


def enter_work(book: Logbook) -> None:
    """The hours of a week, reported by the provider and confirmed; the end of the work, and one dispute."""
    own, partner, agreement = book.own, book.partner, book.digests["agreement"]
    done = {"machine": "0193-dmu65", "set_up_min": 60, "quantity": 40, "scrap": 1}
    report = records.HoursReport(**partner.common(to=own.address, text="hours.report"), **hours(book), **done)
    at_partner = partner.enter(report, by_seal(partner), "hours.report")
    evidence = partner.evidence[at_partner]
    assert evidence is not None
    book.put("hours.report", own.append(evidence, "HoursReport", typed.digest("HoursReport", report.message())))
    confirm = records.HoursConfirm(**book.common("hours.confirm"), report=book.digests["hours.report"], **hours(book))
    book.add("hours.confirm", confirm, by_worker(own))
    money = {"accepted_min": 2400, "currency": "EUR", "amount_cents": 368_000}
    done_record = records.Completion(**book.common("completion"), agreement=agreement, **money)
    book.add("completion", done_record, by_manager(own))
    dispute = records.Dispute(
        **book.common("dispute"), subject=book.digests["completion"], reason="Maß falsch", **money
    )
    book.add("dispute", dispute, by_manager(own))


def by_worker(firm: Firm) -> Sign:
    return lambda digest: [firm.sign_by_passkey(digest, "worker", fixed_passkey("worker"), at=1)]


def enter_shares(book: Logbook) -> None:
    own = book.own
    data_set = to_hex(sha256(b"data").digest())
    grant = records.ShareGrant(
        **book.common("share.grant", expires_at=NOW + 86_400), data_set=data_set, purpose="Auslastung vergleichen"
    )
    book.add("share.grant", grant, by_manager(own))
    revoke = records.ShareRevoke(**book.common("share.revoke"), grant=book.digests["share.grant"], reason="nicht mehr")
    book.add("share.revoke", revoke, by_manager(own))


def rotate(book: Logbook, purpose: str, name: str) -> None:
    """A new key for the purpose; the record is signed by the old one where that signs at all."""
    own, new = book.own, secret(f"new {purpose}")
    old_key, new_key = {
        "seal": lambda: (bytes.fromhex(seal_address(own.seal)[2:]), bytes.fromhex(seal_address(new)[2:])),
        "log": lambda: (own.log_key.verifier.public_key, Signer(own.origin, LOG_KEY, new).verifier.public_key),
        "cosign": lambda: (
            own.cosign_key.verifier.public_key,
            Signer(own.cosign_key.name, COSIGNER_KEY, new).verifier.public_key,
        ),
    }[purpose]()
    record = records.KeyRotate(**own.common(text=name), old_kid=key_id(old_key), **key_fields(purpose, new_key))
    seq = own.enter(record, by_recovery(own), name)
    if purpose == "seal":
        own.seal = new
    elif purpose == "log":
        own.log_key = Signer(own.origin, LOG_KEY, new)
    else:
        own.cosign_key = Signer(own.cosign_key.name, COSIGNER_KEY, new)
    book.put(name, seq)


def enter_ends(book: Logbook) -> None:
    own = book.own
    agreement = book.digests["agreement"]
    lapsed = records.AgreementLapsed(**book.common("agreement.lapsed"), agreement=records.ZERO32, reason="zu spät")
    book.add("agreement.lapsed", lapsed, by_seal(own))
    cancel = records.Cancellation(
        **book.common("cancellation", supersedes=book.digests["change"]), agreement=agreement, basis="§ 7",
        line_numbers=(2,), currency="EUR", fee_cents=0, reason="Auftrag entfallen",
    )  # fmt: skip
    book.add("cancellation", cancel, by_manager(own))
    end = records.LinkEnd(
        **book.common("link.end"), link=book.digests["link.partner"], ends_at=NOW + 86_400, reason="Umzug"
    )
    book.add("link.end", end, by_manager(own))
    lost = records.KeyRevoke(
        **own.common(text="key.revoke"), purpose="passkey", kid=key_id(fixed_passkey("worker").point), reason="verloren"
    )
    book.add("key.revoke", lost, by_recovery(own))


def enter_witnessing(book: Logbook) -> None:
    own, size = book.own, 10
    chain = {"chain_id": 31_337, "contract": "0x" + "ab" * 20, "transaction": to_hex(secret("transaction"))}
    root = to_hex(checkpoint.parse(dict(book.notes)[size]).root)
    book.add("anchor", records.Anchor(**own.common(text="anchor"), **chain, size=size, root=root), by_seal(own))
    first, second = (fork_note(book.partner, word) for word in ("one", "other"))
    conflict = records.WitnessConflict(
        **book.common("witness.conflict"), log=book.partner.origin, first=first, second=second
    )
    book.add("witness.conflict", conflict, by_seal(own))


def fork_note(firm: Firm, word: str, size: int = 3) -> str:
    return checkpoint.sign(checkpoint.Checkpoint(firm.origin, size, secret(word)), firm.log_key)


def enter_erasure(book: Logbook) -> None:
    own = book.own
    old = records.AgreementLapsed(**book.common("erased"), agreement=records.ZERO32, reason="zu spät")
    own.evidence[book.add("erased", old, by_seal(own))] = None
    record = records.Erasure(
        **own.common(text="erasure"), erased=(book.digests["erased"],), legal_basis="Art. 17 DSGVO"
    )
    book.add("erasure", record, by_manager(own))
    last = records.AgreementLapsed(**book.common("last"), agreement=records.ZERO32, reason="zu spät")
    book.add("last", last, by_seal(own))


def make_logbook() -> Logbook:
    """Every type of record, three rotations and one erasure, in 24 entries."""
    book = start_logbook()
    enter_work(book)
    enter_shares(book)
    for purpose in ("seal", "cosign", "log"):
        rotate(book, purpose, f"key.rotate {purpose}")
    enter_ends(book)
    enter_witnessing(book)
    enter_erasure(book)
    return book


@lru_cache(maxsize=1)
def the_logbook() -> Logbook:
    """The same for all who only read it."""
    return make_logbook()


def rebuilt(firm: Firm, changes: dict[int, bytes | Leaf]) -> list[Entry]:
    """The insider's log: other contents or leaves at these positions, and every hash after them made right again."""
    head, made = empty_head(firm.origin), []
    for data, evidence in zip(firm.leaves, firm.evidence, strict=True):
        leaf, change = parse_leaf(data), changes.get(head.size)
        if isinstance(change, bytes):
            evidence, leaf = change, leaf._replace(evidence=evidence_hash(change))
        elif change is not None:
            leaf = change
        new = append_entry(head, leaf.type, leaf.digest, leaf.evidence, leaf.at)
        made.append(Entry(new.leaf, evidence))
        head = new.head
    return made
