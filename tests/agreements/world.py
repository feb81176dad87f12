"""Two partners and a requester with ledgers, a request, offers with held hours and a chosen plan: ready to sign."""

import copy
import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.actions import approve_agreement, draft_agreements, signable_digest
from app.agreements.models import Agreement
from app.capacity.actions import hold_hours
from app.capacity.models import CapacityWindow, Hold
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.firms.access import Actor, Role
from app.firms.models import Firm, Membership, Person
from app.notary.actions import append_entry, open_ledger, passkey_approval, remember_partner_keys, seal
from app.notary.documents import Display, draft_ledger, new_message, origin_for
from app.notary.keys import use_node_key
from app.notary.queries import (
    address,
    digest,
    evidence_file,
    genesis_digest,
    key_document,
    origin,
    passkey_kid,
    seal_address,
)
from app.offers.models import Offer, OfferLine
from app.partners.documents import FrameworkFacts, Party, load_template, render_framework
from app.partners.models import Framework, Partnership
from app.partners.record import LINK, LINK_TYPE
from app.passkeys.actions import lock_passkey
from app.passkeys.models import Passkey
from app.plans.models import Plan, PlanLine
from app.requests.models import Invitation, RequestFile, WorkRequest
from app.worker import run_until_quiet
from ledger.encoding import to_b64url
from ledger.evidence import passkey_signature
from tests.ledger.asked import ask_ledger
from tests.passkeys.software import SoftwarePasskey
from tests.remembered import Rows, done_once, put_back, rows_of
from tests.world import TestFirm, make_world

NODE_KEY = bytes(range(32))
WEEKS = ("2026-W49", "2026-W50", "2026-W51", "2026-W53")


@dataclass
class Deal:
    """The firms by name with their managers' passkeys, the request, and the chosen plan."""

    firms: dict[str, TestFirm]
    passkeys: dict[str, SoftwarePasskey]
    request_id: str = ""
    plan_id: str = ""
    offers: dict[str, str] = field(default_factory=dict)

    def actor(self, key: str) -> Actor:
        return self.firms[key].actor(Role.MANAGER)


_MADE: dict[tuple[tuple[str, ...], int, bool, dt.datetime], tuple[Deal, Rows]] = {}


def make_deal(
    database: Database, partners: Sequence[str] = ("yilmaz",), hours: int = 40, all_or_none: bool = True
) -> Deal:
    """Keller has chosen a plan over these partners, `hours` in each; Nowak is a partner that offered and was not chosen."""
    use_node_key(NODE_KEY)
    moment = (tuple(partners), hours, all_or_none, clock.now())
    if moment not in _MADE:
        deal = _make_deal(database, partners, hours, all_or_none)
        with database.read() as session:
            _MADE[moment] = deal, rows_of(session)
        return _copy_of(deal)
    deal, rows = _MADE[moment]
    with database.write() as session:
        put_back(session, rows)
    return _copy_of(deal)


def _copy_of(deal: Deal) -> Deal:
    """A test may change it, down to a passkey that misbehaves."""
    passkeys = {key: replace(passkey, client=dict(passkey.client)) for key, passkey in deal.passkeys.items()}
    return replace(deal, firms=copy.deepcopy(deal.firms), passkeys=passkeys, offers=dict(deal.offers))


def _make_deal(database: Database, partners: Sequence[str], hours: int, all_or_none: bool) -> Deal:
    with database.write() as session:
        firms = make_world(session, ("keller", "yilmaz", "brandt", "nowak"))
        deal = Deal(firms, {key: SoftwarePasskey() for key in firms})
        for key in firms:
            _open_ledger(session, deal, key)
    with database.write() as session:
        for key in ("yilmaz", "brandt", "nowak"):
            _link(session, deal, key)
        _ask(session, deal, all_or_none)
        for key in (*partners, "nowak"):
            deal.offers[key] = _offer(session, deal, key, hours)
        _choose(session, deal, partners, hours)
    return deal


