"""What people do again and again in the stories: found a firm, link two firms, bring a colleague, add a machine."""

import re
import time
from dataclasses import dataclass

from playwright.sync_api import expect

from e2e.phone import Phone


@dataclass(frozen=True)
class Shop:
    """A machine shop of the story."""

    firm: str
    short: str
    manager: str
    street: str
    postcode: str
    town: str
    free_hours: int = 0
    rate: str = "95"


KELLER = Shop("Keller Metallbau", "Keller", "Petra Keller", "Werkstraße 1", "98693", "Ilmenau")
YILMAZ = Shop("Dreherei Yilmaz", "Yilmaz", "Deniz Yilmaz", "Am Bahnhof 2", "98527", "Suhl", 200, "92")
BRANDT = Shop("Brandt Präzision", "Brandt", "Uwe Brandt", "Gewerbering 3", "98574", "Schmalkalden", 200, "98")
NOWAK = Shop("Nowak Zerspanung", "Nowak", "Ewa Nowak", "Am Markt 4", "07743", "Jena", 200, "105")
LINDNER = Shop("Lindner Fräsen", "Lindner", "Ida Lindner", "Industriestraße 5", "99610", "Sömmerda", 200, "88")
PARTNERS = (YILMAZ, BRANDT, NOWAK, LINDNER)


def found_firm(phone: Phone, shop: Shop, start: str = "/") -> None:
    """S01, or the invitation in sight → the firm's data → fingerprint → fingerprint."""
    if start:
        phone.open(start)
        phone.tap("Betrieb einrichten")
    for label, text in (
        ("Vor- und Nachname", shop.manager), ("E-Mail-Adresse", f"{shop.short.lower()}@firma.example"),
        ("Name des Betriebs", shop.firm),
        ("Kurzer Name", shop.short), ("Straße", shop.street), ("Postleitzahl", shop.postcode), ("Ort", shop.town),
    ):  # fmt: skip
        phone.write(label, text)
    phone.tap("Weiter")
    phone.see("Schritt 2 von 3")
    phone.tap("Fingerabdruck")
    phone.see("Schritt 3 von 3")
    phone.tap("Fingerabdruck")
    phone.page.wait_for_url(re.compile("/schluessel$|/join/"))


def print_recovery_key(phone: Phone) -> None:
    phone.go("Mehr", "Unser Betrieb", "Aufgaben zum Start")
    phone.tap("Drucke den Notfallschlüssel")
    phone.tap("Gedruckt")
    phone.see("Aufgaben zum Start")


def invite_partner(phone: Phone) -> str:
    """Show the QR code; returns the link that it holds."""
    phone.go("Mehr", "Partner", "Partner einladen", "Code zeigen")
    phone.see("sechs Wörter")
    found = re.search(r"https?://[^\s\"'<]+/join/[^\s\"'<]+", phone.page.content())
    assert found
    return found[0].replace("&amp;", "&")


def sign_framework(phone: Phone, partner: Shop) -> None:
    """Read and sign the framework agreement with one partner."""
    phone.go("Mehr", "Partner")
    phone.tap(partner.firm)
    phone.tap("Rahmenvertrag lesen")
    phone.tap("Mit Fingerabdruck unterschreiben")
    phone.see_receipt("Unterschrieben.")


PARTNERS_PAGE = ("Mehr", "Partner")


def wait_for(phone: Phone, text: str, *words: str, seconds: int = 60) -> None:
    """Go there again and again until the text stands there: the other firm's node needs a moment."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        phone.go(*words)
        if phone.page.get_by_text(text).locator("visible=true").count():
            return
        phone.page.wait_for_timeout(250)
    phone.see(text)


def wait_here(phone: Phone, text: str, seconds: int = 60) -> None:
    """Load the page in sight again until the text stands there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not phone.page.get_by_text(text).locator("visible=true").count():
        phone.page.wait_for_timeout(250)
        phone.page.reload()
    phone.see(text)


def invite_colleague(phone: Phone, name: str, role: str) -> str:
    """Mehr → invite; a worker's role stands there already. Returns the link of the QR code."""
    phone.go("Mehr", "Unser Betrieb", "Mitarbeiter einladen")
    phone.write("Name", name)
    if role != "Mitarbeiter":
        phone.tap(role)
    phone.tap("Code zeigen")
    phone.page.wait_for_url(re.compile("/betrieb/einladen/.+"))
    found = re.search(r"https?://[^\s\"'<]+/willkommen/[^\s\"'<]+", phone.page.content())
    assert found
    return found[0].replace("&amp;", "&")


