"""The Vorführung: six acts on the real pages, who stands where, and what the next tap does."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace

from app.config import Config
from app.core.db import Database
from app.core.units import BERLIN
from app.core.words import N_
from app.firms.access import Role
from app.practice import scenes

ACTS = (
    N_("Das Problem"), N_("Fragen"), N_("Drei Pläne"), N_("Unterschreiben und arbeiten"),
    N_("Es geht etwas schief"), N_("Was bringt es?"),
)  # fmt: skip
WORKING_DAY = dt.datetime(2026, 11, 30, 7, 0, tzinfo=BERLIN)
"""Monday of KW 49: the first week of the order."""
Deed = Callable[["Stage"], None]
Question = Callable[["Stage"], bool]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the deeds of the story happen."""

    database: Database
    config: Config
    move_clock: Callable[[dt.datetime], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One moment: a person on a page, one sentence, one button.

    The button does `deed`, unless a tap on the page has done it already (`is_done`). `prepare` is what must have
    happened before the page is shown. `firm` is a short name; '' is the first partner of the agreements. A step that
    `is_decision` shows on the button what the visitor decides; elsewhere the button is "Weiter". `beside` is the role
    at the first partner whose phone a wide screen shows beside the firm that asks.
    """

    key: str
    act: int
    firm: str
    role: Role
    text: str
    button: str
    is_decision: bool = False
    beside: Role = Role.FOREMAN
    deed: Deed | None = None
    is_done: Question | None = None
    prepare: Deed | None = None


STEPS: tuple[Step, ...] = (
    Step(
        "order", 1, scenes.REQUESTER, Role.MANAGER,
        N_("Neuer Auftrag: 500 Stunden bis KW 4. Euer Plan ist voll."), N_("Allein machen"),
        is_decision=True,
    ),
    Step(
        "problem", 1, scenes.REQUESTER, Role.MANAGER,
        N_("Allein: 180 von 500 Stunden. Auftrag weg."), N_("Partner fragen"),
        deed=lambda stage: scenes.write_request(stage.database),
        is_done=lambda stage: scenes.is_request_written(stage.database),
    ),
    Step(
        "ask", 2, scenes.REQUESTER, Role.MANAGER,
        N_("Das sieht jeder Partner. Kein Preis, kein Kunde."), N_("Anfrage senden"),
        deed=lambda stage: scenes.send_request(stage.database),
        is_done=lambda stage: scenes.is_request_sent(stage.database),
    ),
    Step(
        "phone", 2, scenes.FIRST_PARTNER, Role.FOREMAN,
        N_("Das Handy von Meister Yilmaz. Tippe auf „Ja, das geht“."), N_("Ja, das geht"),
        deed=lambda stage: scenes.say_yes(stage.database),
        is_done=lambda stage: scenes.has_said_yes(stage.database),
    ),
    Step(
        "coverage", 2, scenes.REQUESTER, Role.MANAGER,
        N_("Fünf Partner helfen. Einer sagt Nein. Das sieht nur er selbst."), N_("Pläne ansehen"),
        prepare=lambda stage: scenes.let_others_answer(stage.database),
    ),
    Step(
        "plans", 3, scenes.REQUESTER, Role.MANAGER,
        N_("Jeder Plan deckt alle Stunden. Welcher passt euch?"), N_("Gut verteilten Plan ansehen"),
    ),
    Step(
        "plan", 3, scenes.REQUESTER, Role.MANAGER,
        N_("Kein Partner macht mehr als 40 Prozent."), N_("Vereinbarung erstellen"),
        deed=lambda stage: scenes.choose_spread_plan(stage.database),
        is_done=lambda stage: scenes.is_plan_chosen(stage.database),
    ),
    Step(
        "sign", 4, scenes.REQUESTER, Role.MANAGER,
        N_("Prüfe die fünf Punkte. Dann unterschreibt Keller."), N_("Übungs-Unterschrift"),
        deed=lambda stage: scenes.sign_as_requester(stage.database, stage.config),
        is_done=lambda stage: scenes.has_requester_signed(stage.database),
        beside=Role.MANAGER,
    ),
    Step(
        "countersign", 4, "", Role.MANAGER,
        N_("Die andere Leitung sieht denselben Text."), N_("Übungs-Unterschrift"),
        prepare=lambda stage: scenes.sign_as_requester(stage.database, stage.config),
        deed=lambda stage: scenes.sign_as_partner(stage.database, stage.config),
        is_done=lambda stage: scenes.has_partner_signed(stage.database),
    ),
    Step(
        "booked", 4, scenes.REQUESTER, Role.MANAGER,
        N_("Alle haben unterschrieben. Die Stunden sind gebucht."), N_("Zwei Wochen später"),
        prepare=lambda stage: scenes.sign_all(stage.database, stage.config),
        beside=Role.MANAGER,
    ),
    Step(
        "work", 4, "", Role.WORKER,
        N_("Montag, KW 49. Die Arbeit beginnt."), N_("Und wenn etwas schiefgeht?"),
        prepare=lambda stage: stage.move_clock(WORKING_DAY),
    ),
    Step(
        "stop", 5, "", Role.WORKER,
        N_("Die Maschine steht. Ein Tipp, und der Partner weiß es."), N_("Melden"),
        deed=lambda stage: scenes.stop_machine(stage.database),
        is_done=lambda stage: scenes.is_machine_stopped(stage.database),
    ),
    Step(
        "help", 5, scenes.REQUESTER, Role.MANAGER,
        N_("Keller sieht, was fehlt. Wer schon mitmacht, ist gefragt."), N_("Auch diese fragen"),
        prepare=lambda stage: scenes.stop_machine(stage.database),
        deed=lambda stage: scenes.call_for_help(stage.database),
        is_done=lambda stage: scenes.is_everybody_asked(stage.database),
    ),
    Step(
        "replan", 5, scenes.REQUESTER, Role.MANAGER,
        N_("Ein anderer Partner hat Zeit. Der Liefertermin hält."), N_("So machen wir es"),
        prepare=lambda stage: scenes.let_helpers_answer(stage.database),
        deed=lambda stage: scenes.take_help(stage.database),
        is_done=lambda stage: scenes.is_help_taken(stage.database),
    ),
    Step(
        "replace", 5, scenes.REQUESTER, Role.MANAGER,
        N_("Noch ein Fingerabdruck. Dann steht der Ersatz."), N_("Übungs-Unterschrift"),
        prepare=lambda stage: scenes.take_help(stage.database),
        deed=lambda stage: scenes.sign_help(stage.database, stage.config),
        is_done=lambda stage: scenes.is_help_signed(stage.database),
        beside=Role.MANAGER,
    ),
    Step("end", 6, scenes.REQUESTER, Role.MANAGER, N_("Zusammen: 500 von 500 Stunden."), "", beside=Role.MANAGER),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Where the story stands: the number of its step."""

    number: int = 0

    @property
    def step(self) -> Step:
        return STEPS[self.number]

    @property
    def is_last(self) -> bool:
        return self.number == len(STEPS) - 1


def take_step(stage: Stage, place: Place) -> Place:
    """Do what the button of this step says, prepare the next one, and return it; the last one stays."""
    step = place.step
    if step.deed is not None and (step.is_done is None or not step.is_done(stage)):
        step.deed(stage)
    if place.is_last:
        return place
    following = replace(place, number=place.number + 1)
    if following.step.prepare is not None:
        following.step.prepare(stage)
    return following