def drafted(database: Database, deal: Deal) -> list[str]:
    """One frozen agreement per partner; the partners have heard that they are chosen."""
    return done_once(database, f"draft {deal}", lambda: _drafted(database, deal))


def _drafted(database: Database, deal: Deal) -> list[str]:
    with database.write() as session:
        ids = draft_agreements(session, deal.actor("keller"), deal.plan_id)
    run_until_quiet(database)
    return ids


def sign(database: Database, deal: Deal, key: str, agreement_id: str, actor: Actor | None = None) -> Agreement:
    """The manager of that firm reads and signs, then everything that follows from it happens."""
    agreement = sign_only(database, deal, key, agreement_id, actor)
    run_until_quiet(database)
    return agreement


def sign_only(database: Database, deal: Deal, key: str, agreement_id: str, actor: Actor | None = None) -> Agreement:
    """The manager of that firm signs; nothing follows yet."""
    who = actor or deal.actor(key)
    with database.read() as session:
        digest, role = signable_digest(session, who, agreement_id)
        signature = approval(session, deal, key, digest, role, who)
    with database.write() as session:
        return approve_agreement(session, who, agreement_id, signature)


def approval(
    session: Session, deal: Deal, key: str, digest: bytes, role: str = "manager", who: Actor | None = None
) -> dict[str, Any]:
    """A manager's passkey signature over a digest."""
    passkey, seq = deal.passkeys[key], 0
    if who is not None and who.person_id in deal.passkeys:
        passkey = deal.passkeys[who.person_id]
        seq = _registered_at(session, deal.firms[key].id, passkey)
    return passkey_approval(session, deal.firms[key].id, role, passkey.cose, seq, passkey.assertion(to_b64url(digest)))


def signed_by_both(database: Database, deal: Deal, ids: Sequence[str]) -> None:
    """Every agreement is signed by the requester and then by its provider."""
    done_once(database, f"sign {ids} {deal}", lambda: _signed_by_both(database, deal, ids))


def _signed_by_both(database: Database, deal: Deal, ids: Sequence[str]) -> None:
    for agreement_id in ids:
        sign(database, deal, "keller", agreement_id)
        sign(database, deal, provider_of(database, deal, agreement_id), agreement_id)


def provider_of(database: Database, deal: Deal, agreement_id: str) -> str:
    partner_id = at(database, deal, "keller", agreement_id).partner_id
    return next(key for key, firm in deal.firms.items() if firm.id == partner_id)


def at(database: Database, deal: Deal, key: str, agreement_id: str) -> Agreement:
    """The agreement as it stands in one firm's house."""
    with database.read() as session:
        found = session.get_one(Agreement, (deal.firms[key].id, agreement_id))
        session.expunge(found)
    return found


def states(database: Database, deal: Deal, agreement_id: str, provider: str = "yilmaz") -> tuple[str, str]:
    return at(database, deal, "keller", agreement_id).state, at(database, deal, provider, agreement_id).state


def minutes_of(database: Database, deal: Deal, key: str) -> tuple[int, int]:
    """(held, agreed) minutes of a firm, the counters compared with the rows they count."""
    firm_id = deal.firms[key].id
    with database.read() as session:
        held, agreed = session.execute(
            sa.select(sa.func.sum(CapacityWindow.held_min), sa.func.sum(CapacityWindow.agreed_min)).where(
                CapacityWindow.firm_id == firm_id
            )
        ).one()
        for state, counted in (("held", held), ("agreed", agreed)):
            rows = session.scalar(
                sa.select(sa.func.coalesce(sa.func.sum(Hold.minutes), 0)).where(
                    Hold.firm_id == firm_id, Hold.state == state
                )
            )
            assert rows == counted, (state, rows, counted)
    return int(held), int(agreed)


