"""Two finished jobs between two pairs of firms that know each other only in part: ids of every kind, made by real actions."""

import datetime as dt
import io
from dataclasses import dataclass, field, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage

from app.agreements.actions import draft_agreements, propose_change
from app.agreements.models import Agreement, AgreementLine
from app.agreements.queries import locked_agreement
from app.api.feeds import feed_of, renew_feed
from app.api.feeds import secret_of as feed_secret
from app.api.hooks import set_hook
from app.api.rules import SCOPES
from app.api.tokens import make_token
from app.api.tokens import secret_of as token_secret
from app.bookings.actions import BookedAgreement, BookedLine, book_lines
from app.bookings.models import Booking
from app.bookings.queries import bookings_of
from app.capacity.actions import offer_hours
from app.config import load_config
from app.core import clock
from app.core.db import Database
from app.core.holidays import holidays_near
from app.core.ids import new_id
from app.core.units import monday, week_of
from app.directory.introducing import introduce_partners
from app.directory.listing import set_listed, set_public
from app.directory.models import Approach, IntroductionOffer
from app.federation.models import StoredFile
from app.firms.access import Actor, Role
from app.firms.actions import add_closure
from app.firms.models import Closure, Membership, Person, RuleChange
from app.hours.actions import EntryDraft, report_hours
from app.hours.models import HourEntry, HourReport
from app.hours.rules import machine_code
from app.invoices.actions import change_setup, issue_invoices, order_invoice
from app.invoices.drafting import refresh_draft
from app.invoices.models import Netting, Payment
from app.machines.models import Capability, Certificate
from app.machines.runs import keep_upload
from app.moving.documents import EXPORT
from app.notary.keys import use_node_key
from app.offers.actions import answer_yes
from app.offers.models import Offer, OfferLine
from app.partners.actions import invite_partner
from app.partners.models import BlockedFirm
from app.partners.queries import partnership_with
from app.passkeys.actions import invite_person
from app.passkeys.models import Approval, JoinInvitation, Passkey
from app.passkeys.sessions import start_sign_in
from app.plans.actions import choose_plan, solve_plans
from app.plans.models import Plan
from app.push.models import PushDevice
from app.requests.actions import (
    Details,
    Upload,
    ask_question,
    attach_file,
    publish_request,
    save_details,
    start_draft,
)
from app.requests.models import RequestFile
from app.requests.rules import RequestKind, ShortageReason, default_reply_by
from app.trouble.actions import (
    DisruptionDraft,
    ProvisionDraft,
    announce_provision,
    answer_defect,
    report_defect,
    report_disruption,
)
from app.trouble.models import WorkRecord
from app.worker import run_until_quiet
from tests.agreements.world import NODE_KEY, Deal, _link, _open_ledger, sign
from tests.passkeys.software import SoftwarePasskey
from tests.requests.story import NEED
from tests.world import FIRST_WEEK, TestFirm, join_firms, make_world

ROLES = (Role.WORKER, Role.FOREMAN, Role.MANAGER, Role.ACCOUNTANT, Role.STEWARD)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)


@dataclass
class FirmIds:
    """One firm with its people and the ids of everything that stands in its house."""

    firm: TestFirm
    ids: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    """Sign-in secrets by role; 'device' is a worker without a passkey."""

    def actor(self, role: Role = Role.MANAGER) -> Actor:
        return self.firm.actor(role)


@dataclass
class Scene:
    """Keller works with Yilmaz, Nowak with Brandt. Keller knows all of them, but not the other job; Lindner is noise."""

    houses: dict[str, FirmIds]
    deals: dict[str, Deal]


def make_scene(database: Database) -> Scene:
    use_node_key(NODE_KEY)
    with database.write() as session:
        firms = make_world(session, ("keller", "yilmaz", "brandt", "nowak", "lindner"))
        join_firms(session, firms["nowak"], firms["brandt"])
        for firm in firms.values():
            _add_people(session, firm)
    houses = {key: FirmIds(firm) for key, firm in firms.items()}
    deals = _open(database, firms)
    for asker, provider in (("keller", "yilmaz"), ("nowak", "brandt")):
        _do_job(database, deals[asker], houses[asker], houses[provider])
    with database.write() as session:
        for house in houses.values():
            _furnish(session, house)
            _sign_in(session, house)
        _introduce(session, houses["keller"], houses["yilmaz"], houses["brandt"])
        _introduce(session, houses["nowak"], houses["brandt"], houses["keller"])
        for switch in (set_listed, set_public):
            switch(session, houses["lindner"].actor(), True)
    run_until_quiet(database)
    with database.read() as session:
        for house in houses.values():
            offer = sa.select(IntroductionOffer.id).where(IntroductionOffer.firm_id == house.firm.id)
            house.ids["introduced"] = session.scalars(offer).first() or ""
    return Scene(houses, deals)


