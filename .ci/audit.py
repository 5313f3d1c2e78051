"""Looks the locked libraries up among the known security holes: ``make audit``. Ends with 1 where one is found.

By pip-audit, in a folder of its own. Where it, or the advisory service, cannot be reached, that is said, and is no
failure: a build may have no way out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOL = "pip-audit==2.10.1"
FOLDER = ROOT / ".venv" / "audit"
LOOKED_UP_WITHIN_S = 300


def said(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    return lines[-1][:200] if lines else f"it ended with {done.returncode}"


def main() -> int:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(FOLDER)]
    if not (FOLDER / "pip_audit").is_dir():
        done = subprocess.run([*pip, TOOL], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"not audited: pip-audit cannot be had ({said(done)})")
            return 0
    command = [sys.executable, "-m", "pip_audit", "--requirement", "requirements.lock", "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    environment = os.environ | {"PYTHONPATH": str(FOLDER)}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=LOOKED_UP_WITHIN_S
        )
        found = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        print(f"not audited: the advisory service did not answer within {LOOKED_UP_WITHIN_S} s")
        return 0
    except (ValueError, KeyError):
        print(f"not audited: {said(done)}")
        return 0
    holes = [(each["name"], each["version"], hole) for each in found for hole in each.get("vulns", [])]
    for name, version, hole in holes:
        fixed = ", ".join(hole["fix_versions"]) or "no version yet"
        print(f"{name} {version}: {hole['id']}, mended in {fixed}")
    unknown = [each["name"] for each in found if "skip_reason" in each]
    told = f"; not audited, for the service does not know them: {len(unknown)}" if unknown else ""
    print(f"{len(found) - len(unknown)} libraries looked up, {len(holes)} known holes{told}")
    return 1 if holes else 0


if __name__ == "__main__":
    sys.exit(main())
