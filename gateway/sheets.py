"""Files of rows as people make them, CSV and xlsx: what they say is read, and what goes out is written.

Whatever a file is, it is measured before it is parsed; of what it says only texts are taken, and nothing is guessed.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from shared.contracts.rows import Kind
from shared.contracts.tables import MOST_ROWS
from shared.errors import Invalid
from shared.rules.days import iso

MEGABYTE = 1_000_000
MOST_BYTES = 5 * MEGABYTE
MOST_PARTS = 2_000
MOST_UNPACKED = 50 * MEGABYTE
MOST_RATIO = 100  # sheets of the same row a hundred thousand times come to 60
MOST_LINES = 20_000  # empty ones and all sheets included
MOST_COLUMNS = 200
MOST_LETTERS = 2_000
MOST_TEXT = 5 * MEGABYTE  # of what is asked of the service: the broker takes 16 MB
EXACT = 2**53  # beyond this a number that Excel wrote is not the one that was typed
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
DELIMITERS = ",;\t"
# A spreadsheet takes what begins so for a formula (OWASP, CSV injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r")
EXAMPLE = re.compile("^例[::]")
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

EMPTY = "文件里没有数据行 / There are no rows in the file"
TOO_MANY = f"最多 {MOST_ROWS} 行,请分成几个文件 / {MOST_ROWS} rows at most: please make several files of it"
TOO_LONG = f"行数过多(含空行最多 {MOST_LINES} 行) / Too many lines: {MOST_LINES} at most, with the empty ones"
TOO_WIDE = f"列数过多,最多 {MOST_COLUMNS} 列 / Too many columns: {MOST_COLUMNS} at most"
TOO_MUCH = "文字总量过大,请分成几个文件 / Too much text in it: please make several files of it"
UNKNOWN_LETTERS = "看不懂文件的编码,请存为 UTF-8 或 GB18030 / Neither UTF-8 nor GB18030: please save it as one of them"
NOT_CSV = "看不懂这个 CSV 文件 / This CSV file cannot be read"
NOT_XLSX = "看不懂这个 xlsx 文件 / This xlsx file cannot be read"
OLD_OR_LOCKED = "旧版 xls 或加密的文件读不了,请另存为 xlsx / An old xls or an encrypted file: please save it as xlsx"
BOMB = "文件解压后过大 / The file unpacks to too much"
LINKED = "文件引用了外部文件,请去掉后再上传 / The file links to other files: please remove the links"
DTD = "文件含有 DTD / The file carries a DTD"


def refused(detail: str) -> Invalid:
    return Invalid(detail, {"file": [detail]})


# -- in ---------------------------------------------------------------------------------------------------------------


def read(kind: Kind, data: bytes) -> list[dict]:
    """Read the rows of a file by a kind's columns; raises ``Invalid`` for whatever is not such a file."""
    if data.startswith(OLE):
        raise refused(OLD_OR_LOCKED)
    sheets = xlsx_sheets(data) if data.startswith(b"PK") else csv_sheets(data)
    found, count, read_one = [], 0, False
    for name, lines in sheets:
        header = None
        for line, cells in lines:
            count += 1
            if count > MOST_LINES:
                raise refused(TOO_LONG)
            if len(cells) > MOST_COLUMNS:
                raise refused(TOO_WIDE)
            if not any(text_of(cell).strip() for cell in cells):
                continue
            if header is None:
                header = header_of(kind, name, cells)
                if not header:
                    break  # a sheet of something else, as hints are
                read_one = True
            elif not EXAMPLE.match(text_of(cells[0]).strip()):
                found.append(row_of(kind, header, name[:100], line, cells))
                if len(found) > MOST_ROWS:
                    raise refused(TOO_MANY)
    if not read_one:
        raise refused(f"没有找到标题行;应有:{needed(kind)} / No header row: it must have {needed(kind)}")
    if not found:
        raise refused(EMPTY)
    if sum(len(text.encode()) + len(name) + 8 for row in found for name, text in row["values"].items()) > MOST_TEXT:
        raise refused(TOO_MUCH)
    return found