def join_firm(phone: Phone, link: str) -> None:
    """S02 → language → fingerprint."""
    phone.open(link)
    phone.tap("Ja, das bin ich")
    phone.tap("Deutsch")
    phone.tap("Weiter mit Fingerabdruck")


def write_rate(phone: Phone, shop: Shop) -> None:
    """The private rate of the shop's one machine."""
    phone.go("Mehr", "Unser Betrieb", "Maschinen")
    phone.tap("5-Achs-Bearbeitungszentrum")
    phone.tap("Noch kein Satz")
    phone.write("Was kostet eine Stunde?", shop.rate)
    phone.tap("Speichern")
    phone.see("Gemerkt")


FREE_WEEKS = (
    "KW 49/2026",
    "KW 50/2026",
    "KW 51/2026",
    "KW 52/2026",
    "KW 1/2027",
    "KW 2/2027",
    "KW 3/2027",
    "KW 4/2027",
)


def upload_free_hours(phone: Phone, hours_by_week: dict[str, str]) -> None:
    """A CSV file as a shop keeps it: checked first, then taken over."""
    table = "Nummer;KW;Stunden\n" + "".join(f"M1;{week};{hours}\n" for week, hours in hours_by_week.items())
    phone.go("Mehr", "Unser Plan", "Tabelle einlesen")
    phone.page.locator("input[type=file]").set_input_files(
        {"name": "freie-stunden.csv", "mimeType": "text/csv", "buffer": table.encode()}
    )
    phone.tap("Vorschau zeigen")
    phone.tap("Übernehmen")
    phone.see("Gemerkt")


def link_partner(petra: Phone, phone: Phone, shop: Shop) -> dict[str, float]:
    """Keller invites by QR, the partner founds its firm and names its machine, both sign; returns what J6 cost."""
    link = invite_partner(petra)
    phone.count_from_here()
    phone.open(link)
    found_firm(phone, shop, start="")
    phone.tap("Ja, Partner werden")
    phone.see("Angenommen")
    phone.tap("5-Achs-Bearbeitungs")
    phone.tap("Fertig")
    phone.see("1 von 4 erledigt")
    counted = phone.counted()
    print_recovery_key(phone)
    wait_for(petra, "Wartet auf eure Unterschrift", *PARTNERS_PAGE)
    sign_framework(petra, shop)
    wait_for(phone, "Wartet auf eure Unterschrift", *PARTNERS_PAGE)
    sign_framework(phone, KELLER)
    wait_for(phone, "Partner seit", *PARTNERS_PAGE)
    return counted


def sign_waiting(phone: Phone) -> dict[str, float]:
    """Start → what waits → fingerprint; returns what it cost (J5)."""
    wait_for(phone, "ohne eure Unterschrift")
    phone.count_from_here()
    phone.tap("Wartet auf dich")
    to_sign = phone.page.get_by_text("Mit Fingerabdruck unterschreiben")
    one_of_several = phone.page.locator("main article", has_text="wartet").get_by_role("link")
    expect(phone.page).not_to_have_url(phone.base + "/")
    expect(to_sign.or_(one_of_several).first).to_be_visible()
    if not to_sign.count():
        one_of_several.first.click()
        phone.taps += 1
    phone.tap("Mit Fingerabdruck unterschreiben")
    phone.see_receipt("Unterschrieben.")
    return phone.counted()


READ_FILE = "async (url) => { const got = await fetch(url); return [got.status, await got.text()]; }"
"""By the browser itself: it alone trusts what its machine trusts"""


def download_evidence(phone: Phone) -> list[bytes]:
    """The evidence file of each of the firm's agreements."""
    phone.go("Verträge")
    links = phone.page.locator("article a[href*='/vertraege/']")
    expect(links.first).to_be_visible()
    urls = links.evaluate_all("(all) => [...new Set(all.map((a) => a.href))]")
    answers = [phone.page.evaluate(READ_FILE, url + "/beweis.json") for url in urls]
    assert [status for status, _ in answers] == [200] * len(answers)
    return [text.encode() for _, text in answers]