def second_manager(database: Database, deal: Deal, key: str, limit_cents: int | None = None) -> Actor:
    """Another manager of the firm with a passkey of her own."""
    from ledger.signatures import passkey_point

    firm, person_id, passkey = deal.firms[key], new_id(), SoftwarePasskey()
    deal.passkeys[person_id] = passkey
    with database.write() as session:
        session.add(
            Person(
                firm_id=firm.id,
                id=person_id,
                created_at=clock.now(),
                name="Petra Zweite",
                spending_limit_cents=limit_cents,
            )
        )
        session.flush()
        session.add(
            Membership(firm_id=firm.id, id=new_id(), created_at=clock.now(), person_id=person_id, role=Role.MANAGER)
        )
        text, own = "Neuer Schlüssel.", address(session, firm.id)
        point = passkey_point(passkey.cose)
        message = new_message(
            "key.register", own, own, text, purpose="passkey", kid="0x" + passkey_kid(passkey.cose).hex(),
            public_key="0x" + point.hex(), role="manager", limit_cents=0, valid_from=int(clock.now().timestamp()),
            rp_id=passkey.rp_id, origins=(passkey.origin,),
        )  # fmt: skip
        value = digest("KeyRegister", message)
        signatures = [approval(session, deal, key, value), seal(session, firm.id, value)]
        append_entry(
            session, firm.id, "key.register", "KeyRegister", message, Display("key.register/1", "de", text), signatures
        )
    actor = firm.actor(Role.MANAGER)
    return Actor(actor.firm_id, person_id, actor.roles, actor.role, "Petra", "s2", firm_name=firm.name)


def lock_key(database: Database, deal: Deal, key: str, person_id: str) -> None:
    """The firm's manager locks another one's passkey by a record in the firm's log."""
    firm_id, kid = deal.firms[key].id, "0x" + passkey_kid(deal.passkeys[person_id].cose).hex()
    with database.write() as session:
        text, own = "Schlüssel gesperrt.", address(session, firm_id)
        message = new_message("key.revoke", own, own, text, purpose="passkey", kid=kid, reason="revoked")
        value = digest("KeyRevoke", message)
        signatures = [approval(session, deal, key, value), seal(session, firm_id, value)]
        append_entry(
            session, firm_id, "key.revoke", "KeyRevoke", message, Display("key.revoke/1", "de", text), signatures
        )


def lock_phone(database: Database, deal: Deal, key: str, person_id: str = "") -> None:
    """A manager's phone is lost: its key signs nothing any more from this moment on; no record says so yet."""
    actor = deal.actor(key)
    with database.write() as session:
        passkey = Passkey(
            firm_id=actor.firm_id, id=new_id(), created_at=clock.now(), person_id=person_id or actor.person_id,
            credential_id=new_id(), public_key=deal.passkeys[person_id or key].cose, user_handle="h", name="Handy",
        )  # fmt: skip
        session.add(passkey)
        session.flush()
        lock_passkey(session, passkey)


def evidence_of(database: Database, deal: Deal, key: str, agreement_id: str) -> bytes:
    """The evidence file of one side, with the other log's proof."""
    with database.read() as session:
        agreement = session.get_one(Agreement, (deal.firms[key].id, agreement_id))
        assert agreement.entry_seq is not None
        return evidence_file(session, deal.firms[key].id, agreement.entry_seq, agreement.counterpart)


def verified(body: bytes, folder: Path) -> int:
    """The exit code of `python -m ledger verify`."""
    path = folder / "beweis.json"
    path.write_bytes(body)
    return ask_ledger("verify", path).returncode


def evidence_inside(body: bytes) -> str:
    """The evidence of the record itself, as canonical text."""
    return json.dumps(json.loads(body)["evidence"], sort_keys=True, ensure_ascii=False)


def _open_ledger(session: Session, deal: Deal, key: str) -> None:
    passkey, address = deal.passkeys[key], f"{key}@test"
    origin = origin_for(key, "test", is_practice=False)
    draft = draft_ledger(NODE_KEY, address, origin, f"{key} beginnt.", passkey.cose, passkey.rp_id, (passkey.origin,))
    parts = passkey.assertion(to_b64url(draft.digest))
    kid = passkey_kid(passkey.cose)
    open_ledger(session, deal.firms[key].id, draft, passkey_signature("manager", address, kid, (origin, 0), parts))