def needed(kind: Kind) -> str:
    return "、".join(kind.titles[name] for name, field in kind.row.fields.items() if field.required)


def header_of(kind: Kind, sheet: str, cells: Iterable[Any]) -> dict[int, str]:
    """Match a header by either language, in any order; empty where no word of it is a column of this kind."""
    said = [text_of(cell).strip() for cell in cells]
    columns = {at: kind.column(text) for at, text in enumerate(said) if text}
    if not any(columns.values()):
        return {}
    where = f"“{sheet[:31]}”" if sheet else ""
    unknown = [said[at][:40] for at, column in columns.items() if column is None]
    if unknown:
        names, all_of = "、".join(unknown), "、".join(kind.titles.values())
        raise refused(f"{where}不认识的列:{names};可用:{all_of} / Unknown columns {names}; known are {all_of}")
    twice = {kind.titles[each] for each in columns.values() if list(columns.values()).count(each) > 1}
    if twice:
        names = "、".join(sorted(twice))
        raise refused(f"{where}列重复:{names} / Columns that stand there twice: {names}")
    missing = [
        kind.titles[name] for name, field in kind.row.fields.items() if field.required and name not in columns.values()
    ]
    if missing:
        names = "、".join(missing)
        raise refused(f"{where}缺少列:{names} / Columns are missing: {names}")
    return columns


def row_of(kind: Kind, header: dict[int, str], sheet: str, line: int, cells: Iterable[Any]) -> dict:
    values, numbers = {}, []
    for at, cell in enumerate(cells):
        text = text_of(cell)
        if not text.strip():
            continue
        where = f"{sheet} 第 {line} 行第 {at + 1} 列".strip()
        if at not in header:
            raise refused(f"{where}没有标题 / Line {line}, column {at + 1}: the column has no header")
        if len(text) > MOST_LETTERS:
            raise refused(f"{where}:最多 2000 个字 / Line {line}, column {at + 1}: 2000 characters at most")
        values[header[at]] = text
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            numbers.append(header[at])
    return {"sheet": sheet, "line": line, "values": values, "numbers": numbers}


def text_of(cell: Any) -> str:
    """Give what a cell says as text: a number exactly, a day by ISO 8601, a formula as it is written."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "是" if cell else "否"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < EXACT:
        return str(int(cell))
    if isinstance(cell, datetime):
        return str(cell.date() if cell.time() == time() else iso(cell) if cell.tzinfo else cell)
    if isinstance(cell, date):
        return cell.isoformat()
    text = str(cell)
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA) else text


def csv_sheets(data: bytes) -> Iterator[tuple[str, Iterator[tuple[int, list]]]]:
    """Give the one sheet of a CSV file, its letters and its delimiter found out."""
    text = letters(data)
    first = next((line for line in text.splitlines() if line.strip()), "")
    yield "", csv_lines(text, max(DELIMITERS, key=first.count))


def letters(data: bytes) -> str:
    """Decode UTF-8 with or without its mark, UTF-16 with it, or GB18030, as Excel in China saves."""
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise refused(UNKNOWN_LETTERS)


def csv_lines(text: str, delimiter: str) -> Iterator[tuple[int, list]]:
    reader, line = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error:
        raise refused(f"{NOT_CSV}({line})") from None


def xlsx_sheets(data: bytes) -> Iterator[tuple[str, Iterator[tuple[int, tuple]]]]:
    """Give the sheets of an xlsx file that was measured first."""
    must_be_harmless(data)
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
        sheets = book.worksheets
    except Exception:  # openpyxl has no error of its own: a damaged file was seen to raise a dozen kinds
        raise refused(NOT_XLSX) from None
    for sheet in sheets:
        yield sheet.title, xlsx_lines(sheet)


def xlsx_lines(sheet: Any) -> Iterator[tuple[int, tuple]]:
    try:
        # A sheet may say that it is a million columns wide; what counts is what stands in it.
        sheet.reset_dimensions()
        lines = sheet.iter_rows(values_only=True)
        yield from enumerate(lines, 1)
    except Invalid:
        raise
    except Exception:
        raise refused(NOT_XLSX) from None


def must_be_harmless(data: bytes) -> None:
    """Refuse, before anything is parsed, a file that unpacks to too much, is encrypted, or reaches outside."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            parts = packed.infolist()
            if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
                raise refused(BOMB)
            for part in parts:
                if part.flag_bits & 1:
                    raise refused(OLD_OR_LOCKED)
                if part.file_size > MEGABYTE and part.file_size > MOST_RATIO * max(part.compress_size, 1):
                    raise refused(BOMB)
                if part.filename.lower().startswith("xl/externallinks/"):
                    raise refused(LINKED)
            for part in parts:
                if part.filename.lower().endswith((".xml", ".rels", ".vml")):
                    must_have_no_dtd(packed.read(part))
    except Invalid:
        raise
    except Exception:  # zipfile raises many kinds on a damaged file, NotImplementedError and zlib.error among them
        raise refused(NOT_XLSX) from None


