"""Where the Vorführung of this game stands, and the slim bar that shows it on every page."""

from dataclasses import dataclass, replace

from flask import url_for
from flask_babel import format_date, get_locale, gettext
from sqlalchemy.orm import Session

from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.errors import WerkringError
from app.core.units import week_of, week_short
from app.core.words import N_
from app.firms.access import Role
from app.firms.models import NodeSetting
from app.practice import scenes
from app.practice.people import PersonCard, acting, firm_by_short_name, person_cards
from app.practice.phone import cards_of_story
from app.practice.story import ACTS, WORKING_DAY, Place, Stage, Step
from app.push.queries import ShownAlert

STORY = "practice_story"
DONE = N_("Geschafft. Tippe auf „Weiter“.")


@dataclass(frozen=True, slots=True)
class Guide:
    """The bar: act, one sentence, one button, and the clock of the story."""

    number: int
    act: int
    acts: int
    title: str
    text: str
    button: str
    tap: str
    """What the button says where that tap is the visitor's own decision; '' else."""
    clock: str
    url: str
    other: "OtherPhone"


@dataclass(frozen=True, slots=True)
class OtherPhone:
    """The second phone of the story, which a wide screen shows beside the first: another firm, another person."""

    name: str
    firm: str
    cards: tuple[ShownAlert, ...]


def story_place(database: Database) -> Place | None:
    """The step that this game's Vorführung stands at; None where none runs."""
    with database.read() as session:
        row = session.get(NodeSetting, STORY)
        return Place(int(row.value)) if row else None


def keep_place(session: Session, place: Place) -> None:
    """Remember the step."""
    row = session.get(NodeSetting, STORY) or NodeSetting(key=STORY)
    row.value = str(place.number)
    session.add(row)


def current_guide(database: Database, config: Config) -> Guide | None:
    """The bar as it stands, in the reader's language; a step that a tap on the page has done says so."""
    place = story_place(database)
    if place is None:
        return None
    step = place.step
    is_done = _is_done(place, Stage(database, config, lambda _at: None))
    with database.read() as session:
        other = _other_phone(session, step)
    return Guide(
        place.number,
        step.act,
        len(ACTS),
        gettext(ACTS[step.act - 1]),
        gettext(DONE if is_done else step.text),
        gettext(step.button) if step.button else "",
        gettext(step.button) if step.is_decision else "",
        clock_text(),
        url_for("practice.next_step"),
        other,
    )


def _other_phone(session: Session, step: Step) -> OtherPhone:
    """Beside the firm that asks stands the first partner, Meister or Leitung; beside everybody else who asked."""
    name, role = (
        (scenes.FIRST_PARTNER, step.beside) if step.firm == scenes.REQUESTER else (scenes.REQUESTER, Role.MANAGER)
    )
    person = acting(session, firm_by_short_name(session, name).id, role)
    reader = replace(person, language=str(get_locale() or "de"))
    return OtherPhone(person.name, name, tuple(cards_of_story(session, reader)))


def _is_done(place: Place, stage: Stage) -> bool:
    """A bar must never break the page that it stands on, whatever the visitor has taken back by hand."""
    try:
        return place.step.is_done is not None and place.step.is_done(stage)
    except WerkringError:
        return False


def clock_text() -> str:
    """'Montag, KW 47': the day of the game in the reader's language."""
    day = clock.today()
    return f"{format_date(day, 'EEEE')}, {week_short(week_of(day))}"


def person_at(session: Session, place: Place) -> tuple[str, PersonCard]:
    """(firm, person) who is shown at this step."""
    step = place.step
    if step.firm:
        firm_id = firm_by_short_name(session, step.firm).id
    else:
        firm_id = scenes.agreement_of_story(session).partner_id
    return firm_id, _with_role(person_cards(session, firm_id), step.role)


def url_at(session: Session, place: Place) -> str:
    """The real page that this step is about."""
    key = place.step.key
    if key == "order":
        return url_for("capacity.plan")
    if key == "problem":
        need = str(scenes.ORDER_MIN // 60)
        return url_for(
            "requests.time",
            process_key=scenes.PROCESS,
            need=need,
            delivery_week=scenes.DELIVERY_WEEK,
        )
    if key == "ask":
        return url_for("requests.check", request_id=scenes.request_of_story(session))
    if key == "coverage":
        return url_for("plans.show", request_id=scenes.request_of_story(session))
    if key == "plans":
        return url_for("plans.compare", request_id=scenes.request_of_story(session))
    if key == "plan":
        return url_for("plans.detail", plan_id=scenes.plan_of_story(session))
    if key in ("sign", "countersign"):
        return url_for("agreements.show", agreement_id=scenes.agreement_of_story(session).id)
    if key == "stop":
        return url_for("trouble.report", booking_id=scenes.booking_of_story(session).id)
    if key in ("help", "replan"):
        return url_for("trouble.show", disruption_id=scenes.disruption_of_story(session).id)
    if key == "replace":
        return url_for("agreements.show", agreement_id=scenes.help_agreement_of_story(session).id)
    if key == "booked":
        return url_for("bookings.index", _anchor=week_of(WORKING_DAY.date()))
    return url_for({"phone": "practice.phone", "work": "bookings.today"}.get(key, "practice.finale"))


def _with_role(cards: list[PersonCard], role: Role) -> PersonCard:
    return next(card for card in cards if card.role is role)
