"""Tables as people really send them."""

import datetime as dt
import io
import zipfile

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import RuleBroken
from app.machines.tables import MOST_ROWS, find_columns, plain_key, read_table, unit_in, write_table


def workbook(rows: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        "nummer;größe\nM1;7,5\n".encode(),
        b"\xef\xbb\xbf" + "nummer;größe\r\nM1;7,5\r\n".encode(),
        "nummer;größe\nM1;7,5\n".encode("cp1252"),
        "nummer;größe\nM1;7,5\n".encode("utf-16"),
        'nummer,größe\nM1,"7,5"\n'.encode(),
        "nummer\tgröße\nM1\t7,5\n".encode(),
        "\n;;\nnummer;größe\n;;\nM1;7,5\n\n".encode(),
    ],
)
def test_every_common_form_of_csv_gives_the_same_table(body: bytes) -> None:
    table = read_table(body, "stunden.csv")
    assert table.header == ("nummer", "größe")
    assert [row.cells for row in table.rows] == [("M1", "7,5")]


def test_rows_carry_the_number_that_excel_shows() -> None:
    table = read_table(b"nummer;h\nM1;1\n\nM2;2\n", "a.csv")
    assert [row.number for row in table.rows] == [2, 4]


def test_a_workbook_gives_text_with_commas_dates_and_yes_or_no() -> None:
    body = workbook(
        [["nummer", "h", "ganz", "tag", "ja"], ["M1", 7.5, 8.0, dt.datetime(2026, 10, 1), True], [None, None]]
    )
    table = read_table(body, "maschinen.xlsx")
    assert table.rows[0].cells == ("M1", "7,5", "8", "01.10.2026", "ja")
    assert len(table.rows) == 1


def test_a_formula_in_a_workbook_is_never_calculated() -> None:
    table = read_table(workbook([["nummer", "h"], ["M1", "=1+1"]]), "a.xlsx")
    assert table.rows[0].cells == ("M1", "")


@pytest.mark.parametrize(
    ("body", "name", "sentence"),
    [
        (b"", "a.csv", "Die Datei ist leer."),
        (b"  \n \n", "a.csv", "Die Datei ist leer."),
        (b"nummer;h\n", "a.csv", "In der Tabelle stehen nur Überschriften"),
        (b"\x00\x01\x02", "a.csv", "Diese Datei können wir nicht lesen"),
        (b"%PDF-1.7", "a.pdf", "Diese Datei können wir nicht lesen"),
        (b"PK\x03\x04broken", "a.xlsx", "Diese Datei können wir nicht lesen"),
        (b"\xd0\xcf\x11\xe0old", "a.xls", "Das ist eine alte Excel-Datei"),
        (b"a;b\n" + b"1;2\n" * (MOST_ROWS + 1), "a.csv", "Die Tabelle ist zu lang"),
        (b"a;" * 300 + b"z\n" + b"1;2\n", "a.csv", "Die Tabelle ist zu breit"),
        (b"x" * (5 * 1024 * 1024 + 1), "a.csv", "Die Datei ist zu groß"),
        (b'a;b\n"1;2\n', "a.csv", "Diese Datei können wir nicht lesen"),
        (b"nummer;h\n\x81\x8d;1\n", "a.csv", "Diese Datei können wir nicht lesen"),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(body: bytes, name: str, sentence: str) -> None:
    with pytest.raises(RuleBroken, match=sentence):
        read_table(body, name)


def test_a_zip_that_unpacks_to_too_much_is_refused_unread() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (70 * 1024 * 1024))
    with pytest.raises(RuleBroken, match="zu groß"):
        read_table(out.getvalue(), "bombe.xlsx")


@pytest.mark.parametrize(
    "entities", ['<!ENTITY e SYSTEM "file:///etc/hostname">', '<!ENTITY e SYSTEM "http://127.0.0.1:9/x">']
)
def test_a_workbook_reads_no_other_file_and_asks_no_server(entities: str) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook([["nummer"], ["M1"]]))) as good, zipfile.ZipFile(out, "w") as bad:
        for name in good.namelist():
            text = good.read(name).decode()
            if name == "xl/worksheets/sheet1.xml":
                cell = '<row r="3"><c r="A3" t="inlineStr"><is><t>&e;</t></is></c></row></sheetData>'
                head = f'<?xml version="1.0"?><!DOCTYPE worksheet [{entities}]>'
                text = head + text.replace("</sheetData>", cell)
            bad.writestr(name, text)
    with pytest.raises(RuleBroken, match="können wir nicht lesen"):
        read_table(out.getvalue(), "a.xlsx")


def test_a_zip_without_a_workbook_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("hallo.txt", "x")
    with pytest.raises(RuleBroken, match="können wir nicht lesen"):
        read_table(out.getvalue(), "a.xlsx")


def test_a_written_table_never_begins_a_cell_with_a_formula_sign_and_reads_back() -> None:
    cells = ["=1+1", "+49 3677", "-5", "@SUM", "\tx", "normal", 'Müller; "Söhne"', "", None]
    body = write_table([[f"c{n}" for n in range(len(cells))], cells])
    text = body.decode("utf-8-sig")
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in text.splitlines()[1].split(";"))
    row = read_table(body, "a.csv").rows[0].cells
    assert row[:4] == ("=1+1", "+49 3677", "-5", "@SUM")
    assert row[5:] == ("normal", 'Müller; "Söhne"', "", "")


def test_headings_are_found_without_case_signs_and_units() -> None:
    assert plain_key("Verfahrweg X (mm)") == plain_key("verfahrweg_x") == "verfahrwegx"
    assert unit_in("Schließkraft [t]") == "t"
    assert unit_in("Name") == ""


def test_missing_and_doubled_columns_are_told_and_unknown_ones_named() -> None:
    table = read_table(b"Nr;NUMMER;Farbe\n1;2;rot\n", "a.csv")
    columns, faults = find_columns(table, {"nr": "number", "nummer": "number"}, ("number", "week"), {"week": "woche"})
    assert columns.ignored == ("Farbe",)
    assert [str(fault.error) for fault in faults] == [
        "Diese Spalte gibt es doppelt. Lösche eine davon.",
        "Die Spalte „woche“ fehlt. Ergänze sie.",
    ]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.xlsx", "a"]))
def test_no_bytes_ever_do_more_than_be_read_or_refused(body: bytes, name: str) -> None:
    try:
        table = read_table(body, name)
    except RuleBroken:
        return
    assert all(len(row.cells) >= len(table.header) for row in table.rows)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.text(max_size=12), min_size=3, max_size=3), min_size=1, max_size=6))
def test_what_is_written_is_safe_whatever_it_holds(rows: list[list[str]]) -> None:
    body = write_table([["a", "b", "c"], *rows])
    try:
        table = read_table(body, "a.csv")
    except RuleBroken:
        return
    assert table.header == ("a", "b", "c")
    assert len(table.rows) <= len(rows)
