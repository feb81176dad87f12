"""The call-off of two firms: its facts, the exact German text that is signed, the five facts of S24, reading aid."""

from dataclasses import dataclass

from app.agreements.deadlines import plan_counts_until
from app.agreements.rules import moment
from app.agreements.texts import moment_text, parts_of, phrase, short_moment_text, word_or
from app.core.errors import RuleBroken
from app.core.units import amount_cents, euro_text, hours_text, monday, week_days, week_label
from app.partners.documents import TEMPLATE_KEYS, CancellationStep, Party, day_text, party_text, step_lines
from app.partners.texts import fill, one_line, tidy

SECTIONS = ("intro", "3", "4", "5", "6", "9", "10", "effect", "purpose", "contacts", "annexes")
DELIVERY_TERMS = ("FCA", "DAP")
SIDES = ("requester", "provider")
MANY_WEEKS = 3


@dataclass(frozen=True)
class Drawing:
    """One drawing file: its name, revision index and SHA-256 in hex."""

    name: str
    index: str
    sha256: str


@dataclass(frozen=True)
class Provision:
    """One thing that the requester provides; `kind` and `description` in German, value in cents, 0 if not named."""

    kind: str
    description: str
    quantity: int
    value_cents: int = 0


@dataclass(frozen=True)
class Contact:
    """Whom to ask: a role, never a name, and a phone number or ''."""

    role: str
    phone: str


@dataclass(frozen=True)
class MachineTerms:
    """What a machine is, in German, and what it costs beside its hours: cents per hour, per mille; 0 if not charged."""

    machine_class: str
    set_up_rate_cents_per_hour: int
    programming_rate_cents_per_hour: int
    night_surcharge_permille: int
    sunday_surcharge_permille: int


@dataclass(frozen=True)
class CallOffLine:
    """Agreed minutes of one machine in one week. Set-up is paid on top: once per machine, on its first line."""

    machine_name: str
    machine_id: str
    week: str
    minutes: int
    rate_cents_per_hour: int
    set_up_min: int
    amount_cents: int
    terms: MachineTerms


@dataclass(frozen=True)
class CallOffFacts:
    """All that the text depends on; days YYYY-MM-DD, weeks YYYY-Www, UTC seconds, cents; quantity 0 if left open."""

    template_key: str
    version: int
    requester: Party
    provider: Party
    framework_date: str
    part: str
    quantity: int
    drawings: tuple[Drawing, ...]
    process: str
    material: str
    tolerances: str
    general_tolerance: str
    certificates: tuple[str, ...]
    lines: tuple[CallOffLine, ...]
    transport_cents: int
    currency: str
    total_cents: int
    cap_cents: int
    tolerance_percent: int
    cancellation_steps: tuple[CancellationStep, ...]
    delivery_week: str
    delivery_term: str
    material_provided: bool
    provisions: tuple[Provision, ...]
    expires_at: int
    is_bundled: bool
    shortage_reason: str
    requester_contact: Contact
    provider_contact: Contact


@dataclass(frozen=True)
class Section:
    """One piece of a call-off as pages show it; the first one has no heading of its own."""

    heading: str
    text: str


def line_amount_cents(minutes: int, rate_cents_per_hour: int, set_up_min: int, set_up_rate_cents_per_hour: int) -> int:
    """Return what one line costs in cents: the hours and the set-up, each rounded half up once, as plans count it."""
    return amount_cents(minutes, rate_cents_per_hour) + amount_cents(set_up_min, set_up_rate_cents_per_hour)


def call_off_version(template_key: str) -> int:
    """Return the version of the call-off template as shipped."""
    return int(parts_of(template_key, "de")["version"].body)


def call_off_title(facts: CallOffFacts) -> str:
    """Return the title line of the signed text."""
    return parts_of(facts.template_key, "de")["title"].body


def render_call_off(facts: CallOffFacts) -> str:
    """Return the exact German text that both managers sign: NFC, LF, no trailing spaces, the same bytes every time.

    Raises RuleBroken for facts that check_call_off refuses.
    """
    return _render(facts, "de")


def english_reading_aid(facts: CallOffFacts) -> str:
    """Return the English reading aid as one text; it is never part of what is signed."""
    return _render(facts, "en")


