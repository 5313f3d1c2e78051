"""QR codes, by segno."""

from __future__ import annotations

import io

import segno


def qr_svg(text: str) -> bytes:
    """The text as a QR code, error correction M, quiet zone of two modules; an SVG without scripts or styles."""
    target = io.BytesIO()
    segno.make(text, error="m", micro=False).save(target, kind="svg", xmldecl=False, border=2, omitsize=True)
    return target.getvalue()
