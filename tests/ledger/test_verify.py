"""One evidence file: what holds, every flipped byte, and each fault found in the step that is meant for it."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from ledger import canonical, checkpoint, keys, records, typed
from ledger.encoding import to_hex
from ledger.errors import VerificationError
from ledger.evidence import Display, Evidence, build_evidence
from ledger.evidence_file import EvidenceFile, build_file, counterpart, prove
from ledger.firm_keys import key_id
from ledger.merkle import root
from ledger.note import Signer
from ledger.policy import Policy, parse_policy
from ledger.report import PRACTICE_DE, Report
from ledger.signatures import seal_address
from ledger.verify import verify_bundle
from tests.ledger.software_passkey import SoftwarePasskey
from tests.ledger.world import CONTRACT_TEXT, NOW, Firm, World, enter_for_both, make_agreement, make_world

WORLD = make_world()
DATA = WORLD.file_bytes()


def refused(data: bytes) -> bool:
    try:
        return not verify_bundle(data).holds
    except VerificationError:
        return True


def failed_steps(file: EvidenceFile, policy: Policy | None = None) -> tuple[int, ...]:
    return verify_bundle(build_file(file), policy).failed


def test_the_agreement_holds_in_every_step() -> None:
    report = verify_bundle(DATA)
    assert report.holds
    assert report.is_binding
    assert [step.verdict for step in report.steps] == ["ok"] * 13
    assert "not pinned" in report.step(3).detail
    assert report.text("de").count("Den Schlüssel nennt nur diese Datei.") == 2
    assert "Alles stimmt." in report.text("de")
    assert "Everything holds." in report.text("en", is_plain=False)


def test_the_agreements_evidence_stays_below_ten_kilobytes() -> None:
    assert len(DATA) < 10_000


def test_every_part_of_the_file_is_guarded_against_a_flipped_byte() -> None:
    chance = random.Random(7)
    start = chance.randrange(4)
    for place in range(start, len(DATA), 4):
        assert refused(DATA[:place] + bytes([DATA[place] ^ 1 << chance.randrange(8)]) + DATA[place + 1 :]), place


@pytest.mark.long
def test_no_byte_of_the_file_can_be_flipped_removed_or_doubled() -> None:
    for place in range(len(DATA)):
        assert refused(DATA[:place] + bytes([DATA[place] ^ 1]) + DATA[place + 1 :]), place
        assert refused(DATA[:place] + DATA[place + 1 :]), place
        assert refused(DATA[: place + 1] + DATA[place:]), place


def test_the_flipping_harness_finds_an_unguarded_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: a verifier that does not look at the counterpart lets a changed one through."""
    monkeypatch.setitem(__import__("ledger.verify").verify._STEPS, 12, lambda _: "")
    value = json.loads(DATA)
    first = value["counterpart"]["proof"][0]
    # the first character alone: another last one would be no base64 of 32 bytes
    other = ("B" if first[0] == "A" else "A") + first[1:]
    changed = DATA.replace(first.encode(), other.encode(), 1)
    assert not refused(changed)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b"null", b"[" * 5000, b'{"leaf":1}', b"x" * 1_000_001])
def test_what_is_no_evidence_file_is_unusable(data: bytes) -> None:
    with pytest.raises(VerificationError):
        verify_bundle(data)


@pytest.mark.parametrize("change", [b" ", b"\n", b"\x00"])
def test_bytes_around_the_file_are_refused(change: bytes) -> None:
    assert refused(DATA + change)
    assert refused(change + DATA)


def test_a_duplicate_key_and_other_spellings_fail_in_step_one() -> None:
    spaced = json.dumps(json.loads(DATA), ensure_ascii=False, sort_keys=True).encode()
    doubled = DATA[:-1] + b',"v":1}'
    for data in (spaced, doubled):
        assert verify_bundle(data).failed == (1,)


