"""What a verification found: numbered steps in plain German and English, and the answer they add up to."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from ledger.firm_keys import NOT_YET, OVER_LIMIT

Verdict = Literal["ok", "failed", "not applicable"]
MARKS: dict[Verdict, str] = {"ok": "+", "failed": "X", "not applicable": "-"}
PRACTICE_STEP = 13
ANCHOR_STEP = 14
SEAL_STEP = 15
PRACTICE_DE = "Übung: bindet niemanden"
PRACTICE_EN = "Practice: binds nobody"


@dataclass(frozen=True)
class Sentence:
    """One text in both languages."""

    german: str
    english: str


@dataclass(frozen=True)
class Step:
    """One numbered check; `detail` is the technical reason, in English."""

    number: int
    verdict: Verdict
    sentence: Sentence
    detail: str = ""

    def text(self, language: str, *, is_plain: bool) -> str:
        """One line; plain leaves the technical reason out."""
        sentence = self.sentence.german if language == "de" else self.sentence.english
        tail = f" ({self.detail})" if self.detail and not is_plain else ""
        return f"{MARKS[self.verdict]} {self.number:>2}. {sentence}{tail}"


@dataclass(frozen=True)
class Report:
    """All steps of one file; `is_binding` is False for records of the practice world.

    `existed_by`: the earliest time at which a witness had seen the record, in seconds since 1970.
    """

    steps: tuple[Step, ...]
    is_binding: bool = True
    existed_by: int | None = None

    @property
    def holds(self) -> bool:
        """True when no step failed."""
        return all(step.verdict != "failed" for step in self.steps)

    @property
    def failed(self) -> tuple[int, ...]:
        """The numbers of the steps that failed."""
        return tuple(step.number for step in self.steps if step.verdict == "failed")

    def step(self, number: int) -> Step:
        """The step of a number."""
        return next(step for step in self.steps if step.number == number)

    def with_step(self, step: Step) -> "Report":
        """The report with one more step, which counts like the others."""
        return replace(self, steps=(*self.steps, step))

    def text(self, language: str = "de", *, is_plain: bool = True) -> str:
        """The report as lines of text, the answer last."""
        answer = ANSWERS[self.holds, self.is_binding]
        lines = [step.text(language, is_plain=is_plain) for step in self.steps]
        sentences = [answer] if self.existed_by is None or not self.holds else [seen_by(self.existed_by), answer]
        return "\n".join([*lines, *(one.german if language == "de" else one.english for one in sentences)])

    def as_dict(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "holds": self.holds,
            "binding": self.is_binding,
            "existedBy": self.existed_by if self.holds else None,
            "steps": [
                {
                    "number": step.number,
                    "verdict": step.verdict,
                    "german": step.sentence.german,
                    "english": step.sentence.english,
                    "detail": step.detail,
                }
                for step in self.steps
            ],
        }


ANSWERS = {
    (True, True): Sentence("Alles stimmt.", "Everything holds."),
    (False, True): Sentence("Etwas stimmt nicht.", "Something does not hold."),
    (True, False): Sentence(f"Alles stimmt. {PRACTICE_DE}.", f"Everything holds. {PRACTICE_EN}."),
    (False, False): Sentence(f"Dieser Nachweis gilt nicht. {PRACTICE_DE}.", f"This proof is void. {PRACTICE_EN}."),
}

OK = {
    1: Sentence("Die Datei ist vollständig und richtig aufgebaut.", "The file is complete and well formed."),
    2: Sentence("Der Eintrag steht im Buch des Betriebs.", "The entry stands in the firm's ledger."),
    3: Sentence("Der Stand des Buchs ist unterschrieben.", "The state of the ledger is signed."),
    4: Sentence("Der Inhalt ist der eingetragene.", "The content is the one that was entered."),
    5: Sentence("Alle Felder sind da, keines zu viel.", "All fields are there, none too many."),
    6: Sentence("Der Fingerabdruck der Felder stimmt.", "The fingerprint of the fields is right."),
    7: Sentence("Der Text ist der unterschriebene.", "The text is the one that was signed."),
    8: Sentence("Die Unterschriften der Personen stimmen.", "The signatures of the people hold."),
    9: Sentence("Die Siegel der Betriebe stimmen.", "The seals of the firms hold."),
    10: Sentence("Alle nötigen Unterschriften sind da.", "All required signatures are there."),
    11: Sentence("Der Eintrag kam rechtzeitig und ins richtige Buch.", "The entry is in time and in the right ledger."),
    12: Sentence("Der andere Betrieb hat dasselbe eingetragen.", "The other firm has entered the same."),
    PRACTICE_STEP: Sentence("Der Eintrag ist keine Übung.", "The entry is no practice."),
    ANCHOR_STEP: Sentence("Der Stand steht in der öffentlichen Kette.", "The state stands in the public chain."),
    SEAL_STEP: Sentence("Seit dem Siegel hat niemand die PDF geändert.", "Nobody changed the PDF since it was sealed."),
}
FAILED = {
    1: Sentence("Die Datei ist beschädigt oder verändert.", "The file is damaged or changed."),
    2: Sentence("Der Eintrag steht nicht in diesem Buch.", "The entry does not stand in this ledger."),
    3: Sentence(
        "Der Stand des Buchs ist nicht richtig unterschrieben.", "The state of the ledger is not signed rightly."
    ),
    4: Sentence("Der Inhalt ist nicht der eingetragene.", "The content is not the one that was entered."),
    5: Sentence("Ein Feld fehlt, ist zu viel oder falsch.", "A field is missing, unknown or wrong."),
    6: Sentence("Der Fingerabdruck der Felder stimmt nicht.", "The fingerprint of the fields is wrong."),
    7: Sentence("Der Text ist nicht der unterschriebene.", "The text is not the one that was signed."),
    8: Sentence("Eine Unterschrift einer Person gilt nicht.", "A person's signature does not hold."),
    9: Sentence("Ein Siegel eines Betriebs gilt nicht.", "A firm's seal does not hold."),
    10: Sentence("Eine Unterschrift fehlt oder ist zu viel.", "A signature is missing or one too many."),
    11: Sentence("Der Eintrag kam zu spät oder gehört nicht hierher.", "The entry is late or does not belong here."),
    12: Sentence("Der Eintrag des anderen Betriebs stimmt nicht.", "The other firm's entry does not hold."),
    PRACTICE_STEP: Sentence(f"{PRACTICE_DE}.", f"{PRACTICE_EN}."),
    ANCHOR_STEP: Sentence("Die öffentliche Kette sagt etwas anderes.", "The public chain says something else."),
    SEAL_STEP: Sentence("Das Siegel der PDF stimmt nicht.", "The seal on the PDF does not hold."),
}
NOT_APPLICABLE = {
    4: Sentence("Nur der Eintrag ist bewiesen, der Inhalt ist gelöscht.", "Existence proved, content gone."),
    12: Sentence("Der andere Betrieb kommt in der Datei nicht vor.", "The file does not tell of another firm's entry."),
    PRACTICE_STEP: Sentence(f"{PRACTICE_DE}.", f"{PRACTICE_EN}."),
    ANCHOR_STEP: Sentence("Die öffentliche Kette wurde nicht gefragt.", "The public chain was not asked."),
    SEAL_STEP: Sentence("Bild und Siegel der PDF sind nicht geprüft.", "Pages and seal of the PDF were not checked."),
}
NOT_PINNED = Sentence("Den Schlüssel nennt nur diese Datei.", "Only this file vouches for the key.")
NO_SEAL = Sentence("Diese PDF trägt kein Siegel.", "This PDF bears no seal.")
NOT_CHECKED = Sentence("Nicht geprüft.", "Not checked.")
REASONS = {
    OVER_LIMIT: Sentence("Die Summe liegt über der Grenze des Schlüssels.", "The sum is above the limit of the key."),
    NOT_YET: Sentence("Der Schlüssel galt noch nicht.", "The key was not valid yet."),
}
"""What people should read of a fault, by its technical reason."""


def seen_by(time: int) -> Sentence:
    """The upper bound of the time in words."""
    # Far beyond what a calendar holds, for a cosigner may write any number.
    if time >= 253_402_300_800:
        return Sentence(f"Ein Partner sah ihn bei Sekunde {time}.", f"A partner saw it at second {time}.")
    day = datetime.fromtimestamp(time, UTC)
    german = f"Ein Partner hat den Stand am {day:%d.%m.%Y} um {day:%H:%M} UTC gesehen."
    return Sentence(german, f"A partner saw this state on {day:%Y-%m-%d} at {day:%H:%M} UTC.")


def make_step(number: int, verdict: Verdict, detail: str = "", *, is_pinned: bool = True) -> Step:
    """The step with its sentence; a second one says that no policy pins the key, or why the step failed."""
    texts = {"ok": OK, "failed": FAILED, "not applicable": NOT_APPLICABLE}[verdict]
    sentence = texts.get(number, NOT_CHECKED)
    more = REASONS.get(detail) if verdict == "failed" else None
    if verdict == "ok" and not is_pinned:
        more = NOT_PINNED
    if more is not None:
        sentence = Sentence(f"{sentence.german} {more.german}", f"{sentence.english} {more.english}")
    return Step(number, verdict, sentence, detail)
