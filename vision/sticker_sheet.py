"""The sheets of stickers to print: a vector PDF, one marker to an A4 page, each with a bar to check the scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from vision.stickers import MODULES, Sticker, marker_squares

PAGE_MM: Final = (210.0, 297.0)
PT_PER_MM: Final = 72.0 / 25.4
SCALE_BAR_MM: Final = 100.0
TOP_MM: Final = 235.0
"""Of the marker's upper edge, from the page's lower edge; a white margin of one module surrounds the marker."""


def sheet_pdf(title: str, stickers: Sequence[Sticker], family: str = "aruco") -> bytes:
    """All stickers at their true size, with id, place and scale bar. Printed at 100 %, the bar measures 100 mm."""
    return _document([_page(title, sticker, family, number) for number, sticker in enumerate(stickers, 1)])


def _page(title: str, sticker: Sticker, family: str, number: int) -> str:
    head = _text(
        15, 280, 10, f"{title} - page {number} - print at 100 %, not fitted to the page; cut along the grey line"
    )
    return "\n".join([head, *_sticker(sticker, family, TOP_MM), *_scale_bar()])


def _sticker(sticker: Sticker, family: str, top_mm: float) -> list[str]:
    size_mm = 1000.0 * sticker.size_m
    left_mm = (PAGE_MM[0] - size_mm) / 2
    module_mm = size_mm / MODULES[family]
    squares = marker_squares(family, sticker.id)
    rectangles = []
    for row, line in enumerate(squares):
        column = 0
        while column < len(line):  # a run of black squares is one rectangle: no hairlines between them
            run = column
            while run < len(line) and line[run]:
                run += 1
            if run > column:
                x, y = left_mm + column * module_mm, top_mm - (row + 1) * module_mm
                rectangles.append(_rectangle(x, y, (run - column) * module_mm, module_mm))
            column = max(run, column + 1)
    margin_mm = module_mm
    frame = (
        f"0.3 w 0.6 G {_pt(left_mm - margin_mm)} {_pt(top_mm - size_mm - margin_mm)} "
        f"{_pt(size_mm + 2 * margin_mm)} {_pt(size_mm + 2 * margin_mm)} re S"
    )
    words = f"{family} {sticker.id} - {size_mm:.0f} mm - {sticker.place}" + (" - moves" if sticker.moves else "")
    # the words stand inside the white margin, above the marker: they say which edge is up
    caption = _text(left_mm, top_mm + 6.0, 8, f"{words} (this edge up)")
    return [frame, "0 g", *rectangles, caption]


def _scale_bar() -> list[str]:
    left_mm = (PAGE_MM[0] - SCALE_BAR_MM) / 2
    bar = [_rectangle(left_mm + k * 10, 40.0, 10.0, 2.0) for k in range(0, 10, 2)]
    outline = f"0.3 w 0 G {_pt(left_mm)} {_pt(40.0)} {_pt(SCALE_BAR_MM)} {_pt(2.0)} re S"
    return ["0 g", *bar, outline, _text(left_mm + SCALE_BAR_MM + 3, 40.0, 8, "100 mm: measure it")]


def _pt(mm: float) -> str:
    return f"{mm * PT_PER_MM:.3f}"


def _rectangle(x_mm: float, y_mm: float, width_mm: float, height_mm: float) -> str:
    return f"{_pt(x_mm)} {_pt(y_mm)} {_pt(width_mm)} {_pt(height_mm)} re f"


def _text(x_mm: float, y_mm: float, size: int, words: str) -> str:
    safe = words.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return f"BT 0 g /F1 {size} Tf {_pt(x_mm)} {_pt(y_mm)} Td ({safe}) Tj ET"


def _document(pages: Sequence[str]) -> bytes:
    """A PDF 1.4 file: catalogue, pages, one font, one content stream a page, and the table of where each begins."""
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    size = f"{_pt(PAGE_MM[0])} {_pt(PAGE_MM[1])}"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for index, content in enumerate(pages):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size}] /Resources << /Font << /F1 3 0 R >> >> "
            f"/Contents {5 + 2 * index} 0 R >>"
        )
        length = len(content.encode("cp1252", "replace"))
        objects.append(f"<< /Length {length} >>\nstream\n{content}\nendstream")
    out = b"%PDF-1.4\n"
    starts = []
    for number, body in enumerate(objects, 1):
        starts.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("cp1252", "replace")
    table = "".join(f"{start:010d} 00000 n \n" for start in starts)
    end = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{end}".encode("ascii")