def call_off_sections(facts: CallOffFacts, language: str) -> tuple[Section, ...]:
    """Return the text piece by piece in 'de' or 'en', in one order, so that a page can set one beneath the other."""
    parts, values = parts_of(facts.template_key, language), _values(facts, language)
    chosen = [parts[_variant(key, facts)] for key in SECTIONS]
    return tuple(Section(_heading(part.key, part.title, language), tidy(fill(part.body, values))) for part in chosen)


def five_facts(facts: CallOffFacts, side: str, language: str = "de") -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return S24 as 'requester' or 'provider' sees it: five (label, short sentences), from the signed facts."""
    check_call_off(facts)
    parts, values = parts_of("five_facts", language), _five_values(facts, side, language)
    lease = "_maschinennutzung" if facts.template_key == "maschinennutzung" else ""
    keys = (f"who{lease}", f"what{lease}", "when", "price", f"wrong{lease}_{side}")
    more = {keys[1]: _what_keys(facts), keys[4]: ["deadline"] + ["deadline_bundle"] * facts.is_bundled}
    bodies = {key: "\n".join(parts[name].body for name in (key, *more.get(key, ()))) for key in keys}
    return tuple((parts[key].title, tuple(fill(bodies[key], values).split("\n"))) for key in keys)


def check_call_off(facts: CallOffFacts) -> None:
    """Raise RuleBroken with a plain sentence if facts contradict each other: sums, weeks, cap, missing words."""
    if facts.template_key not in TEMPLATE_KEYS or facts.version != call_off_version(facts.template_key):
        raise RuleBroken("Diese Vertragsvorlage gibt es hier nicht. Bitte den Partner um eine neue Vereinbarung.")
    if not facts.lines or any(not _line_holds(line) for line in facts.lines):
        raise RuleBroken("Die Stunden oder Beträge stimmen nicht. Erstelle die Vereinbarung neu.", field="lines")
    if facts.total_cents != sum(line.amount_cents for line in facts.lines) + facts.transport_cents:
        raise RuleBroken("Die Summe stimmt nicht. Erstelle die Vereinbarung neu.", field="total_cents")
    if facts.cap_cents < facts.total_cents or facts.transport_cents < 0:
        raise RuleBroken("Der Höchstpreis liegt unter der Summe. Gib einen höheren ein.", field="cap_cents")
    if facts.delivery_term not in DELIVERY_TERMS or not 0 <= facts.tolerance_percent <= 50:
        raise RuleBroken("Wähle eine Lieferbedingung und eine Abweichung bis 50 Prozent.", field="delivery_term")
    if monday(facts.delivery_week) < max(monday(line.week) for line in facts.lines):
        raise RuleBroken("Die Lieferung liegt vor den letzten Stunden. Wähle eine spätere KW.", field="delivery_week")
    if not one_line(facts.part) or not one_line(facts.shortage_reason) or facts.quantity < 0:
        raise RuleBroken("Gib das Teil und den Grund an.", field="part")


def _line_holds(line: CallOffLine) -> bool:
    terms = line.terms
    expected = line_amount_cents(
        line.minutes, line.rate_cents_per_hour, line.set_up_min, terms.set_up_rate_cents_per_hour
    )
    extras = terms.programming_rate_cents_per_hour, terms.night_surcharge_permille, terms.sunday_surcharge_permille
    is_whole = min(line.set_up_min, terms.set_up_rate_cents_per_hour, *extras) >= 0
    return line.minutes > 0 and is_whole and line.amount_cents == expected and bool(one_line(line.machine_id))


def _render(facts: CallOffFacts, language: str) -> str:
    check_call_off(facts)
    title = parts_of(facts.template_key, language)["title"].body
    blocks = [(s.heading + "\n\n" if s.heading else "") + s.text for s in call_off_sections(facts, language)]
    return tidy("\n\n".join([title, *blocks]))


def _variant(key: str, facts: CallOffFacts) -> str:
    """Bought material changes clause 6 of contract manufacturing (sales law instead of acceptance); nothing else."""
    bought = key == "6" and facts.template_key == "lohnfertigung" and not facts.material_provided
    return "6_bought" if bought else key


def _heading(key: str, title: str, language: str) -> str:
    number = key.removesuffix("_bought")
    return phrase("heading", language, number=number, title=title) if number.isdecimal() else title


def _values(facts: CallOffFacts, language: str) -> dict[str, object]:
    return {
        **_work_values(facts, language),
        **_money_values(facts, language),
        **_list_values(facts, language),
        "requester": party_text(facts.requester),
        "provider": party_text(facts.provider),
        "framework_date": day_text(facts.framework_date) if language == "de" else facts.framework_date,
        "expires": moment_text(facts.expires_at, language),
        "bundle": _bundle_text(facts, language) if facts.is_bundled else "",
        "requester_contact": _contact_text(facts.requester_contact, language),
        "provider_contact": _contact_text(facts.provider_contact, language),
    }


def _bundle_text(facts: CallOffFacts, language: str) -> str:
    until = plan_counts_until(moment(facts.expires_at))
    values = {"counts_until": moment_text(int(until.timestamp()), language)}
    return fill(parts_of(facts.template_key, language)["bundle"].body, values)


def _work_values(facts: CallOffFacts, language: str) -> dict[str, object]:
    minutes = sum(line.minutes for line in facts.lines)
    slack_min = minutes * facts.tolerance_percent // 100
    return {
        "part": one_line(facts.part),
        "quantity": facts.quantity or phrase("not_given", language),
        "pieces": phrase("pieces" if facts.quantity else "parts", language, quantity=facts.quantity, part=facts.part),
        "process": word_or(facts.process, "not_given", language),
        "machine_classes": word_or(", ".join(_machine_classes(facts)), "not_given", language),
        "material": word_or(facts.material, "not_given", language),
        "tolerances": word_or(facts.tolerances, "not_given", language),
        "general_tolerance": word_or(facts.general_tolerance, "not_given", language),
        "certificates": ", ".join(one_line(name) for name in facts.certificates) or phrase("none", language),
        "shortage_reason": one_line(facts.shortage_reason),
        "hours": hours_text(minutes),
        "least_hours": hours_text(minutes - slack_min),
        "most_hours": hours_text(minutes + slack_min),
        "tolerance": facts.tolerance_percent,
        "delivery_week": week_label(facts.delivery_week),
        "delivery_days": week_days(facts.delivery_week),
        "delivery_term": phrase(f"term_{facts.delivery_term}", language),
    }


def _money_values(facts: CallOffFacts, language: str) -> dict[str, object]:
    return {
        "hours_amount": euro_text(facts.total_cents - facts.transport_cents),
        "transport": euro_text(facts.transport_cents),
        "total": euro_text(facts.total_cents),
        "cap": euro_text(facts.cap_cents),
        "rates": "\n".join(_rate_texts(facts, language)),
        "currency": one_line(facts.currency),
        "steps": "\n".join(step_lines(facts.cancellation_steps, language)),
    }


def _list_values(facts: CallOffFacts, language: str) -> dict[str, object]:
    machines = dict.fromkeys((line.machine_name, line.machine_id) for line in facts.lines)
    drawings = [
        phrase("drawing", language, no=no, name=d.name, index=d.index or "–", sha256=d.sha256)
        for no, d in enumerate(facts.drawings, 1)
    ]
    return {
        "lines": "\n".join(line_text(no, line, facts.currency, language) for no, line in enumerate(facts.lines, 1)),
        "machines": "\n".join(
            phrase("machine", language, no=no, name=name, id=machine_id)
            for no, (name, machine_id) in enumerate(machines, 1)
        ),
        "drawings": "\n".join(drawings) or phrase("none", language),
        "provisions": _provisions_text(facts, language),
    }


def line_text(no: int, line: CallOffLine, currency: str, language: str = "de") -> str:
    """Return one line of hours as the text shows it."""
    return phrase(
        "line_set_up" if line.set_up_min else "line",
        language,
        no=no,
        week=week_label(line.week),
        days=week_days(line.week),
        machine=line.machine_name,
        hours=hours_text(line.minutes),
        set_up=hours_text(line.set_up_min),
        set_up_rate=euro_text(line.terms.set_up_rate_cents_per_hour),
        rate=euro_text(line.rate_cents_per_hour),
        amount=euro_text(line.amount_cents),
        currency=currency,
    )


def _machine_classes(facts: CallOffFacts) -> list[str]:
    return list(dict.fromkeys(line.terms.machine_class for line in facts.lines if line.terms.machine_class))


def _rate_texts(facts: CallOffFacts, language: str) -> list[str]:
    """What an hour of each machine costs: run, set-up, programming, surcharges."""
    machines = dict.fromkeys((line.machine_name, line.rate_cents_per_hour, line.terms) for line in facts.lines)
    return [
        phrase(
            "rates",
            language,
            machine=name,
            rate=euro_text(rate),
            set_up_rate=euro_text(terms.set_up_rate_cents_per_hour),
            programming=_programming_text(terms, facts.currency, language),
            surcharges=_surcharges_text(terms, language),
            currency=facts.currency,
        )
        for name, rate, terms in machines
    ]


def _programming_text(terms: MachineTerms, currency: str, language: str) -> str:
    rate = terms.programming_rate_cents_per_hour
    return phrase("programming" if rate else "no_programming", language, rate=euro_text(rate), currency=currency)


def _surcharges_text(terms: MachineTerms, language: str) -> str:
    named = {"surcharge_night": terms.night_surcharge_permille, "surcharge_sunday": terms.sunday_surcharge_permille}
    texts = [
        phrase(key, language, percent=f"{permille / 10:g}".replace(".", ","))
        for key, permille in named.items()
        if permille
    ]
    return ", ".join(texts) or phrase("no_surcharges", language)


def _provisions_text(facts: CallOffFacts, language: str) -> str:
    if not facts.provisions:
        is_made_of_provided = facts.material_provided and facts.template_key == "lohnfertigung"
        return phrase("material_only" if is_made_of_provided else "nothing", language)
    return "\n".join(
        phrase(
            "provision" if thing.value_cents else "provision_plain",
            language,
            kind=thing.kind,
            description=thing.description,
            quantity=thing.quantity,
            value=euro_text(thing.value_cents),
            currency=facts.currency,
        )
        for thing in facts.provisions
    )


def _contact_text(contact: Contact, language: str) -> str:
    return phrase("contact" if contact.phone else "contact_plain", language, role=contact.role, phone=contact.phone)


def _what_keys(facts: CallOffFacts) -> list[str]:
    if facts.template_key == "maschinennutzung":
        return []
    quantity = ["what_quantity"] if facts.quantity else []
    return [*quantity, "material_provided" if facts.material_provided else "material_bought"]


def _five_values(facts: CallOffFacts, side: str, language: str) -> dict[str, object]:
    if side not in SIDES:
        raise ValueError(f"no such side: {side}")
    other = facts.provider_contact if side == "requester" else facts.requester_contact
    return {
        **_work_values(facts, language),
        **_money_values(facts, language),
        "currency": "€" if facts.currency == "EUR" else one_line(facts.currency),
        "requester": one_line(facts.requester.name),
        "provider": one_line(facts.provider.name),
        "contact": _contact_text(other, language),
        "weeks": "\n".join(_week_sentences(facts, language)),
        "most_fee": max(step.fee_percent for step in facts.cancellation_steps),
        "expires": short_moment_text(facts.expires_at, language),
    }


def _week_sentences(facts: CallOffFacts, language: str) -> list[str]:
    """Name each week while they are few, else first, last and the sum: S24 fits a small screen."""
    parts = parts_of("five_facts", language)
    per_week: dict[str, int] = {}
    for line in sorted(facts.lines, key=lambda line: line.week):
        per_week[line.week] = per_week.get(line.week, 0) + line.minutes
    weeks = list(per_week)
    if len(weeks) > MANY_WEEKS:
        total = hours_text(sum(per_week.values()))
        values = {"first": week_label(weeks[0]), "last": week_label(weeks[-1]), "hours": total}
        return [fill(parts["when_many"].body, values)]
    return [
        fill(parts["when_line"].body, {"week": week_label(week), "hours": hours_text(minutes)})
        for week, minutes in per_week.items()
    ]
