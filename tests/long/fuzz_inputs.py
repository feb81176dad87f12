"""Bad input, drawn from a seed: values, forms, JSON, passkey answers, files and addresses."""

import copy
import io
import json
import random
import string
import zipfile
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import quote

from ledger.evidence import display_hash
from tests.ledger.world import enter_for_both, make_agreement, make_world
from tests.passkeys.software import SoftwarePasskey

MARK = "zzqmark"
ACTIVE = (
    f"<script>{MARK}()</script>", f'"><img src=x onerror={MARK}()>', f"' autofocus onfocus={MARK}() x='",
    f"javascript:{MARK}()", f"</textarea><svg onload={MARK}()>", f"{{{{ {MARK} }}}}", f"--><script>{MARK}</script>",
    f"//{MARK}.example/", f"/\\{MARK}.example", f"https://{MARK}.example/x", f"data:text/html,{MARK}",
)  # fmt: skip
STRANGE = (
    "", " ", "\x00", "a\x00b", "\r\nSet-Cookie: x=1", "\ud800".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    "\u202e\u2066x", "\ufeff", "0", "-1", "1e309", "NaN", "١٢٣", "²", "½", "1" * 400, "9" * 19, "-9223372036854775809",
    "9223372036854775808", "7,5", "7.5", "1.000,5", "1,,5", "0,0000001", "2026-W53", "2025-W53", "2026-W00", "0000-W01",
    "9999-W52", "10000-W01", "2026-13-45", "0001-01-01", "9999-12-31", "9999-12-31T23:59:59+00:00", "2026-11-16T07:00:00+25:00",
    "2026-11-16T07:00:00", "on", "true", "null", "[]", "{}", "../../etc/passwd", "%2e%2e%2f", "%", "%zz", "%(x)s", "{0}",
    "' OR 1=1 --", "\\", "💥" * 90, "ä" * 5000, "\n" * 3000, "=cmd|' /C calc'!A0", "00000000-0000-0000-0000-000000000000",
)  # fmt: skip
TYPES = ("image/png", "text/csv", "application/pdf", "application/octet-stream", "", "text/html; charset=\xff")
Luck = random.Random
Json = Any


def value(luck: Luck) -> str:
    """One string that no honest form sends."""
    choice = luck.random()
    if choice < 0.3:
        return luck.choice(ACTIVE)
    if choice < 0.85:
        return luck.choice(STRANGE)
    if choice < 0.95:
        codes = (luck.choice((luck.randrange(1, 0x300), luck.randrange(0x2000, 0x2100))) for _ in range(30))
        return "".join(chr(code) for code in codes)[: luck.randrange(1, 30)]
    return "".join(luck.choices(string.printable, k=luck.randrange(1, 200)))


