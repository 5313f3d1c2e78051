"""The rules that hold the parts apart: who may import whom, how large a part may grow, what is packaged."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("device", "vision", "web_ui")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

VOCABULARY = {
    "device.bus",
    "device.config",
    "device.config_file",
    "device.errors",
    "device.installation_health",
    "device.machine_health",
    "device.heartbeat",
    "device.messages",
    "device.model_file",
    "device.scenario",
    "device.scenario_clock",
    "device.scenario_faults",
    "device.settings",
}
"""What vision and web_ui may use of device."""
CALIBRATING = {"device.calibration_guide", "device.load_calibration", "device.sensor_calibration"}
"""What web_ui may use besides: the steps of a calibration and what is refused, as the command line has them."""
READING_THE_STORE = {
    "device.store.backup_list",
    "device.store.kept_files",
    "device.store.engine",
    "device.store.export",
    "device.store.prepare",
    "device.store.retention",
    "device.store.rows",
    "device.store.schema",
    "device.store.tallies",
}
"""What web_ui may use besides: reading, never writing."""

PURE = {"collections", "collections.abc", "dataclasses", "datetime", "enum", "functools", "itertools", "math", "re"} | {
    "__future__",
    "statistics",
    "struct",
    "typing",
}
"""All that the core may import of the standard library: no clock, no I/O, no chance."""

OWNERS = {
    "alembic": {"device/store/migrate.py", "device/store/migrations/env.py", "device/store/migrations/versions/*.py"},
    "flatbuffers": {"vision/tflite_metadata.py"},
    "gpiozero": {"device/pins.py"},
    "lgpio": {"device/pins.py"},
    "libcamera": {"vision/picamera.py"},
    "mediapipe": {"vision/landmarks.py"},
    "picamera2": {"vision/picamera.py"},
    "smbus2": {"device/i2c.py"},
    "spidev": set(),
    "waitress": {"web_ui/service.py"},
}
"""The one place that imports each hardware or vendor library, so that everything else runs anywhere."""

LONGEST_MODULE = 320
LONGEST_FUNCTION = 60
MOST_PARAMETERS = 8
DECLARATIONS_ONLY = {"device/messages.py"}
"""Records and nothing else: may be longer than a module of code."""


def modules() -> list[str]:
    """Every module of the product, as a path from the project's root."""
    return sorted(str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@cache
def tree_of(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), path)


def module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports_of(path: str) -> Iterator[str]:
    """Full names of the modules that a module imports anywhere in it, also inside functions."""
    known = {module_name(item) for item in modules()}
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are written in full"
            assert node.module is not None
            for item in node.names:
                inner = f"{node.module}.{item.name}"
                yield inner if inner in known else node.module


def breaches(paths: list[str], allowed: set[str], package: str) -> list[str]:
    """Imports from ``package`` by these modules, beyond those allowed."""
    return [
        f"{path} imports {name}"
        for path in paths
        for name in imports_of(path)
        if name.split(".")[0] == package and name not in allowed
    ]


def under(folder: str) -> list[str]:
    return [path for path in modules() if path.startswith(f"{folder}/")]


# --- who may import whom -------------------------------------------------------------------------


def test_vision_knows_of_device_only_the_shared_words() -> None:
    assert breaches(under("vision"), VOCABULARY, "device") == []
    assert breaches(under("vision"), set(), "web_ui") == []


def test_the_pages_know_of_device_the_shared_words_how_to_read_the_store_and_how_to_calibrate() -> None:
    assert breaches(under("web_ui"), VOCABULARY | READING_THE_STORE | CALIBRATING, "device") == []
    assert breaches(under("web_ui"), set(), "vision") == []


def test_device_knows_neither_vision_nor_the_pages_but_in_the_commands_that_compose_them() -> None:
    device = [path for path in under("device") if not path.startswith("device/command/")]
    assert breaches(device, set(), "vision") == []
    assert breaches(device, set(), "web_ui") == []
    assert breaches(device, set(), "device.command") == []


def test_the_rules_are_pure() -> None:
    core = under("device/core")
    impure = [
        f"{path} imports {name}"
        for path in core
        for name in imports_of(path)
        if name not in PURE and not name.startswith("device.core") and name not in {"device.config", "device.messages"}
    ]
    assert impure == []
    calls = [
        f"{path}:{node.lineno} calls {ast.unparse(node.func)}"
        for path in core
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and re.fullmatch(r"open|print|input|.*\.(now|utcnow|today|read_text|write_text)", ast.unparse(node.func))
    ]
    assert calls == []


@pytest.mark.parametrize("library", OWNERS)
def test_one_place_imports_each_vendors_library(library: str) -> None:
    importers = [path for path in modules() if any(name.split(".")[0] == library for name in imports_of(path))]
    assert [path for path in importers if not any(fnmatch(path, owner) for owner in OWNERS[library])] == []


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("device.service", {"numpy", "cv2", "alembic", "mediapipe", "flask", "vision", "web_ui"}),
        ("web_ui.service", {"numpy", "cv2", "alembic", "mediapipe", "gpiozero", "vision"}),
        ("device.command.main", {"numpy", "pydantic", "zmq", "flask", "vision", "web_ui"}),
        ("vision.model", {"cv2", "mediapipe"}),
    ],
)
def test_a_process_stays_free_of_the_others_libraries(module: str, unwanted: set[str]) -> None:
    code = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}} & {unwanted!r}))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.stdout.split(), run.stderr) == ([], "")


