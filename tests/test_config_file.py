"""The configuration file: found, read, checked, all faults at once with their lines."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from device import config_file
from device.command.config import to_toml
from device.config import Config
from device.config_file import ConfigError, parse
from device.config_lines import key_lines, nearest_line

SOURCE = Path("/srv/press/config.toml")


def faults_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, SOURCE)
    return [line.removeprefix(f"{SOURCE}:") for line in caught.value.lines]


def only_fault(text: str) -> str:
    (fault,) = faults_of(text)
    return fault


# --- the shipped example -------------------------------------------------------------------------


def example_uncommented() -> str:
    text = config_file.EXAMPLE_FILE.read_text()
    return re.sub(r"^#(?=[a-z_]+ = )", "", text, flags=re.MULTILINE)


def test_uncommenting_the_whole_example_gives_the_defaults() -> None:
    uncommented = parse(example_uncommented(), SOURCE)
    assert uncommented == config_file.with_absolute_paths(Config(), SOURCE.parent)


def test_the_example_as_it_is_gives_the_defaults() -> None:
    as_shipped = parse(config_file.EXAMPLE_FILE.read_text(), SOURCE)
    assert as_shipped == config_file.with_absolute_paths(Config(), SOURCE.parent)


def _all_keys(model: BaseModel, path: str = "") -> set[str]:
    keys: set[str] = set()
    for name in type(model).model_fields:
        value = getattr(model, name)
        value = value[0] if isinstance(value, tuple) and value else value
        if isinstance(value, BaseModel):
            keys |= _all_keys(value, f"{path}{name}.")
        else:
            keys.add(path + name)
    return keys


def _keys_in(data: dict[str, Any], path: str = "") -> set[str]:
    keys: set[str] = set()
    for name, value in data.items():
        inner = value[0] if isinstance(value, list) and value else value
        keys |= _keys_in(inner, f"{path}{name}.") if isinstance(inner, dict) else {path + name}
    return keys


def test_the_example_shows_every_key_there_is() -> None:
    text = re.sub(r"^# e\.g\. ", "", example_uncommented(), flags=re.MULTILINE)
    assert _keys_in(tomllib.loads(text)) == _all_keys(Config())


def test_every_key_of_the_example_stands_under_a_comment_or_the_key_before() -> None:
    lines = config_file.EXAMPLE_FILE.read_text().splitlines()
    bare = [
        line
        for above, line in itertools.pairwise(lines)
        if re.match(r"#[a-z_]+ = ", line) and not above.startswith(("#", "[goals.", "[faults."))
    ]
    assert bare == []


# --- finding and reading -------------------------------------------------------------------------


def test_the_search_goes_from_the_option_to_the_variable_to_the_folder_to_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config_file, "SYSTEM_FILE", tmp_path / "system.toml")
    option, variable, local, system = (tmp_path / name for name in ("o.toml", "v.toml", "legpress.toml", "system.toml"))
    environ = {"LEGPRESS_CONFIG": str(variable)}
    assert config_file.find(None, {}) is None
    system.write_text("")
    assert config_file.find(None, {}) == system
    local.write_text("")
    assert config_file.find(None, {}) == Path("legpress.toml")
    variable.write_text("")
    assert config_file.find(None, environ) == variable
    option.write_text("")
    assert config_file.find(option, environ) == option


def test_a_named_file_that_does_not_exist_is_an_error_and_not_the_defaults(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"/none\.toml: no such configuration file$"):
        config_file.load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"no such configuration file \(named by \$LEGPRESS_CONFIG\)$"):
        config_file.load(None, {"LEGPRESS_CONFIG": str(tmp_path / "none.toml")})


def test_a_folder_and_a_binary_file_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory$"):
        config_file.load(tmp_path)
    binary = tmp_path / "clip.mp4"
    binary.write_bytes(b"\x00\x00\xff\xfe")
    with pytest.raises(ConfigError, match=r"not a text in UTF-8 \(byte 2\); is it a TOML file\?$"):
        config_file.load(binary)


def test_without_any_file_the_defaults_hold_with_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.setattr(config_file, "SYSTEM_FILE", tmp_path / "none.toml")
    assert config_file.load(None, {}).paths.state_dir == Path("/home/anna/.local/state/legpress")


def test_relative_paths_are_taken_from_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    path = tmp_path / "press.toml"
    path.write_text(
        '[paths]\nstate_dir = "state"\nmodel_dir = "~/models"\nruntime_dir = "/run/legpress"\n'
        '[[cameras]]\nsource = "clip"\nclip = "a.mp4"\ncalibration = "a.toml"\n'
    )
    config = config_file.load(path)
    assert config.paths.state_dir == tmp_path / "state"
    assert config.paths.model_dir == Path("/home/anna/models")
    assert config.paths.runtime_dir == Path("/run/legpress")
    assert (config.cameras[0].clip, config.cameras[0].calibration) == (tmp_path / "a.mp4", tmp_path / "a.toml")


# --- what is wrong with one key ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[pins\n", "1: Expected ']' at the end of a table declaration (column 6): not valid TOML"),
        ("a = 1\na = 2\n", "2: Cannot overwrite a value (column 6): not valid TOML"),
        ("[web]\nport = \n", "2: Invalid value (column 8): not valid TOML"),
        ("[webb]\n", "1: webb is no known section; did you mean web?"),
        ("[pins]\n\nbuzer = 4", "3: pins.buzer is no known key; did you mean buzzer?"),
        ("[pins]\nport = 4", "2: pins.port is no known key here; did you mean [web] port?"),
        ("[load]\nrail_rad = 0.8", "2: load.rail_rad is no known key; did you mean rail_deg?"),
        ("[load]\nrail_deg = 95", "2: load.rail_deg = 95: allowed 0 to 90 (degrees)"),
        ("[load]\nrail_deg = nan", "2: load.rail_deg = nan: allowed 0 to 90 (degrees), finite"),
        (
            '[load]\nrail_deg = "45 deg"',
            '2: load.rail_deg = "45 deg": allowed 0 to 90 (degrees), without quotes or unit',
        ),
        (
            "[load]\ncounts_per_kg = 2e6",
            "2: load.counts_per_kg = 2000000.0: allowed -1000000 to 1000000 (per kilogram)",
        ),
        ("[load]\nsamples_per_s = 50", "2: load.samples_per_s = 50: allowed 10, 20, 40, 80, 320 (per second)"),
        ("[machine]\nunits = 'stone'", '2: machine.units = "stone": allowed kg, lb'),
        ("[machine]\nname = 5", "2: machine.name = 5: allowed a text in quotes"),
        ("[web]\nport = '80'", '2: web.port = "80": allowed 1 to 65535, a whole number, without quotes or unit'),
        ("[web]\nport = 80.5", "2: web.port = 80.5: allowed 1 to 65535, a whole number"),
        ("[web]\nport = true", "2: web.port = true: allowed 1 to 65535, a whole number"),
        ("web = 5", "1: web = 5: allowed a table with host, port, threads, event_streams, session_hours, names"),
        ("[simulation]\nonce = 1", "2: simulation.once = 1: allowed true or false"),
        ("[paths]\nstate_dir = 1", "2: paths.state_dir = 1: allowed a path in quotes"),
        ("[web]\nport = 1979-05-27", "2: web.port = 1979-05-27: allowed 1 to 65535, a whole number"),
        (
            "[machine]\nseat_notches_m = [\n 0.0,\n '1',\n]",
            '4: machine.seat_notches_m[1] = "1": allowed a number (metres), without quotes or unit',
        ),
        (
            '[[cameras]]\nname = "Side 1"',
            '2: cameras[0].name = "Side 1": allowed a text in quotes that matches ^[a-z0-9_-]{1,20}$',
        ),
        ("[faults.heel_lift_deg]\non_set = 3", "2: faults.heel_lift_deg.on_set is no known key; did you mean onset?"),
        ("[goals]\nglutes = { low = -1 }", "2: goals.glutes.low = -1: allowed 0 to 1"),
    ],
)
def test_a_faulty_key_is_named_with_line_value_and_what_is_allowed(text: str, fault: str) -> None:
    assert only_fault(text) == fault


def test_absurd_texts_are_refused_without_a_crash() -> None:
    with pytest.raises(ConfigError, match="^/srv/press/config.toml: Exceeds the limit .*: not a configuration$"):
        parse(f"[web]\nport = {'9' * 5000}", SOURCE)
    with pytest.raises(ConfigError, match="nested too deeply to be a configuration$"):
        parse("a = " + "[" * 5000 + "]" * 5000, SOURCE)


def test_all_faults_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = """
[web]
port = 0
[pins]
buzzer = 5
factory = "gpio"
[faults.heel_lift_deg]
release = 9
[machine]
nmae = "x"
"""
    assert faults_of(text) == [
        "3: web.port = 0: allowed 1 to 65535, a whole number",
        "5: pins.buzzer = 5: taken by pins.load_data; each device needs its own pin",
        '6: pins.factory = "gpio": allowed lgpio, mock',
        "8: faults.heel_lift_deg.release = 9: must be below faults.heel_lift_deg.onset = 8, at least 0 (degrees)",
        "10: machine.nmae is no known key; did you mean name?",
    ]


def test_the_error_is_a_user_error_with_one_finished_line_per_fault() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("[webb]\n[pinz]\n", SOURCE)
    assert caught.value.exit_code == 2
    assert str(caught.value).splitlines() == caught.value.lines
    assert len(caught.value.lines) == 2


# --- what is wrong across keys -------------------------------------------------------------------

MOCK = '[pins]\nfactory = "mock"\n[simulation]\nscenario = "clean"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "[faults.back_rounding_deg]\nrelease = 9",
            "2: faults.back_rounding_deg.release = 9: must be below faults.back_rounding_deg.onset = 9, "
            "at least 0 (degrees)",
        ),
        (
            "[faults.knee_lockout_deg]\nrelease = 4",
            "2: faults.knee_lockout_deg.release = 4: must be above faults.knee_lockout_deg.onset = 6.5, "
            "at most 60 (degrees): this fault begins below its onset",
        ),
        ("[faults.hips_forward_m]\nonset = 4", "2: faults.hips_forward_m.onset = 4: allowed 0.005 to 0.3 (metres)"),
        (
            "[faults.knee_valgus_deg]\nhigh = 5\nhigh_heavy = 5.5",
            "2: faults.knee_valgus_deg.high = 5: must be above faults.knee_valgus_deg.onset = 5.5 (degrees)",
        ),
        (
            "[faults.knee_valgus_deg]\nhigh_heavy = 15",
            "2: faults.knee_valgus_deg.high_heavy = 15: allowed from faults.knee_valgus_deg.onset to its high, "
            "5.5 to 14 (degrees)",
        ),
        ("[pins]\nbutton = 22", "2: pins.button = 22: taken by pins.light_blue; each device needs its own pin"),
        (
            '[pins]\nfactory = "mock"',
            '2: pins.factory = "mock": simulated pins need a scenario; set [simulation] scenario, '
            'or factory = "lgpio" for a real machine',
        ),
        (
            '[simulation]\nscenario = "clean"',
            '2: simulation.scenario = "clean": a scenario needs simulated pins; set [pins] factory = "mock", '
            "or remove it on a real machine",
        ),
        ('[[cameras]]\nsource = "clip"', '2: cameras[0].source = "clip": needs clip = "a video file" beside it'),
        (
            '[[cameras]]\nclip = "a.mp4"',
            '2: cameras[0].clip = "a.mp4": only used with source = "clip", but source is "picamera2"',
        ),
        ('[[cameras]]\nsource = "scenario"', '2: cameras[0].source = "scenario": needs [simulation] scenario'),
        (
            '[[cameras]]\n[[cameras]]\nname = "side"\nsource = "usb"',
            '3: cameras[1].name = "side": another camera has this name; each needs its own',
        ),
        (
            '[[cameras]]\nlocation = "cam0"\n[[cameras]]\nname = "front"',
            "3: cameras[1].location is missing: two such cameras are told apart by where they are plugged in; "
            'allowed "cam0" or "cam1"',
        ),
        (
            '[[cameras]]\nlocation = "cam0"\n[[cameras]]\nname = "front"\nlocation = "cam0"',
            '5: cameras[1].location = "cam0": another camera is plugged in there',
        ),
        (
            '[[cameras]]\nsource = "clip"\nclip = "a.mp4"\nlocation = "cam0"',
            '4: cameras[0].location = "cam0": only used with source = "picamera2" or "usb"',
        ),
        (
            "[[cameras]]\ngain = 2.0",
            "2: cameras[0].gain = 2: only used with a fixed exposure_us beside it",
        ),
        (
            '[[cameras]]\n[[cameras]]\nname = "b"\nsource = "usb"\n'
            '[[cameras]]\nname = "c"\nsource = "clip"\nclip = "c.mp4"',
            "5: cameras[2] is camera number 3 of 3; allowed one or two cameras",
        ),
        ("[seat]\nreading_at_last = 0.05", "2: seat.reading_at_last = 0.05: must differ from seat.reading_at_first"),
        (
            "[machine]\nseat_notches_m = []",
            "2: machine.seat_notches_m = []: allowed one or more positions in metres, rising",
        ),
        (
            "[machine]\nseat_notches_m = [0.0, 0.1, 0.1]",
            "2: machine.seat_notches_m = [0.0, 0.1, 0.1]: must rise from notch to notch (metres)",
        ),
        (
            "[machine]\nseat_notches_m = [0, 5, 10]",
            "2: machine.seat_notches_m = [0.0, 5.0, 10.0]: allowed 0 to 1.5 (metres from the first notch)",
        ),
        (
            "[machine]\nseat_notches_m = [0.0, 0.02]",
            "1: machine.seat_notch_tolerance_m = 0.012: notches overlap; "
            "allowed below half the smallest gap, 0.01 (metres)",
        ),
        (
            "[load]\ncounts_per_kg = 0",
            "2: load.counts_per_kg = 0: would divide by zero; allowed -1000000 to 1000000 but 0, from a known weight, "
            "or leave the key out",
        ),
        ("[goals.quads]\nhigh = 0.5", "1: goals.quads.low = 0.55: must be below goals.quads.high = 0.5"),
    ],
)
def test_a_contradiction_between_keys_is_named(text: str, fault: str) -> None:
    assert fault in faults_of(text)


def test_a_simulated_machine_with_its_scenario_is_valid() -> None:
    config = parse(MOCK + '[[cameras]]\nsource = "scenario"\n', SOURCE)
    assert (config.pins.factory, config.simulation.scenario, config.cameras[0].source) == ("mock", "clean", "scenario")


def test_one_key_of_a_fault_leaves_its_other_keys_at_their_own_defaults() -> None:
    fault = parse("[faults.hips_forward_m]\nenabled = false\n", SOURCE).faults.hips_forward_m
    assert (fault.onset, fault.release, fault.dwell_s, fault.enabled) == (0.04, 0.025, 0.5, False)


# --- lines ---------------------------------------------------------------------------------------


def test_lines_are_found_through_every_form_that_toml_has() -> None:
    text = '''
top.dotted."quoted key" = 1
[a.b]   # comment with ] and "
text = """
x = 5
""" # more
literal = \'\'\'it''s
\'\'\'
list = [ 1, # one
  { inner = "]", deep.er = 2 },
  "}",
]
date = 1979-05-27 07:32:00
[[c]]
k = 1
[[c]]
k = 2
[c.sub]
s = 3
[[c.d]]
e = 1
'''
    lines = key_lines(text)
    expected = {
        ("top", "dotted", "quoted key"): 2,
        ("a", "b"): 3,
        ("a", "b", "text"): 4,
        ("a", "b", "literal"): 7,
        ("a", "b", "list"): 9,
        ("a", "b", "list", 1, "inner"): 10,
        ("a", "b", "list", 1, "deep", "er"): 10,
        ("a", "b", "list", 2): 11,
        ("a", "b", "date"): 13,
        ("c", 0, "k"): 15,
        ("c", 1, "k"): 17,
        ("c", 1, "sub", "s"): 19,
        ("c", 1, "d", 0, "e"): 21,
    }
    assert {path: lines[path] for path in expected} == expected
    assert nearest_line(lines, ("c", 1, "unwritten")) == 16
    assert nearest_line(lines, ("nowhere", "k")) is None


toml_values = st.recursive(
    st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc-_ .#\"'", max_size=4), inner, max_size=3),
    max_leaves=8,
)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(key)} = {_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + ",\n".join(_inline(item) for item in value) + "\n]"
    if isinstance(value, bool):
        return str(value).lower()
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(c):08x}" if c in '"\\' or ord(c) < 32 or ord(c) == 127 else c for c in text) + '"'


@given(st.dictionaries(st.text("abcxyz.", min_size=1, max_size=4), toml_values, max_size=4))
def test_every_key_of_any_toml_text_has_its_line(data: dict[str, Any]) -> None:
    text = "".join(
        f"# {number}\n{_quoted(key)} = {_inline(value)}\n" for number, (key, value) in enumerate(data.items())
    )
    assert set(tomllib.loads(text)) == set(data)
    lines, rows = key_lines(text), text.split("\n")
    for key in data:
        assert rows[lines[(key,)] - 1].startswith(_quoted(key))


@given(st.dictionaries(st.sampled_from([*Config.model_fields, "frob"]), toml_values, max_size=4))
def test_no_toml_text_ends_in_anything_but_a_configuration_or_named_faults(data: dict[str, Any]) -> None:
    text = "".join(f"{key} = {_inline(value)}\n" for key, value in data.items())
    try:
        config = parse(text, SOURCE)
    except ConfigError as error:
        assert error.lines
        assert all(re.match(rf"{re.escape(str(SOURCE))}:\d+: ", line) and "\n" not in line for line in error.lines)
    else:
        assert isinstance(config, Config)


# --- showing -------------------------------------------------------------------------------------


def test_what_is_shown_reads_back_as_the_same_configuration() -> None:
    config = parse(
        MOCK + '[machine]\nname = "Presse \\"5\\" \\u007f ü"\n[load]\ncounts_per_kg = 1.5\n'
        '[[cameras]]\nsource = "scenario"\n[[cameras]]\nname = "front"\nmodel = "heavy"\n',
        SOURCE,
    )
    assert parse(to_toml(config), SOURCE) == config


def test_what_differs_from_the_defaults_is_shown_alone() -> None:
    config = parse("[web]\nport = 9000\n[faults.heel_lift_deg]\nenabled = false\n", Path.cwd() / "x.toml")
    assert to_toml(config, changed_only=True) == "\n[faults.heel_lift_deg]\nenabled = false\n\n[web]\nport = 9000\n"


def test_a_home_folder_that_is_not_there_is_told_with_the_file() -> None:
    told = only_fault('[paths]\nmodel_dir = "~nobody-of-this-name/models"')
    assert told == " ~nobody-of-this-name/models: cannot expand ~, this user has no home folder; write the path in full"