def _link(session: Session, deal: Deal, key: str) -> None:
    keller, other = deal.firms["keller"], deal.firms[key]
    parties = [_party(session, firm) for firm in (keller, other)]
    facts = FrameworkFacts(
        "lohnfertigung", 1, parties[0], parties[1], "2026-10-01", load_template("lohnfertigung").clauses
    )
    text, framework_id = render_framework(facts), new_id()
    pairs = ((keller, other), (other, keller))
    for us, them in pairs:
        remember_partner_keys(session, us.id, them.id, key_document(session, them.id))
    message = _framework_message(session, keller, other, text)
    digest_bytes = digest(LINK_TYPE, message)
    names = {"keller": keller, key: other}
    signatures = [
        sign
        for name, firm in names.items()
        for sign in (approval(session, deal, name, digest_bytes), seal(session, firm.id, digest_bytes))
    ]
    for us, them in pairs:
        append_entry(session, us.id, LINK, LINK_TYPE, message, Display("lohnfertigung/1", "de", text), signatures)
        partnership = session.scalars(
            sa.select(Partnership).where(Partnership.firm_id == us.id, Partnership.partner_id == them.id)
        ).one()
        session.add(
            Framework(
                firm_id=us.id, id=framework_id, created_at=clock.now(), partner_id=them.id, template_key="lohnfertigung",
                template_version=1, clauses=[], text=text, text_sha256=hashlib.sha256(text.encode()).hexdigest(),
                record={"facts": asdict(facts)}, digest=f"0x{digest_bytes.hex()}", frozen_at=clock.now(),
            )
        )  # fmt: skip
        partnership.framework_id = framework_id


def _framework_message(session: Session, one: TestFirm, other: TestFirm, text: str) -> dict[str, Any]:
    firms, text_hash = (one, other), "0x" + hashlib.sha256(text.encode()).hexdigest()
    genesis = [genesis_digest(session, firm.id) for firm in firms]
    logs, seals = ([ask(session, firm.id) for firm in firms] for ask in (origin, seal_address))
    return new_message(
        LINK, *[address(session, firm.id) for firm in firms], text, log_from=logs[0], log_to=logs[1],
        genesis_from=genesis[0], genesis_to=genesis[1], seal_from=seals[0], seal_to=seals[1], scope=("hours",),
        template="lohnfertigung/1", terms_hash=text_hash, fingerprint=" ".join(genesis),
    )  # fmt: skip


def _party(session: Session, firm: TestFirm) -> Party:
    row = session.get_one(Firm, firm.id)
    return Party(
        row.name, row.legal_form, row.register_court, row.register_no, row.vat_id, row.street, row.postcode, row.town
    )


def _ask(session: Session, deal: Deal, all_or_none: bool) -> None:
    deal.request_id = new_id()
    common = {
        "kind": "hours", "title": "Gehäuse links", "process_key": "milling_5x", "need_min": 30_000,
        "first_week": "2026-W49", "last_week": "2027-W04", "delivery_week": "2027-W05", "material": "1.7225",
        "needed_it": 7, "needed_ra_nm": 1600, "certificates": ["iso_9001"], "needs": {}, "part_count": 48,
        "shortage_reason": "capacity", "reply_by": clock.now() + dt.timedelta(days=2), "contact_name": "Petra",
        "contact_phone": "03677 1234", "created_at": clock.now(), "published_at": clock.now(),
    }  # fmt: skip
    keller = deal.firms["keller"]
    session.add(
        WorkRequest(
            firm_id=keller.id, id=deal.request_id, side="ours", state="planned", customer="Geheimkunde AG",
            all_or_none=all_or_none, **common,
        )
    )  # fmt: skip
    for key in ("yilmaz", "brandt", "nowak"):
        session.add(
            WorkRequest(
                firm_id=deal.firms[key].id,
                id=deal.request_id,
                side="theirs",
                partner_id=keller.id,
                state="open",
                **common,
            )
        )
        session.flush()
        session.add(
            Invitation(
                firm_id=keller.id, id=new_id(), created_at=clock.now(), request_id=deal.request_id,
                partner_id=deal.firms[key].id,
            )
        )  # fmt: skip
    for key in ("keller", "yilmaz", "brandt", "nowak"):
        session.add(
            RequestFile(
                firm_id=deal.firms[key].id, id=new_id(), created_at=clock.now(), request_id=deal.request_id,
                file_id=new_id(), name="gehaeuse.pdf", index="C", sha256="ab" * 32, media_type="application/pdf", size=1234,
            )
        )  # fmt: skip
    session.flush()