def _add_people(session: Session, firm: TestFirm) -> None:
    for role in (Role.ACCOUNTANT, Role.STEWARD):
        person_id = firm.people[role] = new_id()
        session.add(Person(firm_id=firm.id, id=person_id, created_at=clock.now(), name=f"{firm.key} {role}"))
        session.flush()
        session.add(Membership(firm_id=firm.id, id=new_id(), created_at=clock.now(), person_id=person_id, role=role))


def _open(database: Database, firms: dict[str, TestFirm]) -> dict[str, Deal]:
    """Ledgers for all, a framework agreement for every pair; inside a deal the asker goes by the name of Keller."""
    passkeys = {key: SoftwarePasskey() for key in firms}
    with database.write() as session:
        for key in firms:
            _open_ledger(session, Deal(firms, passkeys), key)
    pairs = [
        ("keller", "yilmaz"),
        ("keller", "brandt"),
        ("keller", "nowak"),
        ("keller", "lindner"),
        ("nowak", "brandt"),
    ]
    deals = [
        Deal({"keller": firms[one], "yilmaz": firms[other]}, {"keller": passkeys[one], "yilmaz": passkeys[other]})
        for one, other in pairs
    ]
    with database.write() as session:
        for deal in deals:
            _link(session, deal, "yilmaz")
    return {"keller": deals[0], "nowak": deals[-1]}


def _do_job(database: Database, deal: Deal, asker: FirmIds, provider: FirmIds) -> None:
    """From the draft with a drawing to a sealed agreement, its bookings and a change that waits."""
    asker.ids["draft"] = _draft(database, asker, provider, "Entwurf")
    asker.ids["sent"] = _ask(database, asker, provider)
    asker.ids["request"] = provider.ids["received"] = _ask(database, asker, provider)
    provider.ids["waiting"] = asker.ids["sent"]
    with database.write() as session:
        ask_question(session, provider.actor(Role.FOREMAN), provider.ids["received"], "Welches Material?")
        answer_yes(session, provider.firm.id, provider.firm.people[Role.FOREMAN], provider.ids["received"])
    run_until_quiet(database)
    solve_plans(database, asker.firm.id, asker.ids["request"])
    with database.write() as session:
        asker.ids["plan"] = _only(session, Plan, asker.firm.id)
        choose_plan(session, asker.actor(), asker.ids["plan"], True)
    with database.write() as session:
        ids = draft_agreements(session, asker.actor(), asker.ids["plan"])
    run_until_quiet(database)
    for house in (asker, provider):
        house.ids["agreement"] = ids[0]
    sign(database, deal, "keller", ids[0])
    sign(database, deal, "yilmaz", ids[0])
    with database.write() as session:
        asker.ids["amendment"] = propose_change(session, asker.actor(), ids[0], {1: 60}, "Weniger Teile").id
    _note_ids(database, asker, provider)
    _work(database, asker, provider)
    _invoice(database, asker, provider)
    _find_fault(database, asker, provider)


