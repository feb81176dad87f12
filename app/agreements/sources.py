"""What a call-off is made of, read from the acting firm's own rows: request, offer lines, framework, parties."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.call_off import ChosenLine, Job, Terms
from app.agreements.documents import Drawing, MachineTerms
from app.core.errors import RuleBroken
from app.core.units import BERLIN
from app.firms.models import Firm
from app.firms.queries import firm_of
from app.offers.models import OfferLine
from app.offers.queries import set_up_rate_of
from app.packs.queries import load_pack
from app.packs.rules import Pack
from app.partners.documents import FrameworkFacts, Party, facts_from
from app.partners.models import Framework, Partnership
from app.partners.queries import find_partnership
from app.partners.texts import one_line
from app.plans.models import PlanLine
from app.requests.models import WorkRequest
from app.requests.queries import files_of, process_label
from app.requests.rules import ShortageReason


def job_of(session: Session, request: WorkRequest) -> Job:
    """The request in the words of the text; both sides hold the same rows, so both get the same words."""
    pack = load_pack(request.pack)
    process = process_label(request.process_key, request.pack)
    return Job(
        part=one_line(request.title) or process or "Teile nach Anfrage",
        quantity=request.part_count or 0,
        drawings=tuple(
            Drawing(f.name, f.index, f.sha256) for f in _in_order(files_of(session, request.firm_id, request.id))
        ),
        process=process,
        material=_material(pack, request.material),
        tolerances=_tolerances(request),
        general_tolerance=_general_tolerance(pack, request.general_tolerance),
        certificates=tuple(_certificate(pack, key) for key in request.certificates),
        delivery_week=request.delivery_week or "",
        shortage_reason=_reason(request.shortage_reason),
        contact_phone=one_line(request.contact_phone),
    )


def terms_of(session: Session, firm_id: str, partner_id: str, is_requester: bool) -> Terms:
    """The framework of the two firms; raises RuleBroken when there is none in force."""
    partnership = find_partnership(session, firm_id, partner_id)
    framework = framework_of(session, partnership) if partnership else None
    if partnership is None or framework is None or partnership.state != "active" or not framework.digest:
        raise RuleBroken("Mit diesem Betrieb gibt es gerade keinen Rahmenvertrag.")
    facts = signed_facts(framework)
    own, other = parties_of(session, partnership, framework)
    steps = facts.cancellation_steps if facts else _default("cancellation_steps")
    return Terms(
        template_key=framework.template_key,
        framework_date=facts.valid_from if facts else _frozen_day(framework),
        digest=framework.digest,
        text_sha256=framework.text_sha256 or "00" * 32,
        tolerance_percent=facts.tolerance_percent if facts else _default("tolerance_percent"),
        cancellation_steps=steps,
        requester=own if is_requester else other,
        provider=other if is_requester else own,
    )


def framework_of(session: Session, partnership: Partnership) -> Framework | None:
    """The framework that the partnership stands on."""
    if partnership.framework_id is None:
        return None
    return session.get(Framework, (partnership.firm_id, partnership.framework_id))


def signed_facts(framework: Framework) -> FrameworkFacts | None:
    """The facts that both signed; None for a framework kept without them (rows of tests and finished history)."""
    facts = framework.record.get("facts")
    return facts_from(FrameworkFacts, facts) if isinstance(facts, Mapping) else None


def parties_of(session: Session, partnership: Partnership, framework: Framework) -> tuple[Party, Party]:
    """(own, other) as both signed them in the framework; without its facts, as the rows name them."""
    firm, facts = firm_of(session, partnership.firm_id), signed_facts(framework)
    if facts is None:
        return _party_of_firm(firm), _party_of_partner(partnership)
    drafter = framework.record.get("message", {}).get("from")
    is_own_first = drafter == firm.address if drafter else facts.party_a.name == firm.name
    pair = (facts.party_a, facts.party_b) if is_own_first else (facts.party_b, facts.party_a)
    own, other = (dataclasses.replace(party, represented_by="") for party in pair)
    return own, other


def chosen_lines(session: Session, firm_id: str, plan_id: str) -> dict[str, list[ChosenLine]]:
    """What a plan takes, by the offer it takes it from."""
    rows = session.execute(
        sa.select(OfferLine, PlanLine.minutes)
        .join(PlanLine, (PlanLine.firm_id == OfferLine.firm_id) & (PlanLine.offer_line_id == OfferLine.id))
        .where(PlanLine.firm_id == firm_id, PlanLine.plan_id == plan_id, PlanLine.minutes > 0)
        .order_by(OfferLine.offer_id, OfferLine.week, OfferLine.id)
    )
    chosen: dict[str, list[ChosenLine]] = {}
    for line, minutes in rows:
        chosen.setdefault(line.offer_id, []).append(chosen_line(line, minutes))
    return chosen


def chosen_line(line: OfferLine, minutes: int) -> ChosenLine:
    """Some minutes of an offered line."""
    return ChosenLine(
        offer_line_id=line.id,
        machine_id=line.machine_id,
        machine=one_line(line.machine_name),
        week=line.week,
        minutes=minutes,
        rate_cents_per_hour=line.rate_cents_per_hour,
        set_up_min=line.set_up_min,
        min_block_min=line.min_block_min,
        terms=_machine_terms(line),
    )


def _machine_terms(line: OfferLine) -> MachineTerms:
    kind = load_pack().machine_types.get(line.machine_type_key)
    return MachineTerms(
        machine_class=kind.label("de") if kind else one_line(line.machine_type_key),
        set_up_rate_cents_per_hour=set_up_rate_of(line),
        programming_rate_cents_per_hour=line.programming_rate_cents_per_hour,
        night_surcharge_permille=line.night_surcharge_permille,
        sunday_surcharge_permille=line.sunday_surcharge_permille,
    )


def _in_order(files: Sequence[Any]) -> list[Any]:
    """An order that does not depend on when a file reached which house."""
    return sorted(files, key=lambda file: (file.name, file.index, file.sha256))


def _material(pack: Pack, material: str) -> str:
    known = pack.materials.get(material)
    return known.text if known else one_line(material)


def _tolerances(request: WorkRequest) -> str:
    grade = {-1: "01"}.get(request.needed_it or 0, str(request.needed_it))
    parts = [f"IT{grade}"] if request.needed_it is not None else []
    if request.needed_ra_nm is not None:
        parts.append(f"Ra {request.needed_ra_nm / 1000:g} µm".replace(".", ","))
    return ", ".join(parts)


def _general_tolerance(pack: Pack, key: str) -> str:
    known = pack.tolerances.general.get(key)
    return known.label("de") if known else one_line(key)


def _certificate(pack: Pack, key: str) -> str:
    known = pack.certificates.get(key)
    return known.label("de") if known else one_line(key)


def _reason(key: str) -> str:
    """The chip's words: the text sets its own sentence around them."""
    return ShortageReason(key).chip if key in set(ShortageReason) else one_line(key) or ShortageReason.CAPACITY.chip


def _frozen_day(framework: Framework) -> str:
    return (framework.frozen_at or framework.created_at).astimezone(BERLIN).date().isoformat()


def _default(name: str) -> Any:
    return next(field.default for field in dataclasses.fields(FrameworkFacts) if field.name == name)


def _party_of_firm(firm: Firm) -> Party:
    return Party(
        firm.name,
        firm.legal_form,
        firm.register_court,
        firm.register_no,
        firm.vat_id,
        firm.street,
        firm.postcode,
        firm.town,
    )


def _party_of_partner(partnership: Partnership) -> Party:
    """As the partner described itself to us; what it did not tell stays open."""
    told = partnership.profile
    names = [field.name for field in dataclasses.fields(Party) if field.name not in ("name", "represented_by")]
    values = {name: told[name] if isinstance(told.get(name), str) else "" for name in names}
    return Party(name=partnership.name, **values | {"town": values["town"] or partnership.town})