@pytest.mark.parametrize("path", ["leaf", "checkpoint", "keys", "counterpart", "witnesses", "proof", "v"])
@pytest.mark.parametrize("value", [None, 5, [], {}, "x", [[]], [5], True])
def test_parts_of_the_wrong_kind_never_end_in_anything_but_a_refusal(path: str, value: Any) -> None:
    whole = json.loads(DATA)
    whole[path] = value
    data = json.dumps(whole, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    assert refused(data)


def test_without_the_counterpart_its_keys_and_its_cosignature_are_unknown() -> None:
    whole = json.loads(DATA)
    del whole["counterpart"]
    assert verify_bundle(canonical.dumps(whole)).failed == (3, 8, 9)


# Step 2


def test_a_proof_that_is_too_long_short_or_of_another_entry_fails() -> None:
    record = WORLD.file().record
    for proof in ([*record.proof, bytes(32)], record.proof[:-1], WORLD.requester.prove(1).proof):
        assert 2 in failed_steps(WORLD.file(record=replace(record, proof=tuple(proof))))


# Step 3


def sign_with(world: World, signer: Signer) -> str:
    claim = checkpoint.Checkpoint(world.requester.origin, world.requester.head.size, world.requester.head.root)
    return checkpoint.sign(claim, signer)


def test_a_checkpoint_by_another_key_or_with_an_unknown_line_fails() -> None:
    stranger = keys.generate_log_key(WORLD.requester.origin)
    assert 3 in failed_steps(WORLD.file(checkpoint=sign_with(WORLD, stranger)))
    witness = keys.generate_cosigner_key("other.example/w")
    note = checkpoint.add_cosignature(WORLD.requester.note(), checkpoint.cosign(WORLD.requester.note(), witness, 5))
    assert failed_steps(WORLD.file(checkpoint=note)) == (3,)
    assert failed_steps(WORLD.file(checkpoint=note, witnesses=(witness.verifier.vkey,))) == ()
    assert failed_steps(WORLD.file(witnesses=(witness.verifier.vkey,))) == (3,)


def test_a_policy_pins_the_log_key_and_asks_for_its_quorum() -> None:
    lines = [f"log {WORLD.requester.log_key.verifier.vkey}", f"witness s {WORLD.provider.cosign_key.verifier.vkey}"]
    good = parse_policy("\n".join([*lines, "quorum s"]))
    report = verify_bundle(DATA, good)
    assert report.holds
    assert "pinned by the policy" in report.step(3).detail
    assert "nur diese Datei" not in report.step(3).sentence.german
    assert "nur diese Datei" in report.step(12).sentence.german
    other = f"log {WORLD.provider.log_key.verifier.vkey}"
    assert "nur diese Datei" not in verify_bundle(DATA, parse_policy("\n".join([*lines, other, "quorum s"]))).text("de")
    other_log = parse_policy(f"log {keys.generate_log_key(WORLD.requester.origin).verifier.vkey}\nquorum none")
    other_witness = keys.generate_cosigner_key("other.example/w").verifier.vkey
    unmet = parse_policy("\n".join([*lines, f"witness o {other_witness}", "group g all s o", "quorum g"]))
    assert verify_bundle(DATA, other_log).failed == (3,)
    assert verify_bundle(DATA, unmet).failed == (3,)


def test_a_log_rewritten_with_its_own_key_is_refused_by_who_pinned_a_witness() -> None:
    """The node's operator drops an entry and signs again: only the partner's cosignature is missing."""
    firm = WORLD.requester
    claim = checkpoint.Checkpoint(firm.origin, WORLD.seq + 1, root(firm.hashes[: WORLD.seq + 1]))
    record = prove(firm.leaves[WORLD.seq], firm.hashes[: WORLD.seq + 1], firm.evidence[WORLD.seq])
    genesis = prove(firm.leaves[0], firm.hashes[: WORLD.seq + 1], firm.evidence[0])
    file = WORLD.file(record=record, checkpoint=checkpoint.sign(claim, firm.log_key))
    file = replace(file, keys=(genesis, WORLD.provider.prove(0)))
    policy = f"log {firm.log_key.verifier.vkey}\nwitness s {WORLD.provider.cosign_key.verifier.vkey}\nquorum s"
    assert failed_steps(file) == ()
    assert failed_steps(file, parse_policy(policy)) == (3,)


def test_a_policy_without_logs_asks_for_the_quorum_only() -> None:
    vkey = WORLD.provider.cosign_key.verifier.vkey
    report = verify_bundle(DATA, parse_policy(f"witness s {vkey}\nquorum s"))
    assert report.holds
    assert "not pinned" in report.step(3).detail
    assert "nur diese Datei" in report.step(3).sentence.german


def cosigned_at(*times: tuple[Signer, int]) -> str:
    note = WORLD.requester.note()
    for signer, time in times:
        note = checkpoint.add_cosignature(note, checkpoint.cosign(note, signer, time))
    return note


def test_the_earliest_cosignature_says_when_the_record_existed_at_the_latest() -> None:
    requester, provider = WORLD.requester, WORLD.provider
    stranger = keys.generate_cosigner_key("other.example/w")
    note = cosigned_at((requester.cosign_key, NOW), (provider.cosign_key, NOW + 600), (stranger, NOW + 300))
    alone = counterpart(provider.note())
    file = WORLD.file(checkpoint=note, witnesses=(stranger.verifier.vkey,), counterpart=alone)
    report = verify_bundle(build_file(file))
    # A firm is no witness of its own log, nor is a key that only the file names.
    assert report.existed_by == NOW + 600
    assert report.as_dict()["existedBy"] == NOW + 600
    assert "A partner saw this state on 2026-09-21 at 14:23 UTC." in report.text("en")
    pinned = parse_policy(f"witness s {stranger.verifier.vkey}\nquorum s")
    assert verify_bundle(build_file(file), pinned).existed_by == NOW + 300
    assert verify_bundle(WORLD.file_bytes(checkpoint=requester.note(), counterpart=alone)).existed_by is None
    assert verify_bundle(WORLD.file_bytes(checkpoint=requester.note())).existed_by == NOW + 60
    far = cosigned_at((provider.cosign_key, 2**63 - 1))
    assert "Sekunde 9223372036854775807" in verify_bundle(WORLD.file_bytes(checkpoint=far, counterpart=alone)).text()


@pytest.mark.parametrize(("seen_before_s", "failed"), [(86_400, ()), (86_401, (11,))])
def test_a_record_that_a_witness_saw_before_its_claimed_time_fails(seen_before_s: int, failed: tuple[int, ...]) -> None:
    note = cosigned_at((WORLD.provider.cosign_key, NOW - seen_before_s))
    assert failed_steps(WORLD.file(checkpoint=note)) == failed


# Steps 4 to 11: records entered as they should not be


def enter_badly(change: Callable[[records.Agreement, World], dict[str, Any]]) -> Report:
    """An agreement in which one thing is wrong, properly signed and entered by both firms."""
    world = make_world(noise=0)
    agreement = make_agreement(world.requester, world.provider, id=to_hex(sha256(b"bad").digest()))
    bad = replace(agreement, **change(agreement, world))
    text = CONTRACT_TEXT
    seq, other = enter_for_both(world.requester, world.provider, bad, text)
    return verify_bundle(replace_record(world, seq, other))


def replace_record(world: World, seq: int, other: int, **changes: Any) -> bytes:
    return replace(world, seq=seq, provider_seq=other).file_bytes(**changes)


@pytest.mark.parametrize(
    ("step", "change"),
    [
        (7, lambda agreement, world: {"display_hash": to_hex(bytes(32))}),
        (7, lambda agreement, world: {"locale": "en"}),
        (11, lambda agreement, world: {"expires_at": NOW - 1}),
        (11, lambda agreement, world: {"issued_at": NOW + 100_000}),
        (11, lambda agreement, world: {"log_to": agreement.log_from}),
        (11, lambda agreement, world: {"log_to": "other.example/log"}),
        (11, lambda agreement, world: {"log_from": "other.example/log"}),
        (11, lambda agreement, world: {"supersedes": to_hex(bytes([1] * 32))}),
    ],
    ids=["text", "locale", "expired", "from-the-future", "one-log", "other-log-to", "other-log-from", "chain-missing"],
)
def test_a_record_with_one_fault_fails_in_its_step(step: int, change: Any) -> None:
    assert enter_badly(change).failed == (step,)


@pytest.mark.parametrize("name", ["genesis_from", "genesis_to", "seal_from", "seal_to", "fingerprint"])
def test_a_partnership_names_the_keys_that_both_firms_have(name: str) -> None:
    world = make_world(noise=0)
    one, other = world.requester, world.provider
    genesis = [to_hex(typed.digest("Genesis", evidence_message(firm, 0))) for firm in (one, other)]
    link = records.LinkPartner(
        **one.common(to=other.address, text="Partner"),
        log_from=one.origin,
        log_to=other.origin,
        genesis_from=genesis[0],
        genesis_to=genesis[1],
        seal_from=seal_address(one.seal),
        seal_to=seal_address(other.seal),
        scope=("requests",),
        template="lohnfertigung/1",
        terms_hash=to_hex(sha256(b"terms").digest()),
        fingerprint=" ".join(genesis),
    )
    wrong = {"genesis": to_hex(bytes([1] * 32)), "seal": to_hex(bytes([1] * 20)), "fingerprint": "a b"}
    forged = replace(link, id=to_hex(bytes([2] * 32)), **{name: wrong[name.split("_")[0]]})
    assert verify_bundle(replace_record(world, *enter_for_both(one, other, link, "Partner"))).holds
    assert verify_bundle(replace_record(world, *enter_for_both(one, other, forged, "Partner"))).failed == (11,)


def evidence_message(firm: Firm, seq: int) -> dict[str, Any]:
    evidence = firm.evidence[seq]
    assert evidence is not None
    return dict(json.loads(evidence)["message"])


def sign_differently(signatures: Callable[[World, bytes], list[dict[str, Any]]]) -> tuple[int, ...]:
    world = make_world(noise=0)
    record = make_agreement(world.requester, world.provider, id=to_hex(sha256(b"bad").digest()))
    seq = world.requester.enter(record, lambda digest: signatures(world, digest), CONTRACT_TEXT)
    evidence = world.requester.evidence[seq]
    assert evidence is not None
    other = world.provider.append(evidence, "Agreement", typed.digest("Agreement", record.message()))
    return verify_bundle(replace_record(world, seq, other)).failed


def both(world: World, digest: bytes) -> list[dict[str, Any]]:
    return [
        sign(digest) for firm in (world.requester, world.provider) for sign in (firm.sign_by_passkey, firm.sign_by_seal)
    ]


STRANGER = Firm("fremd@other.example", "other.example/0193-fremd")


def swap(place: int, new: Callable[[World, bytes], dict[str, Any]]) -> Callable[[World, bytes], list[dict[str, Any]]]:
    def signatures(world: World, digest: bytes) -> list[dict[str, Any]]:
        made = both(world, digest)
        made[place] = new(world, digest)
        return made

    return signatures


@pytest.mark.parametrize(
    ("name", "steps", "signatures"),
    [
        ("all-is-well", (), both),
        ("seal-missing", (10,), lambda world, digest: both(world, digest)[:3]),
        ("passkey-missing", (10,), lambda world, digest: both(world, digest)[1:]),
        ("one-side-only", (10,), lambda world, digest: both(world, digest)[:2]),
        ("nobody", (10,), lambda world, digest: []),
        ("twice", (10,), lambda world, digest: [*both(world, digest), world.requester.sign_by_seal(digest)]),
        ("stranger", (9, 10), lambda world, digest: [*both(world, digest), STRANGER.sign_by_seal(digest)]),
        ("passkey-of-another-digest", (8,), swap(0, lambda world, digest: world.requester.sign_by_passkey(bytes(32)))),
        ("seal-of-another-digest", (9,), swap(1, lambda world, digest: world.requester.sign_by_seal(bytes(32)))),
        (
            "passkey-never-registered",
            (8,),
            swap(0, lambda world, digest: world.requester.sign_by_passkey(digest, passkey=SoftwarePasskey())),
        ),
        ("passkey-at-wrong-place", (8,), swap(0, lambda world, digest: world.requester.sign_by_passkey(digest, at=3))),
        (
            "unverified-person",
            (8,),
            swap(0, lambda world, digest: sign_unverified(world.requester, digest)),
        ),
        (
            "foremans-role",
            (10,),
            swap(0, lambda world, digest: world.requester.sign_by_passkey(digest, role="foreman")),
        ),
        (
            "same-key-as-second-manager",
            (10,),
            lambda world, digest: [*both(world, digest), world.requester.sign_by_passkey(digest, role="second")],
        ),
        (
            "others-seal-in-own-name",
            (9,),
            swap(1, lambda world, digest: {**world.provider.sign_by_seal(digest), "party": world.requester.address}),
        ),
    ],
)
def test_signatures_that_are_not_as_they_must_be_fail_in_their_step(
    name: str, steps: tuple[int, ...], signatures: Callable[[World, bytes], list[dict[str, Any]]]
) -> None:
    assert sign_differently(signatures) == steps


def sign_unverified(firm: Firm, digest: bytes) -> dict[str, Any]:
    firm.manager.flags = 0x01
    try:
        return firm.sign_by_passkey(digest)
    finally:
        firm.manager.flags = 0x05


def test_evidence_of_another_type_than_the_leaf_fails() -> None:
    world = make_world(noise=0)
    record = make_agreement(world.requester, world.provider, id=to_hex(sha256(b"bad").digest()))
    digest = typed.digest("Agreement", record.message())
    evidence = build_evidence(
        Evidence("Agreement", record.message(), Display("t", "de", CONTRACT_TEXT), tuple(both(world, digest)))
    )
    seq = world.requester.append(evidence, "Change", digest)
    other = world.provider.append(evidence, "Change", digest)
    assert verify_bundle(replace_record(world, seq, other)).failed == (5, 6)


@pytest.mark.parametrize("change", [{"totalCents": "1"}, {"extra": 1}, {"totalCents": -1}])
def test_a_message_outside_its_type_fails(change: dict[str, Any]) -> None:
    world = make_world(noise=0)
    record = make_agreement(world.requester, world.provider)
    message = {**record.message(), **change}
    evidence = build_evidence(Evidence("Agreement", message, Display("t", "de", CONTRACT_TEXT), ()))
    digest = typed.digest("Agreement", record.message())
    seq, other = [firm.append(evidence, "Agreement", digest) for firm in (world.requester, world.provider)]
    assert 5 in verify_bundle(replace_record(world, seq, other)).failed


def test_a_renderer_that_gives_another_text_fails_step_seven() -> None:
    assert verify_bundle(DATA, render=lambda template, message: CONTRACT_TEXT).step(7).verdict == "ok"
    assert verify_bundle(DATA, render=lambda template, message: "anderer Text").failed == (7,)


# Step 12


def test_without_the_counterparts_entry_step_twelve_does_not_apply() -> None:
    report = verify_bundle(WORLD.file_bytes(counterpart=counterpart(WORLD.provider.note())))
    assert report.holds
    assert report.step(12).verdict == "not applicable"


def test_a_counterpart_that_entered_something_else_fails() -> None:
    provider = WORLD.provider
    wrong = counterpart(provider.note(), provider.leaves[1], provider.prove(1).proof)
    assert failed_steps(WORLD.file(counterpart=wrong)) == (12,)
    own = counterpart(provider.note(), WORLD.requester.leaves[WORLD.seq], WORLD.requester.prove(WORLD.seq).proof)
    assert 12 in failed_steps(WORLD.file(counterpart=own))
    forged = checkpoint.sign(
        checkpoint.Checkpoint(provider.origin, provider.head.size, provider.head.root),
        keys.generate_log_key(provider.origin),
    )
    claimed = counterpart(forged, provider.leaves[WORLD.provider_seq], provider.prove(WORLD.provider_seq).proof)
    assert failed_steps(WORLD.file(counterpart=claimed)) == (12,)


# Keys


def register_passkey(
    firm: Firm,
    passkey: SoftwarePasskey,
    by: str = "manager",
    role: str = "manager",
    limit_cents: int = 0,
    valid_from: int = NOW,
) -> int:
    text = f"key {role}"
    record = records.KeyRegister(
        **firm.common(text=text),
        purpose="passkey",
        kid=key_id(passkey.point),
        public_key=to_hex(passkey.point),
        role=role,
        limit_cents=limit_cents,
        valid_from=valid_from,
        rp_id=passkey.rp_id,
        origins=(passkey.origin,),
    )
    sign = firm.sign_by_passkey if by == "manager" else firm.sign_by_recovery
    return firm.enter(record, lambda digest: [sign(digest), firm.sign_by_seal(digest)], text)


def revoke_passkey(firm: Firm, passkey: SoftwarePasskey) -> int:
    record = records.KeyRevoke(
        **firm.common(text="lost"), purpose="passkey", kid=key_id(passkey.point), reason="Handy verloren"
    )
    return firm.enter(record, lambda digest: [firm.sign_by_recovery(digest), firm.sign_by_seal(digest)], "lost")


def agree_with(
    world: World, passkey: SoftwarePasskey, at: int, name: str, not_before: str | None = None
) -> tuple[int, int]:
    record = make_agreement(world.requester, world.provider, id=to_hex(sha256(name.encode()).digest()))

    def signatures(digest: bytes) -> list[dict[str, Any]]:
        return [world.requester.sign_by_passkey(digest, passkey=passkey, at=at), *both(world, digest)[1:]]

    seq = world.requester.enter(record, signatures, CONTRACT_TEXT, not_before=not_before)
    evidence = world.requester.evidence[seq]
    assert evidence is not None
    return seq, world.provider.append(evidence, "Agreement", typed.digest("Agreement", record.message()))


def test_a_key_that_the_drafter_locked_later_counts_under_the_checkpoint_that_the_record_pins() -> None:
    world, second = make_world(noise=1), SoftwarePasskey()
    own, other = world.requester, world.provider
    registered = register_passkey(own, second)
    before, forged = own.note(), own.note().replace(own.origin, other.origin)
    revoked = revoke_passkey(own, second)
    notes = {before: (), own.note(): (8,), other.note(): (8, 9), forged: (8, 9)}
    entered = {note: agree_with(world, second, registered, str(len(note)), note) for note in notes}
    all_keys = (own.prove(0), own.prove(registered), own.prove(revoked), other.prove(0))
    for note, failed in notes.items():
        assert verify_bundle(replace_record(world, *entered[note], keys=all_keys)).failed == failed, note


@pytest.mark.parametrize(
    ("own_late", "other_late", "failed"), [(1, 0, ()), (90_000, 0, ()), (1, 1, (11,)), (0, 1, (11,))]
)
def test_the_log_of_who_accepts_says_whether_it_was_in_time(
    own_late: int, other_late: int, failed: tuple[int, ...]
) -> None:
    world = make_world(noise=0)
    record = make_agreement(world.requester, world.provider, id=to_hex(sha256(b"late").digest()))
    seq = world.requester.enter(
        record, lambda digest: both(world, digest), CONTRACT_TEXT, at=record.expires_at + own_late
    )
    evidence = world.requester.evidence[seq]
    assert evidence is not None
    digest = typed.digest("Agreement", record.message())
    other = world.provider.append(evidence, "Agreement", digest, at=record.expires_at + other_late)
    report = verify_bundle(replace_record(world, seq, other))
    assert report.failed == failed
    if own_late:
        alone = counterpart(world.provider.note())
        assert verify_bundle(replace_record(world, seq, other, counterpart=alone)).failed == (11,)


@pytest.mark.parametrize("by", ["manager", "recovery"])
def test_a_second_passkey_signs_once_registered_and_no_more_once_revoked(by: str) -> None:
    world, second = make_world(noise=1), SoftwarePasskey()
    registered = register_passkey(world.requester, second, by)
    before = agree_with(world, second, registered, "before")
    revoked = revoke_passkey(world.requester, second)
    after = agree_with(world, second, registered, "after")
    own, other = world.requester, world.provider
    all_keys = (own.prove(0), own.prove(registered), own.prove(revoked), other.prove(0))
    assert verify_bundle(replace_record(world, *before, keys=all_keys)).holds
    assert verify_bundle(replace_record(world, *after, keys=all_keys)).failed == (8,)
    without = (own.prove(0), other.prove(0))
    assert verify_bundle(replace_record(world, *before, keys=without)).failed == (8,)


def signed_by_new_key(**fields: int) -> Report:
    """The report on an agreement over 10,420 EUR that a manager signed with a key registered just before."""
    world, second = make_world(noise=0), SoftwarePasskey()
    own = world.requester
    registered = register_passkey(own, second, **fields)
    entered = agree_with(world, second, registered, "new key")
    return verify_bundle(
        replace_record(world, *entered, keys=(own.prove(0), own.prove(registered), world.provider.prove(0)))
    )


@pytest.mark.parametrize(("limit_cents", "failed"), [(0, ()), (1_042_000, ()), (1_041_999, (8,)), (1, (8,))])
def test_a_passkey_signs_no_sum_above_its_registered_limit(limit_cents: int, failed: tuple[int, ...]) -> None:
    report = signed_by_new_key(limit_cents=limit_cents)
    assert report.failed == failed
    assert ("Die Summe liegt über der Grenze des Schlüssels." in report.text()) is bool(failed)


@pytest.mark.parametrize(("valid_from", "failed"), [(NOW, ()), (NOW + 1, (8,)), (NOW + 90_000, (8,))])
def test_a_passkey_signs_nothing_before_it_is_valid(valid_from: int, failed: tuple[int, ...]) -> None:
    report = signed_by_new_key(valid_from=valid_from)
    assert report.failed == failed
    assert ("Der Schlüssel galt noch nicht." in report.text()) is bool(failed)


@pytest.mark.parametrize(("limits", "failed"), [((500_000, 0), ()), ((0, 500_000), (8,)), ((0, 2_000_000), ())])
def test_the_limit_of_the_newest_registration_counts_whichever_the_signature_names(
    limits: tuple[int, int], failed: tuple[int, ...]
) -> None:
    world, second = make_world(noise=0), SoftwarePasskey()
    own = world.requester
    first, again = (register_passkey(own, second, limit_cents=one) for one in limits)
    entered = agree_with(world, second, first, "changed limit")
    later = register_passkey(own, second, limit_cents=1)
    key_records = (own.prove(0), own.prove(first), own.prove(again), own.prove(later), world.provider.prove(0))
    assert verify_bundle(replace_record(world, *entered, keys=key_records)).failed == failed


def test_in_the_partners_log_a_key_may_be_as_young_as_two_clocks_differ() -> None:
    for valid_from, failed in ((NOW + 3_600, ()), (NOW + 90_000, (8,))):
        world, second = make_world(noise=0), SoftwarePasskey()
        other = world.provider
        registered = register_passkey(other, second, valid_from=valid_from)

        def signatures(digest: bytes, world: World = world, key: Any = second, at: int = registered) -> list[Any]:
            return [
                *both(world, digest)[:2],
                world.provider.sign_by_passkey(digest, passkey=key, at=at),
                both(world, digest)[3],
            ]

        record = make_agreement(world.requester, other, id=to_hex(sha256(b"young").digest()))
        seq = world.requester.enter(record, signatures, CONTRACT_TEXT)
        evidence = world.requester.evidence[seq]
        assert evidence is not None
        there = other.append(evidence, "Agreement", typed.digest("Agreement", record.message()))
        key_records = (world.requester.prove(0), other.prove(0), other.prove(registered))
        assert verify_bundle(replace_record(world, seq, there, keys=key_records)).failed == failed


def test_a_foremans_passkey_does_not_bind_the_firm() -> None:
    world, foreman = make_world(noise=0), SoftwarePasskey()
    registered = register_passkey(world.requester, foreman, role="foreman")
    entered = agree_with(world, foreman, registered, "foreman")
    key_records = (world.requester.prove(0), world.requester.prove(registered), world.provider.prove(0))
    assert verify_bundle(replace_record(world, *entered, keys=key_records)).failed == (8,)


def test_a_key_record_signed_by_nobody_who_may_spoils_the_file() -> None:
    world, thief = make_world(noise=0), SoftwarePasskey()
    honest, world.requester.manager = world.requester.manager, thief
    registered = register_passkey(world.requester, SoftwarePasskey())
    world.requester.manager = honest
    key_records = (world.requester.prove(0), world.requester.prove(registered), world.provider.prove(0))
    assert {3, 8} <= set(failed_steps(world.file(keys=key_records)))


def test_a_rotated_seal_replaces_the_old_one() -> None:
    world = make_world(noise=0)
    firm, old = world.requester, world.requester.seal
    new = keys.generate_seal_key()
    address, old_address = seal_address(new), seal_address(old)
    record = records.KeyRotate(
        **firm.common(text="rotate"),
        purpose="seal",
        old_kid=key_id(bytes.fromhex(old_address[2:])),
        kid=key_id(bytes.fromhex(address[2:])),
        public_key=address,
        role="",
        limit_cents=0,
        valid_from=NOW,
        rp_id="",
        origins=(),
    )
    rotated = firm.enter(record, lambda digest: [firm.sign_by_passkey(digest), firm.sign_by_seal(digest)], "rotate")
    with_old = agree_with(world, firm.manager, 0, "old seal")
    firm.seal = new
    with_new = agree_with(world, firm.manager, 0, "new seal")
    key_records = (firm.prove(0), firm.prove(rotated), world.provider.prove(0))
    assert verify_bundle(replace_record(world, *with_old, keys=key_records)).failed == (9,)
    assert verify_bundle(replace_record(world, *with_new, keys=key_records)).holds


def test_a_rotated_log_key_signs_from_its_record_on() -> None:
    world = make_world(noise=0)
    firm, new = world.requester, keys.generate_log_key(world.requester.origin)
    record = records.KeyRotate(
        **firm.common(text="rotate"),
        purpose="log",
        old_kid=key_id(firm.log_key.verifier.public_key),
        kid=key_id(new.verifier.public_key),
        public_key=to_hex(new.verifier.public_key),
        role="",
        limit_cents=0,
        valid_from=NOW,
        rp_id="",
        origins=(),
    )
    rotated = firm.enter(record, lambda digest: [firm.sign_by_passkey(digest), firm.sign_by_seal(digest)], "rotate")
    key_records = (firm.prove(0), firm.prove(rotated), world.provider.prove(0))
    assert 3 in failed_steps(world.file(keys=key_records))
    firm.log_key = new
    assert failed_steps(world.file(keys=key_records)) == ()


# Changes, erasure, practice


def test_a_change_resolves_to_the_agreement_it_replaces() -> None:
    world = make_world(noise=0)
    own, other = world.requester, world.provider
    digest = to_hex(typed.digest("Agreement", world.agreement.message()))
    change = records.Change(
        **own.common(to=other.address, text="Änderung", supersedes=digest),
        agreement=digest,
        basis="mutual",
        log_from=own.origin,
        log_to=other.origin,
        currency="EUR",
        total_cents=5,
        transport_cents=0,
        fee_cents=0,
        lines=world.agreement.lines,
    )
    seq, other_seq = enter_for_both(own, other, change, "Änderung")
    chain = (own.prove(world.seq),)
    assert verify_bundle(replace_record(world, seq, other_seq, chain=chain)).holds
    assert verify_bundle(replace_record(world, seq, other_seq)).failed == (11,)
    assert verify_bundle(replace_record(world, seq, other_seq, chain=chain * 2)).failed == (11,)
    assert verify_bundle(replace_record(world, seq, other_seq, chain=(own.prove(seq),))).failed == (11,)


@pytest.mark.parametrize(("basis", "holds"), [("§ 7", True), ("mutual", False)])
def test_a_cancellation_by_right_of_a_clause_needs_one_side_only(basis: str, holds: bool) -> None:
    world = make_world(noise=0)
    own = world.requester
    digest = to_hex(typed.digest("Agreement", world.agreement.message()))
    record = records.Cancellation(
        **own.common(to=world.provider.address, text="Storno", supersedes=digest),
        agreement=digest,
        basis=basis,
        line_numbers=(),
        currency="EUR",
        fee_cents=100,
        reason="Auftrag entfallen",
    )
    seq = own.enter(record, lambda one: [own.sign_by_passkey(one), own.sign_by_seal(one)], "Storno")
    file = world.file(record=own.prove(seq), chain=(own.prove(world.seq),))
    report = verify_bundle(build_file(replace(file, counterpart=counterpart(world.provider.note()))))
    assert report.failed == (() if holds else (10,))


def test_a_replaced_record_is_judged_by_where_the_other_log_holds_it() -> None:
    world = make_world(noise=0)
    own, other = world.requester, world.provider
    digest = to_hex(typed.digest("Agreement", world.agreement.message()))
    end = records.Cancellation(
        **own.common(to=other.address, text="Storno", supersedes=digest), agreement=digest, basis="§ 7",
        line_numbers=(), currency="EUR", fee_cents=0, reason="Auftrag entfallen",
    )  # fmt: skip
    seq = own.enter(end, lambda one: [own.sign_by_passkey(one), own.sign_by_seal(one)], "Storno")
    place = counterpart(other.note(), other.leaves[world.provider_seq], other.prove(world.provider_seq).proof)
    lock = records.KeyRevoke(**other.common(to=other.address), purpose="passkey", kid=to_hex(other.kid), reason="x")
    locked = other.enter(lock, lambda one: [other.sign_by_recovery(one), other.sign_by_seal(one)])
    file = EvidenceFile(
        record=own.prove(seq), checkpoint=own.note(), keys=(own.prove(0), other.prove(0), other.prove(locked)),
        chain=(own.prove(world.seq),), counterpart=counterpart(other.note()), places=(place,),
    )  # fmt: skip
    assert verify_bundle(build_file(file)).holds
    stranger = counterpart(other.note(), other.leaves[0], other.prove(0).proof)
    for places in ((), (place, place), (place, stranger), (stranger,), (replace(place, checkpoint=own.note()),)):
        assert verify_bundle(build_file(replace(file, places=places))).failed == (11,)


def test_erased_content_leaves_the_proof_of_existence() -> None:
    world = make_world(noise=0)
    own = world.requester
    digest = to_hex(typed.digest("Agreement", world.agreement.message()))
    record = records.Erasure(**own.common(text="Löschung"), erased=(digest,), legal_basis="Art. 17 DSGVO")
    seq = own.enter(record, lambda one: [own.sign_by_passkey(one), own.sign_by_seal(one)], "Löschung")
    gone = replace(own.prove(world.seq), evidence=None, evidence_bytes=None)
    report = verify_bundle(world.file_bytes(record=gone, erasure=own.prove(seq)))
    assert report.holds
    assert "gelöscht" in report.text("de")
    assert failed_steps(world.file(record=gone)) == (4,)
    assert failed_steps(world.file(record=gone, erasure=own.prove(world.seq))) == (4,)
    assert failed_steps(world.file(erasure=own.prove(seq))) == (4,)


def test_a_record_of_the_practice_world_binds_nobody() -> None:
    data = make_world("practice/").file_bytes()
    report = verify_bundle(data)
    assert (report.holds, report.is_binding, report.failed) == (False, False, (13,))
    assert PRACTICE_DE in report.text("de")
    allowed = verify_bundle(data, is_practice_allowed=True)
    assert (allowed.holds, allowed.is_binding) == (True, False)
    assert PRACTICE_DE in allowed.text("de")
