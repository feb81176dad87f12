"""Reading and writing tables that people keep in Excel: CSV in any common form, XLSX; nothing else.

A file of its own, because the hours of the room above are read the same way.
"""

import csv
import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from app.core.errors import RuleBroken

MOST_BYTES = 5 * 1024 * 1024
MOST_UNPACKED_BYTES = 60 * 1024 * 1024
MOST_ROWS = 5000
MOST_COLUMNS = 200
MOST_CELL = 500
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
UNREADABLE = "Diese Datei können wir nicht lesen. Speichere sie als CSV oder XLSX."


@dataclass(frozen=True, slots=True)
class Row:
    """One row with its number as Excel shows it; the cells are text."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A header and at most 5,000 rows, every row as wide as the header."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]


_known: ContextVar[tuple[bytes, str, Table | RuleBroken] | None] = ContextVar("known_table", default=None)


@dataclass(frozen=True, slots=True)
class CellFault:
    """One wrong cell: where it stands, what it holds, and what to do."""

    row: int
    column: str
    content: str
    error: RuleBroken


@contextmanager
def read_before(body: bytes, name: str) -> Iterator[None]:
    """Read a file now; `read_table` of the same file inside the block knows the outcome at once."""
    outcome: Table | RuleBroken
    try:
        outcome = _read(body, name)
    except RuleBroken as error:
        outcome = error
    token = _known.set((body, name, outcome))
    try:
        yield
    finally:
        _known.reset(token)


def read_table(body: bytes, name: str) -> Table:
    """Return the first sheet of a file as text; raises RuleBroken for anything that is no plain table."""
    known = _known.get()
    if known is None or known[:2] != (body, name):
        return _read(body, name)
    if isinstance(known[2], RuleBroken):
        raise known[2]
    return known[2]


def _read(body: bytes, name: str) -> Table:
    if not body.strip():
        raise RuleBroken("Die Datei ist leer.", "table")
    if len(body) > MOST_BYTES:
        raise RuleBroken("Die Datei ist zu groß. Höchstens 5 MB sind möglich.", "table")
    if body.startswith(b"\xd0\xcf\x11\xe0"):
        raise RuleBroken("Das ist eine alte Excel-Datei. Speichere sie als XLSX oder CSV.", "table")
    if body.startswith(b"PK\x03\x04"):
        return _as_table(_read_xlsx(body))
    if name.lower().endswith((".xlsx", ".xlsm", ".ods", ".pdf", ".zip")):
        raise RuleBroken(UNREADABLE, "table")
    return _as_table(_read_csv(_decode(body)))


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what; `ignored` are headings that nobody knows."""

    places: Mapping[str, int]
    headings: Mapping[str, str]
    """Key -> heading as the file has it"""
    ignored: tuple[str, ...]

    def cell(self, row: Row, key: str) -> str:
        """The text of one cell, '' where the file has no such column."""
        place = self.places.get(key)
        return row.cells[place] if place is not None else ""

    def fault(self, row: Row, key: str, error: RuleBroken) -> CellFault:
        return CellFault(row.number, self.headings.get(key, key), self.cell(row, key), error)


def find_columns(
    table: Table, known: Mapping[str, str], needed: Sequence[str], names: Mapping[str, str]
) -> tuple[Columns, list[CellFault]]:
    """Return the columns by key; `known` maps plain headings to keys, `names` holds the German heading of a key.

    Faults: a needed column is missing, or two columns mean the same.
    """
    places: dict[str, int] = {}
    faults: list[CellFault] = []
    ignored = []
    for place, heading in enumerate(table.header):
        key = known.get(plain_key(heading))
        if key is None:
            ignored.append(heading)
        elif key in places:
            faults.append(
                CellFault(1, heading, heading, RuleBroken("Diese Spalte gibt es doppelt. Lösche eine davon."))
            )
        else:
            places[key] = place
    for key in needed:
        if key not in places:
            missing = RuleBroken("Die Spalte „%(column)s“ fehlt. Ergänze sie.", column=names[key])
            faults.append(CellFault(1, names[key], "", missing))
    headings = {key: table.header[place] for key, place in places.items()}
    return Columns(places, headings, tuple(heading for heading in ignored if heading)), faults


def wide_rows(table: Table) -> list[CellFault]:
    """Rows that hold more cells than there are headings: mostly a comma inside a number of a comma-separated file."""
    text = "Diese Zeile hat mehr Zellen als Überschriften. Prüfe Kommas und Semikolons."
    width = len(table.header)
    return [
        CellFault(row.number, "", row.cells[width], RuleBroken(text)) for row in table.rows if len(row.cells) > width
    ]


