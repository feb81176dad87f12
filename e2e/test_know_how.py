"""A special part with a photo: who can do that? A question, an answer, a yes, an agreement, a proof."""

import io
from pathlib import Path

from PIL import Image

from e2e.acts import (
    KELLER,
    YILMAZ,
    download_evidence,
    found_firm,
    invite_colleague,
    join_firm,
    link_partner,
    print_recovery_key,
    sign_waiting,
    upload_free_hours,
    wait_for,
    wait_here,
    write_rate,
)  # fmt: skip
from e2e.conftest import PickUp
from e2e.node import Node
from e2e.proof import prove_offline


def photo() -> bytes:
    """A small picture with a place in its metadata, as phones write it."""
    picture, file = Image.new("RGB", (640, 480), "#88a"), io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "Werkhalle von Keller"
    picture.save(file, "JPEG", exif=exif)
    return file.getvalue()


def test_one_special_part_finds_a_shop_that_can_do_it(pick_up: PickUp, node: Node, tmp_path: Path) -> None:
    petra, deniz, jonas = pick_up("Petra"), pick_up("Deniz"), pick_up("Jonas")
    found_firm(petra, KELLER)
    print_recovery_key(petra)
    link_partner(petra, deniz, YILMAZ)
    write_rate(deniz, YILMAZ)
    upload_free_hours(deniz, {"KW 49/2026": "20", "KW 50/2026": "20"})
    join_firm(jonas, invite_colleague(deniz, "Jonas Weber", "Meister"))

    petra.open("/")
    petra.tap("Wer kann das?")
    petra.page.locator("input[type=file]").first.set_input_files(
        {"name": "halter.jpg", "mimeType": "image/jpeg", "buffer": photo()}
    )
    petra.write("Wie viele Stück?", "1")
    petra.page.locator("fieldset", has_text="Bis wann").locator("label", has_text="KW 50").click()
    petra.tap("weiß ich nicht")
    petra.write("Worum geht es?", "Ein Halter nach Muster.")
    petra.tap("Wissen fehlt")
    petra.tap("Weiter")
    petra.tap("Anfrage senden")
    petra.see("Gesendet an 1 Partner")

    wait_for(jonas, "Keller")
    jonas.page.locator("article").get_by_role("link").first.click()
    jonas.see("Könnt ihr das machen?")
    drawing = jonas.page.get_by_role("link", name="halter").first
    answer = jonas.context.request.get(drawing.get_attribute("href") or "")
    assert answer.status == 200
    assert "attachment" in answer.headers["content-disposition"]
    assert b"Werkhalle" not in answer.body()

    jonas.tap("Rückfrage")
    jonas.write("Deine Frage", "Aus welchem Stahl ist das Muster?")
    jonas.tap("Senden")
    wait_here(petra, "neue Frage")
    petra.tap("Dreherei Yilmaz")
    petra.see("Aus welchem Stahl ist das Muster?")
    petra.write("Deine Antwort", "1.7225, vergütet.")
    petra.tap("Senden")
    wait_here(jonas, "1.7225, vergütet.")

    jonas.go()
    jonas.page.locator("article").get_by_role("link").first.click()
    jonas.tap("Ja, können wir")
    jonas.write("Stunden", "12")
    jonas.tap("senden")
    jonas.see("Danke.")

    wait_for(petra, "mit Angeboten")
    petra.tap("Wartet auf dich")
    petra.tap("Pläne vergleichen")
    petra.see("Plan A wählen")
    petra.tap("Plan A wählen")
    petra.tap("Vereinbarung erstellen")
    petra.see("Prüfe die fünf Punkte")
    sign_waiting(petra)
    sign_waiting(deniz)
    wait_for(petra, "12 h", "Mehr", "Gebuchte Stunden")
    prove_offline(download_evidence(petra) + download_evidence(deniz), tmp_path)
    assert node.faults() == []