def bad_form(luck: Luck, fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A form of ours with some fields changed, doubled, dropped or added."""
    found = [(name, text) for name, text in fields if luck.random() > 0.08]
    for _ in range(luck.randrange(1, 4)):
        place = luck.randrange(len(found) + 1)
        if place == len(found) or luck.random() < 0.15:
            name = luck.choice(found)[0] if found and luck.random() < 0.7 else value(luck)[:60]
            found.insert(place, (name, value(luck)))
        else:
            found[place] = (found[place][0], value(luck))
    return found


def bad_json(luck: Luck) -> bytes:
    """JSON of a wrong shape, or something that only begins like JSON."""
    choice = luck.random()
    if choice < 0.1:
        return luck.choice((b"", b"{", b"[" * 5000, b'{"a":1}x', b"\xff\xfe", b'{"token":"\\ud800"}', b"NaN", b"1e999"))
    if choice < 0.5:
        return json.dumps(_mutated(luck, _credential(luck))).encode()
    return json.dumps(_any_json(luck, 3)).encode()


def bad_file(luck: Luck) -> tuple[io.BytesIO, str, str]:
    """Bytes, name and media type of an upload."""
    makers: tuple[Callable[[Luck], bytes], ...] = (_noise, _image, _table, _book, _evidence, lambda luck: b"")
    names = (
        "x.png",
        "x.csv",
        "x.xlsx",
        "x.pdf",
        "x.step",
        "x.dxf",
        "x.jpg",
        "..\\..\\x.png",
        "x.php",
        "a/b.csv",
        "",
        MARK,
    )
    name = luck.choice((*names, f'{MARK}".png', f"<script>{MARK}.csv", "ä" * 300 + ".png", "x.png\r\nX: y", "con.csv"))
    return io.BytesIO(luck.choice(makers)(luck)), name, luck.choice(TYPES)


def bad_part(luck: Luck) -> str:
    """One part of an address."""
    return quote(value(luck)[:300], safe=luck.choice(("", "/", "%")), errors="replace") or "%20"


def _noise(luck: Luck) -> bytes:
    return luck.randbytes(luck.randrange(1, 4000))


def _image(luck: Luck) -> bytes:
    heads = (
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"%PDF-1.7\n",
        b"ISO-10303-21;",
        b"0\nSECTION\n",
        b"GIF89a",
        b"<svg ",
    )
    return luck.choice(heads) + luck.randbytes(luck.randrange(0, 2000))


def _table(luck: Luck) -> bytes:
    rows = [_row(luck) for _ in range(luck.randrange(1, 40))]
    head = luck.choice(
        ("Nummer;Name;Verfahren", "Maschine;KW;Stunden", "Maschine,KW,Stunden", "\ufeffMaschine\tKW\tStunden")
    )
    return "\n".join((head, *rows)).encode(luck.choice(("utf-8", "utf-16", "utf-32")), "replace")


def _row(luck: Luck) -> str:
    return ";".join(value(luck).replace("\n", " ")[:80] for _ in range(luck.randrange(1, 12)))


def _book(luck: Luck) -> bytes:
    """Something in a ZIP: an empty book, a huge row of zeros, a path that climbs, XML that refers to itself."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(
            "xl/workbook.xml", luck.choice(("<workbook/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "x" * 10))
        )
        archive.writestr(luck.choice(("xl/worksheets/sheet1.xml", "../../x")), "0" * luck.choice((10, 3_000_000)))
    return buffer.getvalue()[: luck.choice((None, 100, -10))]


def _evidence(luck: Luck) -> bytes:
    """Evidence that holds and says active things, as it is or changed somewhere, alone or in a PDF."""
    data = _active_evidence()
    for _ in range(luck.randrange(3)):
        place = luck.randrange(len(data))
        data = data[:place] + luck.choice((b"", b"[", b'"', b"-1", b"\xff", b"{}")) + data[place + luck.randrange(9) :]
    return b"%PDF-1.7\n<</Type/EmbeddedFile>>\nstream\n" + data + b"\nendstream" if luck.random() < 0.3 else data


@cache
def _active_evidence() -> bytes:
    world, text = make_world(noise=0), "\n\n".join(ACTIVE)
    record = make_agreement(world.requester, world.provider, display_hash=display_hash(text), currency=ACTIVE[1])
    seq, _ = enter_for_both(world.requester, world.provider, record, text)
    return world.file_bytes(record=world.requester.prove(seq), counterpart=None)


def _credential(luck: Luck) -> Json:
    """An answer of a real passkey to a challenge that nobody gave."""
    passkey = SoftwarePasskey()
    challenge = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    if luck.random() < 0.5:
        return {"credential": passkey.get({"challenge": challenge})}
    return {"credential": passkey.create({"challenge": challenge, "user": {"id": "AQID"}})}


def _mutated(luck: Luck, body: Json) -> Json:
    """The same with one to three places changed, wherever they are."""
    body = copy.deepcopy(body)
    for _ in range(luck.randrange(1, 4)):
        holder, key = luck.choice(_places(body) or [(body, "credential")])
        known = holder[key] if key in holder or isinstance(holder, list) else None
        holder[key] = _any_json(luck, 1) if luck.random() < 0.6 else _cut(luck, known)
    return body


def _places(body: Json) -> list[tuple[Any, Any]]:
    if not isinstance(body, (dict, list)):
        return []
    keys = list(body) if isinstance(body, dict) else list(range(len(body)))
    return [(body, key) for key in keys] + [place for key in keys for place in _places(body[key])]


def _cut(luck: Luck, text: Json) -> Json:
    return text[: luck.randrange(len(text) + 1)] + luck.choice(("", "A", "=", "ä")) if isinstance(text, str) else None


def _any_json(luck: Luck, depth: int) -> Json:
    if depth and luck.random() < 0.4:
        names = (
            "credential",
            "token",
            "answer",
            "id",
            "subscription",
            "endpoint",
            "keys",
            "response",
            "person_id",
            "x",
        )
        return {luck.choice(names): _any_json(luck, depth - 1) for _ in range(luck.randrange(4))}
    if depth and luck.random() < 0.2:
        return [_any_json(luck, depth - 1) for _ in range(luck.randrange(5))]
    return luck.choice((None, True, 0, -1, 2**63, 2**200, 1.5, 1e308, value(luck), value(luck), "A" * 2000))
