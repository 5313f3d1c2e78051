"""The installer's documents: drawn from the product itself, and without a dead link or an unknown command."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from device import config_file
from device.command import main
from device.config import Pins
from device.wiring_diagram import PHYSICAL, SUPPLY, boxes, svg

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def test_the_wiring_diagram_is_the_one_of_the_default_pins() -> None:
    told = "is out of date: python -m device.wiring_diagram > docs/wiring.svg"
    assert (ROOT / "docs" / "wiring.svg").read_text("utf-8") == svg(Pins()), f"docs/wiring.svg {told}"


def test_every_pin_that_a_new_machine_uses_is_in_the_diagram() -> None:
    drawn = {wire.pin for box in boxes(Pins()) for wire in box.wires if isinstance(wire.pin, int)}
    pins = Pins().model_dump()
    optional = {"load_data_right", "load_clock_right", "load_ready", "load_ready_right", "carriage_a", "carriage_b"}
    used = {value for name, value in pins.items() if isinstance(value, int) and name not in optional}
    assert drawn >= used


def test_the_header_has_forty_pins_each_with_one_meaning() -> None:
    assert sorted([*PHYSICAL.values(), *SUPPLY]) == list(range(1, 41))


@pytest.mark.parametrize("name", ["wiring", "mounting"])
def test_a_drawing_is_sound_and_keeps_within_its_frame(name: str) -> None:
    root = ElementTree.parse(ROOT / "docs" / f"{name}.svg").getroot()
    width, height = (float(value) for value in root.attrib["viewBox"].split()[2:])
    for text in root.findall("./{http://www.w3.org/2000/svg}text"):
        assert 0 <= float(text.attrib["x"]) < width and 0 <= float(text.attrib["y"]) < height
        length = 8.2 * len("".join(text.itertext())) * float(text.attrib.get("font-size", 14)) / 14
        if text.attrib.get("text-anchor", "start") == "start":
            assert float(text.attrib["x"]) + length < width + 20, "".join(text.itertext())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_link_of_a_document_is_dead(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text("utf-8"))
    dead = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert dead == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_a_document_is_understood(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = path.read_text("utf-8").replace("\\\n", " ")
    lines = re.findall(r"^    (?:[\w/.]*bin/)?legpress ([^#\n|]+)", text, re.MULTILINE)
    for line in lines:
        words = [word.strip("[]'\"") for word in line.split() if word not in ("...", "ARGS")]
        main.build_parser(words).parse_args(words)
    if path.name == "calibration.md":
        assert len(lines) > 12


def test_the_configurations_in_the_documents_are_valid() -> None:
    checked = 0
    for path in DOCUMENTS:
        for block in re.findall(r"```toml\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
            tomllib.loads(block)
            config_file.parse(block, path)
            checked += 1
    assert checked >= 2