def write_table(rows: Iterable[Sequence[object]]) -> bytes:
    """Return a CSV that a German Excel opens: semicolons, BOM, and no cell that could be taken for a formula."""
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows([[harmless(cell) for cell in row] for row in rows])
    return text.getvalue().encode("utf-8-sig")


def plain_key(text: str) -> str:
    """Return a heading or a word without case, units in brackets, blanks and signs: 'Verfahrweg X (mm)' -> 'verfahrwegx'."""
    return re.sub(r"[\W_]+", "", re.sub(r"\([^)]*\)|\[[^\]]*\]", "", text).casefold())


def unit_in(text: str) -> str:
    """Return the unit that a heading names in brackets, '' when it names none."""
    found = re.search(r"[(\[]([^)\]]*)[)\]]", text)
    return found.group(1).strip() if found else ""


def harmless(cell: object) -> str:
    """The text of a cell that no program takes for a formula."""
    text = "" if cell is None else str(cell)
    return "'" + text if text.startswith(FORMULA_SIGNS) else text


def _read_csv(text: str) -> Iterator[list[str]]:
    lines = text.splitlines()
    head = next((line for line in lines if line.strip()), "")
    sign = max(";,\t", key=head.count)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
    except csv.Error:
        raise RuleBroken(UNREADABLE, "table") from None


def _decode(body: bytes) -> str:
    """UTF-8 with or without BOM, UTF-16 with BOM, else Windows-1252."""
    if b"\x00" in body and not body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RuleBroken(UNREADABLE, "table")
    for encoding in ("utf-16",) if body.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "cp1252"):
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise RuleBroken(UNREADABLE, "table")


def _read_xlsx(body: bytes) -> Iterator[list[str]]:
    # Reading Excel costs start time, and only imports need it.
    import openpyxl

    _check_zip(body)
    try:
        book = openpyxl.load_workbook(io.BytesIO(body), read_only=True, data_only=True, keep_links=False)
        try:
            sheet = book.worksheets[0]
            for row in sheet.iter_rows(max_row=4 * MOST_ROWS, max_col=MOST_COLUMNS + 1, values_only=True):
                yield [_cell_text(value) for value in row]
        finally:
            book.close()
    except RuleBroken:
        raise
    except Exception:
        # A hostile or broken workbook fails anywhere inside the library: one sentence for all of it.
        raise RuleBroken(UNREADABLE, "table") from None


def _check_zip(body: bytes) -> None:
    """Refuse an archive that is broken or would unpack to far more than a table needs."""
    try:
        entries = zipfile.ZipFile(io.BytesIO(body)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise RuleBroken(UNREADABLE, "table") from None
    if len(entries) > 1000 or sum(entry.file_size for entry in entries) > MOST_UNPACKED_BYTES:
        raise RuleBroken("Die Datei ist zu groß. Höchstens 5 MB sind möglich.", "table")


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "ja" if value else "nein"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.6f}".rstrip("0").replace(".", ",")
    if isinstance(value, dt.datetime | dt.date):
        return value.strftime("%d.%m.%Y")
    return str(value)


def _as_table(raw: Iterator[list[str]]) -> Table:
    header: tuple[str, ...] | None = None
    rows: list[Row] = []
    for number, found in enumerate(raw, start=1):
        cells = tuple(_clean(cell) for cell in found)
        if not any(cells):
            continue
        if header is None:
            header = _trim(cells)
            continue
        rows.append(Row(number, _fit(cells, len(header))))
        if len(rows) > MOST_ROWS:
            raise RuleBroken("Die Tabelle ist zu lang. Höchstens 5.000 Zeilen gehen auf einmal.", "table")
    if header is None:
        raise RuleBroken("Die Datei ist leer.", "table")
    if len(header) > MOST_COLUMNS:
        raise RuleBroken("Die Tabelle ist zu breit. Höchstens 200 Spalten sind möglich.", "table")
    if not rows:
        raise RuleBroken("In der Tabelle stehen nur Überschriften. Trage Zeilen ein.", "table")
    return Table(header, tuple(rows))


def _clean(cell: str) -> str:
    """Drop invisible signs, and the apostrophe that a written table sets before a formula sign."""
    text = "".join(c for c in cell.replace("\u00a0", " ") if c.isprintable() or c in "\n\t").strip()[: MOST_CELL + 1]
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA_SIGNS else text


def _trim(header: tuple[str, ...]) -> tuple[str, ...]:
    while header and not header[-1]:
        header = header[:-1]
    return header


def _fit(cells: tuple[str, ...], width: int) -> tuple[str, ...]:
    """Rows of the header's width; what stands further right is kept in the last place, so that it is seen as wrong."""
    if len(cells) <= width:
        return cells + ("",) * (width - len(cells))
    return (*cells[:width], *(cell for cell in cells[width:] if cell))