def _work(database: Database, asker: FirmIds, provider: FirmIds) -> None:
    """Each works for the other in this very week, and its worker reported on it."""
    for no, (worker, other) in enumerate(((provider, asker), (asker, provider)), 9):
        with database.write() as session:
            for house, partner, side in ((worker, other, "ours"), (other, worker, "theirs")):
                (one, *_) = bookings_of(session, house.firm.id, house.ids["agreement"])
                agreement = BookedAgreement(
                    house.firm.id, one.agreement_id, one.request_id, partner.firm.id, side, one.title
                )
                line = BookedLine(no, worker.firm.machine_id, one.machine_name, week_of(clock.today()), 600, 9500)
                book_lines(session, agreement, [line])
                session.add(
                    AgreementLine(
                        firm_id=house.firm.id, id=new_id(), created_at=clock.now(), agreement_id=one.agreement_id,
                        line_no=no, offer_line_id=new_id(), machine_id=line.machine_id, machine_name=line.machine_name,
                        week=line.week, minutes=600, rate_cents_per_hour=9500, amount_cents=95_000,
                    )
                )  # fmt: skip
            (*_, worker.ids["work"]) = (row.id for row in bookings_of(session, worker.firm.id, one.agreement_id))
            draft = EntryDraft(clock.today(), 450)
            entry = report_hours(session, worker.actor(Role.WORKER), worker.ids["work"], draft, "key of the scene")
            worker.ids |= {"hour_entry": entry.id, "hour_report": entry.report_id}
    with database.write() as session:
        draft = DisruptionDraft("illness", "Schicht fällt aus", minutes={provider.ids["work"]: 150})
        (found,) = report_disruption(session, provider.actor(Role.WORKER), provider.ids["work"], draft)
    run_until_quiet(database)
    for house in (asker, provider):
        house.ids["disruption"] = found.id


def _invoice(database: Database, asker: FirmIds, provider: FirmIds) -> None:
    """The provider has sent one invoice, writes the next one, and got money whose reason nobody knows."""
    config = load_config({"DATA_DIR": "/nowhere"})
    for _ in range(2):
        with database.write() as session:
            for house in (asker, provider):
                _confirm(session, house, house.ids["booking"])
            actor = provider.actor(Role.ACCOUNTANT)
            change_setup(session, actor, "160/123/45678", "DE89370400440532013000", False, "R-")
            draft = refresh_draft(session, locked_agreement(session, actor.firm_id, provider.ids["agreement"]))
            assert draft is not None
            provider.ids["draft_invoice"] = draft.id
            if "invoice" not in provider.ids:
                order_invoice(session, actor, draft.id)
        if "invoice" not in provider.ids:
            issue_invoices(database, config)
            run_until_quiet(database)
            asker.ids["invoice"] = provider.ids["invoice"] = draft.id
    with database.write() as session:
        payment = Payment(
            firm_id=provider.firm.id, id=new_id(), created_at=clock.now(), amount_cents=1234, reference="Unbekannt",
            booked_on=clock.today(), payer=f"Zahler {provider.firm.key}", entry_key=new_id(),
        )  # fmt: skip
        session.add(payment)
        provider.ids["payment"] = payment.id
        asker.ids["netting"] = provider.ids["netting"] = new_id()
        for house, other in ((asker, provider), (provider, asker)):
            session.add(
                Netting(
                    firm_id=house.firm.id, id=house.ids["netting"], created_at=clock.now(), partner_id=other.firm.id,
                    month="2026-11", by_us=house is provider, state="asked", our_cents=100, their_cents=100, invoices=[],
                )
            )  # fmt: skip


def _find_fault(database: Database, asker: FirmIds, provider: FirmIds) -> None:
    """Parts are wrong, and material is on its way."""
    with database.write() as session:
        fault = report_defect(session, asker.actor(), asker.ids["booking"], f"Bohrung zu groß {asker.firm.key}", [])
        draft = ProvisionDraft("material", f"Rundstahl {asker.firm.key}", 12)
        brought = announce_provision(session, asker.actor(), asker.ids["booking"], draft)
    run_until_quiet(database)
    with database.write() as session:
        answer_defect(session, provider.actor(), fault.id, "disputed", f"Nach Zeichnung {provider.firm.key}")
    run_until_quiet(database)
    for house in (asker, provider):
        house.ids |= {"defect": fault.id, "provision": brought.id}
    with database.read() as session:
        asker.ids["work_record"] = provider.ids["work_record"] = _only(session, WorkRecord, asker.firm.id)


def _confirm(session: Session, house: FirmIds, booking_id: str) -> None:
    """Both sides stand by an hour, as the room of the hours leaves it."""
    booking, now = session.get_one(Booking, (house.firm.id, booking_id)), clock.now()
    report = HourReport(
        firm_id=house.firm.id, id=new_id(), created_at=now, side=booking.side, booking_id=booking.id, week=booking.week,
        agreement_id=booking.agreement_id, partner_id=booking.partner_id, state="confirmed", settled_at=now,
        checked_at=now,
    )  # fmt: skip
    session.add(report)
    session.flush()
    session.add(
        HourEntry(
            firm_id=house.firm.id, id=new_id(), created_at=now, report_id=report.id, day=monday(booking.week), minutes=60,
            kind="run",
        )
    )  # fmt: skip
    session.flush()