def must_have_no_dtd(xml: bytes) -> None:
    # Written in UTF-16 a DTD would not be seen here; no program of an office writes its parts so.
    if b"<!DOCTYPE" in xml or b"<!ENTITY" in xml or b"\x00" in xml[:200]:
        raise refused(DTD)


# -- out --------------------------------------------------------------------------------------------------------------


def harmless(text: str) -> str:
    """Give a text so that no spreadsheet takes it for a formula; reading takes the mark off again."""
    text = UNPRINTABLE.sub("", text)
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def csv_out(kind: Kind, rows: Iterable[dict]) -> Iterator[bytes]:
    """Write rows as CSV, piece by piece, with the mark that Excel knows UTF-8 by."""
    out = io.StringIO()
    writer = csv.writer(out)
    out.write("\ufeff")
    writer.writerow(kind.titles.values())
    for row in rows:
        writer.writerow(harmless(row.get(name, "")) for name in kind.titles)
        if out.tell() > 65_536:
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode()


def sheet_for(book: Workbook, kind: Kind) -> Any:
    """Begin a kind's sheet: its header, and every column as text, so that no 0 is lost."""
    sheet = book.create_sheet(kind.title)
    sheet.freeze_panes = "A2"
    for at in range(1, len(kind.titles) + 1):
        sheet.column_dimensions[get_column_letter(at)].width = 20
        sheet.column_dimensions[get_column_letter(at)].number_format = "@"
    sheet.append([bold(sheet, title) for title in kind.titles.values()])
    return sheet


def bold(sheet: Any, text: str) -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet, text)
    cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="DDE8F5")
    return cell


def as_text(sheet: Any, text: str) -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet, harmless(text))
    cell.number_format, cell.alignment = "@", Alignment(wrap_text=len(text) > 40)
    return cell


def xlsx_out(kind: Kind, rows: Iterable[dict]) -> bytes:
    """Write rows as xlsx, all of them text."""
    book = Workbook(write_only=True)
    sheet = sheet_for(book, kind)
    for row in rows:
        sheet.append([as_text(sheet, row.get(name, "")) for name in kind.titles])
    return saved(book)


def template(kind: Kind) -> bytes:
    """Write an empty table: its header, a line of an example, which reading skips, and a sheet of hints."""
    book = Workbook(write_only=True)
    sheet = sheet_for(book, kind)
    examples = [field.metadata["example"] for field in kind.row.fields.values()]
    sheet.append([as_text(sheet, text) for text in (f"例:{examples[0]}", *examples[1:])])
    hints = book.create_sheet("说明")
    hints.column_dimensions["E"].width = 80
    hints.append([bold(hints, text) for text in ("列名", "Column", "要求", "示例", "填写说明")])
    for name, field in kind.row.fields.items():
        about = field.metadata
        need = "必填 / required" if field.required else "可空 / optional"
        hints.append([as_text(hints, text) for text in (about["title"], name, need, about["example"], about["hint"])])
    hints.append([as_text(hints, "以“例:”开头的行不会导入 / a line that begins with 例: is not imported")])
    return saved(book)


def saved(book: Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