def test_what_checks_the_bare_system_needs_nothing_installed() -> None:
    foreign = {
        name
        for name in imports_of("device/command/prerequisites.py")
        if name.split(".")[0] not in sys.stdlib_module_names
    }
    assert foreign == set()
    for package in ("device/__init__.py", "device/command/__init__.py"):
        assert list(imports_of(package)) == []


# --- how large, how named ------------------------------------------------------------------------


def test_no_module_is_too_long() -> None:
    long = {path: len((ROOT / path).read_text().splitlines()) for path in modules() if path not in DECLARATIONS_ONLY}
    assert {path: length for path, length in long.items() if length > LONGEST_MODULE} == {}


def _functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path}:{node.lineno} {node.name}", node


def test_no_function_is_too_long() -> None:
    lengths = {where: (node.end_lineno or 0) - node.lineno + 1 for where, node in _functions()}
    assert {where: length for where, length in lengths.items() if length > LONGEST_FUNCTION} == {}


def test_no_function_takes_too_many_parameters() -> None:
    counts = {}
    for where, node in _functions():
        names = [item.arg for item in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        counts[where] = len([name for name in names if name not in ("self", "cls")])
    assert {where: count for where, count in counts.items() if count > MOST_PARAMETERS} == {}


def test_every_module_is_named_after_its_subject_and_says_what_it_is() -> None:
    vague = re.compile(r"(^|_)(utils?|helpers?|manager|misc|common|stuff)(_|$)")
    assert [path for path in modules() if vague.search(Path(path).stem)] == []
    empty = {path for path in modules() if not tree_of(path).body}
    assert [path for path in modules() if path not in empty and ast.get_docstring(tree_of(path)) is None] == []


def test_nothing_in_the_code_waits_to_be_done_or_hides_from_the_checks() -> None:
    # Put together here, so that this file does not find itself.
    waiting = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "pragma: " + "no cover")))
    bare = re.compile(r"type: " + r"ignore(?!\[)|# noq" + r"a(?!: [A-Z]+\d+ )")
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in (*modules(), *(f"tests/{item.name}" for item in (ROOT / "tests").glob("*.py")))
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1)
        if waiting.search(line) or bare.search(line)
    ]
    assert found == []


def test_no_file_names_a_registrys_host_or_a_folder_of_one_machine() -> None:
    named = re.compile(
        "|".join(
            ("py" + r"pi\.org", "python" + "hosted", "npm" + r"js\.", "/var" + "/tmp/", "/wo" + "rk/", "/ro" + "ot/")
        )
    )
    texts = [
        path
        for path in (
            *ROOT.iterdir(),
            *(item for folder in (*PACKAGES, "tests", "docs", "systemd", ".ci") for item in (ROOT / folder).rglob("*")),
        )
        if path.is_file()
        and path.name != ".git"  # in a second working tree it names the first
        and path.suffix
        in {"", ".cfg", ".css", ".html", ".js", ".json", ".lock", ".md", ".mako", ".py", ".service", ".sh", ".toml"}
    ]
    assert len(texts) > 20
    assert [str(path.relative_to(ROOT)) for path in texts if named.search(path.read_text(errors="ignore"))] == []


# --- what is packaged ----------------------------------------------------------------------------


def test_every_folder_of_code_is_a_listed_package() -> None:
    folders = sorted({module_name(str(Path(path).parent)) for path in modules()})
    assert sorted(PYPROJECT["tool"]["setuptools"]["packages"]) == folders


def test_every_data_file_of_a_package_is_shipped_with_it() -> None:
    listed = PYPROJECT["tool"]["setuptools"]["package-data"]
    packages = sorted(PYPROJECT["tool"]["setuptools"]["packages"], key=len, reverse=True)
    lost = []
    for top in PACKAGES:
        for path in (ROOT / top).rglob("*"):
            if not path.is_file() or path.suffix in {".py", ".pyc"}:
                continue
            package = next(name for name in packages if path.is_relative_to(ROOT / name.replace(".", "/")))
            inside = path.relative_to(ROOT / package.replace(".", "/"))
            depth = len(inside.parts)
            patterns = [item for item in listed.get(package, []) if item.count("/") == depth - 1]
            if not any(fnmatch(str(inside), pattern) for pattern in patterns):
                lost.append(str(path.relative_to(ROOT)))
    assert lost == []


def test_the_lock_names_every_dependency_once_and_no_second_opencv() -> None:
    def normal(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    locked = [normal(line.split("==")[0]) for line in lines]
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!]+", line) for line in lines)
    assert len(locked) == len(set(locked))
    project = PYPROJECT["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {normal(match.group()) for match in (re.match(r"[\w.-]+", item) for item in wanted) if match}
    assert names - set(locked) == set()
    assert [name for name in locked if name.startswith("opencv")] == ["opencv-contrib-python"]


def test_what_is_installed_is_known_by_its_hashes_and_is_what_was_tested() -> None:
    spec = importlib.util.spec_from_file_location("sbom", ROOT / ".ci" / "sbom.py")
    assert spec is not None and spec.loader is not None
    sbom = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sbom)
    bill = sbom.bill()
    libraries = [part for part in bill["components"] if part["type"] == "library"]
    assert all(part["hashes"] for part in bill["components"])
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    tested = dict(line.lower().replace("_", "-").split("==") for line in lock if "==" in line)
    hashed = {part["name"]: part["version"] for part in libraries}
    assert {name: version for name, version in hashed.items() if tested.get(name, version) != version} == {}
    wanted = {re.split(r"[^a-z0-9]", item)[0] for item in PYPROJECT["project"]["dependencies"]}
    assert wanted - set(hashed) == set()