def _draft(database: Database, asker: FirmIds, provider: FirmIds, title: str) -> str:
    need = replace(NEED, need_min=100 * 60)
    details = Details(
        shortage_reason=ShortageReason.CAPACITY,
        reply_by=default_reply_by(clock.now(), holidays_near(clock.today())),
        partner_ids=(provider.firm.id,),
        title=f"{title} {asker.firm.key}",
        customer=f"Kunde {asker.firm.key}",
        contact_name="Petra",
        contact_phone="03677 123",
    )
    with database.write() as session:
        request_id = start_draft(session, asker.actor(), RequestKind.HOURS, need)
        save_details(session, asker.actor(), request_id, need, details)
        attach_file(session, asker.actor(), request_id, Upload(f"{title}-{asker.firm.key}.png", PNG))
    return request_id


def _ask(database: Database, asker: FirmIds, provider: FirmIds) -> str:
    request_id = _draft(database, asker, provider, "Gehäuse")
    with database.write() as session:
        for stored in session.scalars(sa.select(StoredFile).where(StoredFile.firm_id == asker.firm.id)):
            stored.is_clean = True  # what the worker's photo cleaning does
        publish_request(session, asker.actor(), request_id)
    run_until_quiet(database)
    return request_id


def _note_ids(database: Database, asker: FirmIds, provider: FirmIds) -> None:
    with database.read() as session:
        for house in (asker, provider):
            firm_id = house.firm.id
            assert session.get_one(Agreement, (firm_id, house.ids["agreement"])).state == "in_force"
            house.ids["booking"] = _only(session, Booking, firm_id)
            house.ids["offer"] = _only(session, Offer, firm_id)
            house.ids["offer_line"] = _only(session, OfferLine, firm_id)
            house.ids["file"] = _only(session, StoredFile, firm_id)
            house.ids["request_file"] = _only(session, RequestFile, firm_id)
        asker.ids["draft_file"] = _draft_file(session, asker)


def _furnish(session: Session, house: FirmIds) -> None:
    """What every house has: machine, site, closure, certificate, import, invitations, devices, a blocked firm."""
    firm, manager, now = house.firm, house.actor(), clock.now()
    ids = house.ids
    ids |= {"machine": firm.machine_id, "site": firm.site_id, "person": firm.people[Role.WORKER], "firm": firm.id}
    ids["machine_code"] = machine_code(firm.machine_id)
    add_closure(session, manager, firm.site_id, dt.date(2026, 12, 24), dt.date(2026, 12, 31), f"Ruhe {firm.key}")
    ids["closure"] = _only(session, Closure, firm.id)
    ids["hours_change"] = offer_hours(session, manager, firm.machine_id, FIRST_WEEK, 40 * 60).id
    certificate = Certificate(
        firm_id=firm.id, id=new_id(), created_at=now, type_key="iso_9001", number=f"Z {firm.key}", issuer="TÜV",
        process_keys=[], valid_from=dt.date(2026, 1, 1), valid_to=dt.date(2028, 1, 1),
    )  # fmt: skip
    session.add(certificate)
    ids["certificate"] = certificate.id
    table = FileStorage(io.BytesIO("Nummer;Name\nM9;Fräse\n".encode()), f"maschinen-{firm.key}.csv")
    ids["machine_run"] = keep_upload(session, manager, "machines", table)
    table = FileStorage(io.BytesIO(b"Maschine;KW;Stunden\nM1;50/2026;10\n"), f"stunden-{firm.key}.csv")
    ids["hours_run"] = keep_upload(session, manager, "hours", table)
    ids["join_token"] = invite_person(session, manager, f"Neu bei {firm.key}", [Role.WORKER])
    ids["join_invitation"] = _only(session, JoinInvitation, firm.id)
    ids["partner_invitation"] = invite_partner(session, manager)
    ids["process"] = session.scalar(sa.select(Capability.process_key).where(Capability.firm_id == firm.id)) or ""
    _add_devices(session, house)
    ids["export"] = new_id()
    session.add(
        Approval(
            firm_id=firm.id, id=new_id(), created_at=now + dt.timedelta(days=1), document_kind=EXPORT,
            document_id=ids["export"], person_id=manager.person_id, passkey_id="", digest="0x" + "33" * 32, signature={},
        )
    )  # fmt: skip
    ids["rule_change"] = new_id()
    session.add(RuleChange(firm_id=firm.id, id=ids["rule_change"], created_at=now, asked_by=firm.people[Role.FOREMAN]))
    _add_approach(session, house)
    _let_programs_in(session, house)
    if firm.key == "keller":
        return
    session.add(
        BlockedFirm(firm_id=firm.id, id=new_id(), created_at=now, address=f"x@{firm.key}", name=f"Gesperrt {firm.key}")
    )
    session.flush()
    ids["blocked"] = _only(session, BlockedFirm, firm.id)