def _offer(session: Session, deal: Deal, key: str, hours: int) -> str:
    """The partner offers `hours` in some weeks and ten more in a week that no plan takes."""
    firm, keller, offer_id = deal.firms[key], deal.firms["keller"], new_id()
    valid_until = clock.now() + dt.timedelta(days=6)
    common = {
        "request_id": deal.request_id, "answer": "part", "state": "submitted", "valid_until": valid_until,
        "transport_cents": 12_000, "created_at": clock.now(), "id": offer_id,
    }  # fmt: skip
    session.add(Offer(firm_id=firm.id, side="ours", partner_id=keller.id, **common))
    session.add(Offer(firm_id=keller.id, side="theirs", partner_id=firm.id, **common))
    session.flush()
    share = hours * 60 // len(WEEKS)
    for week, minutes in [*((week, share) for week in WEEKS), ("2027-W01", 360)]:
        line_id = new_id()
        for owner in (firm, keller):
            session.add(
                OfferLine(
                    firm_id=owner.id, id=line_id, created_at=clock.now(), offer_id=offer_id, machine_id=firm.machine_id,
                    machine_name="F5-650", machine_type_key="mill_5axis", week=week, offered_min=minutes,
                    rate_cents_per_hour=9500, set_up_min=120, min_block_min=480,
                    set_up_rate_cents_per_hour=7000, night_surcharge_permille=250,
                )
            )  # fmt: skip
        session.flush()
        hold_hours(session, firm.id, offer_id, line_id, firm.machine_id, week, minutes, valid_until)
    return offer_id


def _choose(session: Session, deal: Deal, partners: Sequence[str], hours: int) -> None:
    keller, deal.plan_id = deal.firms["keller"], new_id()
    session.add(
        Plan(
            firm_id=keller.id, id=deal.plan_id, created_at=clock.now(), request_id=deal.request_id, goals=["cheapest"],
            need_min=30_000, covered_min=hours * 60 * len(partners), cost_cents=1, partner_count=len(partners),
            last_week="2026-W53", largest_share_permille=1, solver_status="proven", offers_key="0" * 64,
            chosen_at=clock.now(), chosen_by=keller.people[Role.MANAGER],
        )
    )  # fmt: skip
    session.flush()
    for key in partners:
        lines = session.scalars(
            sa.select(OfferLine).where(
                OfferLine.firm_id == keller.id, OfferLine.offer_id == deal.offers[key], OfferLine.week.in_(WEEKS)
            )
        ).all()
        for line in lines:
            session.add(
                PlanLine(
                    firm_id=keller.id, id=new_id(), created_at=clock.now(), plan_id=deal.plan_id, offer_line_id=line.id,
                    partner_id=deal.firms[key].id, minutes=line.offered_min,
                )
            )  # fmt: skip
    session.flush()


def _registered_at(session: Session, firm_id: str, passkey: SoftwarePasskey) -> int:
    from app.notary.rings import own_keys

    kid = "0x" + passkey_kid(passkey.cose).hex()
    return next(key.seq for key in own_keys(session, firm_id).keys if key.kid == kid)
