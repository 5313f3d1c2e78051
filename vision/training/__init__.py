"""Scripts that make the learned numbers beside the vision modules from rendered clips with known truth."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path


@cache
def used_seeds() -> frozenset[int]:
    """Seeds of the rendered sets that took part in learning or in choosing the method: no test of either."""
    data = json.loads((Path(__file__).parent / "used_seeds.json").read_text("utf-8"))
    return frozenset(part["first"] + part["step"] * i for part in data["ranges"] for i in range(part["count"]))