def _introduce(session: Session, middle: FirmIds, one: FirmIds, other: FirmIds) -> None:
    """Both let the one in the middle propose firms; it proposes them to each other."""
    for house in (one, other):
        for owner, partner, side in ((middle, house, "partner_scope"), (house, middle, "scope")):
            row = partnership_with(session, owner.firm.id, partner.firm.id)
            setattr(row, side, [*getattr(row, side), "introductions"])
    introduce_partners(session, middle.actor(), one.firm.id, other.firm.id)


def _add_approach(session: Session, house: FirmIds) -> None:
    """A firm of the directory asks."""
    firm, now = house.firm, clock.now()
    approach = Approach(
        firm_id=firm.id, id=new_id(), created_at=now, direction="in", peer_id=new_id(), address=f"y@{firm.key}",
        name=f"Neugier {firm.key}", town="Gotha", state="waiting",
    )  # fmt: skip
    session.add(approach)
    house.ids["approach"] = approach.id


def _let_programs_in(session: Session, house: FirmIds) -> None:
    """An access that may all, an address for news, and the manager's calendar."""
    manager = house.actor()
    token = make_token(session, manager, f"ERP {house.firm.key}", list(SCOPES))
    token.created_at += dt.timedelta(days=1)  # its secret may still be copied
    set_hook(session, manager, f"https://{house.firm.key}.example/neu")
    renew_feed(session, manager)
    renew_feed(session, manager, house.firm.machine_id)
    feed = feed_of(session, manager)
    assert feed is not None
    house.ids |= {
        "api_token": token.id, "api_secret": token_secret(session, token), "calendar_secret": feed_secret(session, feed),
    }  # fmt: skip


def _add_devices(session: Session, house: FirmIds) -> None:
    firm, now = house.firm, clock.now()
    passkey = Passkey(
        firm_id=firm.id, id=new_id(), created_at=now, person_id=firm.people[Role.MANAGER], credential_id=new_id(),
        public_key=SoftwarePasskey().cose, user_handle=new_id(), name=f"Handy {firm.key}",
    )  # fmt: skip
    device = PushDevice(
        firm_id=firm.id, id=new_id(), created_at=now, person_id=firm.people[Role.MANAGER], name=f"Telefon {firm.key}",
        endpoint=f"https://push.example/{firm.key}", p256dh="x", auth="y", sign_in_id=new_id(),
    )  # fmt: skip
    session.add_all((passkey, device))
    session.flush()
    house.ids |= {"passkey": passkey.id, "push_device": device.id}


def _sign_in(session: Session, house: FirmIds) -> None:
    for role in ROLES:
        made = start_sign_in(session, house.firm.id, house.firm.people[role], f"Gerät {role}", has_passkey=True)
        house.cookies[role] = made.secret
        house.ids[f"sign_in_{role}"] = made.public_id
    made = start_sign_in(session, house.firm.id, house.firm.people[Role.WORKER], "ohne Schloss", has_passkey=False)
    house.cookies["device"] = made.secret


def _draft_file(session: Session, house: FirmIds) -> str:
    query = sa.select(RequestFile.id).where(RequestFile.firm_id == house.firm.id)
    return session.scalars(query.where(RequestFile.request_id == house.ids["draft"])).one()


def _only(session: Session, table: type, firm_id: str) -> str:
    """The firm's first row of a table."""
    found: str = session.scalars(sa.select(table.id).where(table.firm_id == firm_id).order_by(table.id).limit(1)).one()  # type: ignore[attr-defined]
    return found
