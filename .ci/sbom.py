"""Prints what the product is made of as a CycloneDX 1.5 bill of materials: ``make sbom``.

Libraries with their hashes from requirements.hashes, and the pinned parts of the pose model.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def libraries(text: str) -> list[dict[str, Any]]:
    """Of each library its name, exact version and the hashes of all its files."""
    joined = text.replace("\\\n", " ")
    found = []
    for line in joined.splitlines():
        match = re.match(r"([\w.-]+)==([\w.+!]+)", line)
        if match is None:
            continue
        hashes = [{"alg": "SHA-256", "content": each} for each in re.findall(r"--hash=sha256:([0-9a-f]{64})", line)]
        name, version = match.groups()
        purl = f"pkg:pypi/{name}@{version}"
        library = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
        found.append({**library, "hashes": hashes})
    return found


def model_parts() -> list[dict[str, Any]]:
    from vision.model import DETECTOR, LANDMARKS

    return [
        {"type": "machine-learning-model", "name": part.name, "hashes": [{"alg": "SHA-256", "content": part.sha256}]}
        for part in (DETECTOR, *LANDMARKS.values())
    ]


def bill() -> dict[str, Any]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    product = {"type": "application", "name": project["name"], "version": project["version"], "bom-ref": "legpress"}
    parts = libraries((ROOT / "requirements.hashes").read_text())
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {**product, "licenses": [{"license": {"id": project["license"]}}]}},
        "components": parts + model_parts(),
        "dependencies": [{"ref": "legpress", "dependsOn": [part["bom-ref"] for part in parts]}],
    }


if __name__ == "__main__":
    print(json.dumps(bill(), indent=1))
