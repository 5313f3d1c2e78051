"""Which pose model belongs on a machine, and whether the file that is there is exactly that one.

How it is built is ``vision.model``'s; here is what needs no library, for whoever only wants to know.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal, get_args

Variant = Literal["lite", "full", "heavy"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)

BUNDLES: dict[Variant, str] = {
    "lite": "71162bfa2682aac24d5ac9a31df34cb49f4ec08c434b09453736d065c042c462",
    "full": "2aafe1890fa144ebfcd41bd0b3eb936c2896ccdae5466045c49ebaa9d33fb8f6",
    "heavy": "2eb20c5b30726ffb810661fd4a58bf8a0e455c2370b357fdec279f6653b86526",
}
"""SHA-256 of what ``legpress model build`` makes."""
TOLD = 12
"""Digits of a SHA-256 that people are shown."""


def model_path(model_dir: Path, variant: Variant) -> Path:
    """Where the bundle of a variant lies."""
    return model_dir / f"pose_{variant}.task"


def fault_of(path: Path, variant: Variant, pinned: str) -> str | None:
    """Why the file is not the bundle with this SHA-256, with what to do after the last semicolon; None when it is."""
    again = f"run: legpress model build{'' if variant == 'full' else f' --variant {variant}'}"
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return f"{path}: the pose model is not built yet; {again}"
    except OSError as error:
        return f"{path}: the pose model cannot be read: {error.strerror}"
    if found != pinned:
        return f"{path}: the pose model is damaged (SHA-256 {found[:TOLD]}..., not the pinned one); {again}"
    return None
