"""What the hardware's keys allow together, in the words that a person reads."""

from pathlib import Path

import pytest

from device.config_file import ConfigError, parse

SOURCE = Path("/srv/press/config.toml")


def faults_of(text):
    try:
        parse(text, SOURCE)
    except ConfigError as error:
        return [line.removeprefix(f"{SOURCE}:") for line in error.lines]
    return []


@pytest.mark.parametrize(
    "text",
    [
        '[load]\nconverter = "nau7802"\nsamples_per_s = 320',
        '[load]\nconverter = "none"\n[seat]\nsensors = []',
        '[load]\ncells = 2',
        '[load]\nconverter = "nau7802"\ncells = 2',
        '[pins]\nseat_switches = [7, 12, 13, 14, 15, 19, 21]\n[seat]\nsensors = ["pot", "switches"]',
        '[seat]\nsensors = ["pot", "tof"]\n[carriage]\nsensor = "tof"\ntof_bus = 4',
        '[carriage]\nsensor = "encoder"\n[pads]\nenabled = true',
        '[outputs]\nbuzzer = "passive"\nloudness_night = 0.3\nlight = "traffic"',
        # pins of parts that are not there may be used twice
        '[pins]\ncarriage_a = 18\ncarriage_b = 17',
        '[outputs]\nlight = "none"\n[pins]\nbuzzer = 17',
        '[seat]\nsensors = []\n[pins]\nbuzzer = 8',
    ],
)
def test_what_fits_together_is_accepted(text):
    assert faults_of(text) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            '[carriage]\nsensor = "encoder"\n[pins]\ncarriage_a = 18',
            "3: pins.buzzer = 18: taken by pins.carriage_a; each device needs its own pin",
        ),
        (
            '[load]\nconverter = "nau7802"\n[pins]\nbuzzer = 3',
            "4: pins.buzzer = 3: taken by I2C (SCL); each device needs its own pin",
        ),
        (
            '[pins]\nseat_switches = [7, 12, 13, 14, 15, 19, 7]\n[seat]\nsensors = ["switches"]',
            "2: pins.seat_switches[6] = 7: taken by pins.seat_switches[0]; each device needs its own pin",
        ),
        (
            '[pins]\nseat_switches = [7, 12]\n[seat]\nsensors = ["switches"]',
            "2: pins.seat_switches = [7, 12]: 2 pins for the 7 notches of machine.seat_notches_m",
        ),
        (
            '[seat]\nsensors = ["tof"]\n[carriage]\nsensor = "tof"',
            "3: carriage.tof_bus = 1: seat.tof_bus has a chip at the same address 0x29 on it",
        ),
        (
            '[load]\nconverter = "nau7802"\ncells = 2\nbus_right = 1',
            "4: load.bus_right = 1: load.bus has a chip at the same address 0x2A on it",
        ),
        ("[load]\nsamples_per_s = 40", "2: load.samples_per_s = 40: an HX711 gives 10 or 80; 20, 40, 320 need"),
        (
            '[load]\nconverter = "nau7802"\nchannel_gain = "b32"',
            '3: load.channel_gain = "b32": only an HX711 has it; leave the key out with a NAU7802',
        ),
        ("[load]\ncells = 2\ncounts_per_kg_right = 0.0", "3: load.counts_per_kg_right = 0: would divide by zero"),
        ("[load]\ncells = 3", "2: load.cells = 3: allowed 1, 2"),
        (
            "[load]\nrail_deg = 2.0\ncounts_per_kg = 2000.0",
            "2: load.rail_deg = 2: a cell under the plate feels no weight on rails flatter than 5 (degrees)",
        ),
        (
            '[seat]\nsensors = ["pot", "pot"]',
            '2: seat.sensors = ["pot", "pot"]: allowed none, one or two different of pot, switches, tof',
        ),
        (
            '[seat]\nsensors = ["tof"]\ntof_direction = "towards"',
            "1: seat.tof_first_m = 0.2: with the distance shrinking over 0.3 m of notches it must be at least 0.34",
        ),
        (
            "[pads]\nenabled = true\nlumbar_channel = 0",
            "3: pads.lumbar_channel = 0: taken by seat.channel; each sensor needs its own channel, 0 to 7",
        ),
        ("[pads]\nlost = 0.2", "2: pads.lost = 0.2: must be below pads.contact = 0.15"),
        ("[carriage]\ncounts_per_m = 0.0", "2: carriage.counts_per_m = 0: would divide by zero"),
        (
            "[outputs]\nloudness_night = 0.5",
            '2: outputs.loudness_night = 0.5: an active buzzer has one loudness, 1; use buzzer = "passive", or',
        ),
        ('[outputs]\nnight_from = "25:00"', '2: outputs.night_from = "25:00": allowed a text in quotes that matches'),
        ('[outputs]\nnight_from = "07:00"', "1: outputs.night_to = \"07:00\": must differ from outputs.night_from"),
    ],
)
def test_what_does_not_is_named_with_its_line_and_what_is_allowed(text, fault):
    found = faults_of(text)
    assert len(found) == 1
    assert found[0].startswith(fault)
