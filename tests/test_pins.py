"""Which pins are used, by whom, and what a person reads when they cannot be had."""

import importlib
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import gpiozero
import pytest

from device import board_advice
from device import pins as pins_module
from device.config import Pins
from device.hx711 import HX711
from device.pins import MockBoard, PinError, header_chip, open_board
from device.simulation.hx711_chip import SimulatedHX711


@pytest.fixture
def board():
    board = MockBoard()
    yield board
    board.close()


def test_an_output_is_low_from_the_start_and_low_again_after_close():
    board = MockBoard()
    levels = []
    board.watch(18, levels.append)
    line = board.output(18, "buzzer")
    line.state = True
    board.close()
    assert levels == [True, False]


def test_closing_twice_and_leaving_a_with_block_are_harmless():
    with MockBoard() as board:
        board.output(18, "buzzer").state = True
        board.close()
    assert gpiozero.Device.pin_factory is None


def test_a_new_board_can_be_opened_after_the_old_one_was_closed():
    for _ in range(2):
        with MockBoard() as board:
            board.output(18, "buzzer")
            assert board.mcp3008(0, Pins()).raw_value == 0


def test_two_devices_on_one_pin_are_refused_by_name(board):
    board.output(18, "buzzer")
    with pytest.raises(PinError, match=r"^GPIO 18 \(red light\): in use already .* change the pin in \[pins\]$"):
        board.output(18, "red light")


def test_a_pin_that_the_header_lacks_is_refused(board):
    with pytest.raises(PinError, match=r"^GPIO 40 \(buzzer\): the header has no such pin; choose one of 2 to 27$"):
        board.output(40, "buzzer")


def test_an_input_pulled_up_reads_high_until_it_is_grounded(board):
    line = board.input(23, "button", pull_up=True)
    assert line.state
    board.drive(23, False)
    assert not line.state


def test_mock_pins_keep_no_history(board):
    line = board.output(6, "clock")
    for _ in range(10_000):
        line.state = True
        line.state = False
    assert board._factory.pin(6).states == []


def test_a_pin_that_is_gone_does_not_keep_the_others_from_being_silenced(board, capsys):
    class Gone:
        @property
        def state(self):
            return True

        @state.setter
        def state(self, level):
            raise OSError("device removed")

    buzzer = board.output(18, "buzzer")
    buzzer.state = True
    board._outputs.insert(0, Gone())
    board.silence()
    assert not board.level(18)
    assert capsys.readouterr().err == "legpress: a pin could not be driven low: device removed\n"


def test_the_header_of_a_pi_5_is_found_by_its_label_whatever_its_number():
    assert header_chip([(0, "gpio-brcmstb"), (11, "pinctrl-rp1"), (12, "gpio-brcmstb")]) == 11


def test_the_header_of_an_older_pi_is_its_first_chip():
    assert header_chip([(0, "pinctrl-bcm2711"), (1, "raspberrypi-exp-gpio")]) == 0


@pytest.mark.parametrize(
    ("chips", "found"), [([], "none"), ([(0, "INT34C5:00"), (1, "ftdi")], "gpiochip0 INT34C5:00, gpiochip1 ftdi")]
)
def test_a_computer_without_a_header_is_told_so(chips, found):
    with pytest.raises(PinError) as error:
        header_chip(chips)
    assert str(error.value) == (
        f"no GPIO chip of a Raspberry Pi header found (found: {found}); on other computers use the simulated machine: "
        "'legpress demo'"
    )


def test_without_lgpio_the_real_header_is_refused_and_nothing_takes_its_place(monkeypatch):
    monkeypatch.setitem(sys.modules, "lgpio", None)
    with pytest.raises(PinError, match="the library lgpio is not installed: 'sudo apt install python3-lgpio'"):
        open_board("lgpio")
    assert gpiozero.Device.pin_factory is None


def test_the_chips_of_the_computer_are_listed_by_number_and_closed_again(tmp_path, monkeypatch):
    for name in ("gpiochip10", "gpiochip4", "gpiomem"):
        (tmp_path / name).touch()
    opened = []
    lgpio = SimpleNamespace(
        gpiochip_open=lambda number: opened.append(number) or number,
        gpio_get_chip_info=lambda handle: [0, 54, f"gpiochip{handle}", "pinctrl-rp1" if handle == 4 else "other"],
        gpiochip_close=opened.remove,
    )
    monkeypatch.setattr(board_advice, "DEVICES", tmp_path)
    assert pins_module._lgpio_chips(lgpio) == [(4, "pinctrl-rp1"), (10, "other")]
    assert opened == []


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("GPIO busy", "in use already (GPIO busy); stop the other program ('gpioinfo' names it)"),
        ("can not open gpiochip", "'sudo usermod -aG gpio USER'"),
        ("[Errno 13] Permission denied", "'sudo usermod -aG gpio USER'"),
        ("bad GPIO read", "check the wiring and [pins], then run 'legpress doctor'"),
    ],
)
def test_each_failure_of_the_header_has_its_own_advice(error, advice):
    assert advice in board_advice.gpio_advice(error)


def test_spi_that_is_switched_off_is_not_replaced_by_slow_software(board, monkeypatch):
    software = board._factory._get_spi_class

    def spi_class(shared, hardware):
        if hardware:
            raise OSError("can not open SPI device")
        return software(shared, hardware)

    monkeypatch.setattr(board._factory, "_get_spi_class", spi_class)
    with pytest.raises(PinError, match="switch it on with 'sudo raspi-config', Interface Options, SPI"):
        board.mcp3008(0, Pins())


@pytest.fixture
def lgpio(monkeypatch, tmp_path):
    """The fake in the library's place, on a computer that says it is a Raspberry Pi 5."""
    fake = importlib.import_module("fake_lgpio")
    fake.header = fake.Header()
    Path(".lgd-nfy0").unlink(missing_ok=True)
    monkeypatch.setitem(sys.modules, "lgpio", fake)
    monkeypatch.delitem(sys.modules, "gpiozero.pins.lgpio", raising=False)
    monkeypatch.setattr("gpiozero.pins.local.get_pi_revision", lambda: 0xC04170)
    monkeypatch.setattr(board_advice, "DEVICES", tmp_path)
    for number in fake.header.chips:
        (tmp_path / f"gpiochip{number}").touch()
    yield fake
    sys.modules.pop("gpiozero.pins.lgpio", None)


def test_on_a_pi_5_the_real_factory_drives_the_headers_chip(lgpio):
    with open_board("lgpio") as board:
        assert lgpio.header.opened == [11]
        buzzer = board.output(18, "buzzer")
        assert lgpio.header.levels[18] == 0
        buzzer.state = True
        assert lgpio.header.levels[18] == 1
    assert lgpio.header.levels[18] == 0
    assert lgpio.header.opened == []


def test_the_load_cell_driver_works_through_the_real_factory_bit_by_bit(lgpio):
    now_s = [100.0]
    chip = SimulatedHX711(
        lgpio.header, 5, 6, lambda setting, t_s: -1_234_567, clock=lambda: now_s[0], pulse_clock=lambda: now_s[0]
    )
    with open_board("lgpio") as board:
        driver = HX711(
            board.input(5, "data"), board.output(6, "clock"), pulse_clock=lambda: now_s[0], sleep=lambda _: 0
        )
        driver.reset(now_s[0])
        now_s[0] += 4 * chip.period_s + 0.001
        assert driver.read(now_s[0]).raw == -1_234_567


def test_the_seats_converter_uses_the_hardware_bus(lgpio):
    with open_board("lgpio") as board:
        assert board.mcp3008(3, Pins()).raw_value == 0b10_0000_0001
    assert lgpio.header.spi_words == [[0b1, 0b1011_0000, 0]]


def test_a_pin_that_another_program_holds_is_named(lgpio):
    lgpio.header.busy.add(18)
    with (
        open_board("lgpio") as board,
        pytest.raises(PinError, match=r"^GPIO 18 \(buzzer\): in use already \(GPIO busy\); stop the other program"),
    ):
        board.output(18, "buzzer")


def test_without_permission_for_the_header_the_group_is_named(lgpio, tmp_path):
    (tmp_path / "gpiochip3").touch()
    with pytest.raises(PinError, match=r"^the GPIO header cannot be opened: no permission .* usermod -aG gpio"):
        open_board("lgpio")


def test_spi_that_is_off_on_the_pi_is_told_with_how_to_switch_it_on(lgpio):
    lgpio.header.spi_off = True
    with open_board("lgpio") as board, pytest.raises(PinError, match="'sudo raspi-config', Interface Options, SPI"):
        board.mcp3008(0, Pins())


def test_importing_lgpio_leaves_nothing_in_the_working_folder(monkeypatch, tmp_path):
    (tmp_path / "lgpio.py").write_text((Path(__file__).parent / "fake_lgpio.py").read_text())
    (tmp_path / "work").mkdir()
    program = f"""
        import sys, os
        sys.path[:0] = [{str(tmp_path)!r}, {str(Path(__file__).parents[1])!r}]
        from device.pins import PinError, open_board
        try:
            open_board("lgpio")
        except PinError as error:
            print(error)
        print("lgpio" in sys.modules, os.getcwd(), os.listdir())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path / "work",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == f"True {tmp_path / 'work'} []"


@pytest.mark.parametrize(
    ("ending", "code"),
    [("pass", 0), ("raise RuntimeError('a bug')", 1), ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)", 143)],
)
def test_however_the_process_ends_the_buzzer_is_silent(ending, code, tmp_path):
    log = tmp_path / "edges"
    program = f"""
        import os, signal, time
        from device.pins import MockBoard, silence_on_exit
        board = MockBoard()
        silence_on_exit(board)
        board.watch(18, lambda level: open({str(log)!r}, "a").write(f"{{level}} "))
        board.output(18, "buzzer").state = True
        {ending}
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, check=False)
    assert (log.read_text(), done.returncode) == ("True False ", code)


def test_spi_without_permission_names_its_group(lgpio, tmp_path):
    lgpio.header.spi_off = True
    (tmp_path / "spidev0.0").touch(mode=0o000)
    advice = board_advice.spi_advice("Permission denied", tmp_path)
    assert advice.startswith("no permission (Permission denied); 'sudo usermod -aG spi USER'")


def test_an_i2c_bus_that_is_off_is_told_with_how_to_switch_it_on(lgpio, monkeypatch):
    def no_bus(bus, address):
        raise FileNotFoundError(2, "No such file or directory", f"/dev/i2c-{bus}")

    monkeypatch.setattr("device.i2c.open_chip", no_bus)
    with open_board("lgpio") as board:
        with pytest.raises(PinError, match=r"^I2C bus 1 \(seat ranger\): I2C is switched off .* Options, I2C, then"):
            board.i2c(1, 0x29, "seat ranger")
        with pytest.raises(PinError, match=r"^I2C bus 4 \(seat ranger\): there is no such bus .*i2c-gpio,bus=4"):
            board.i2c(4, 0x29, "seat ranger")


def test_the_real_library_is_what_opens_a_bus():
    from device.i2c import open_chip

    with pytest.raises(OSError, match="i2c-99"):
        open_chip(99, 0x29)


def test_a_tone_is_a_wave_of_its_pitch_and_width(board):
    tone = board.tone(18, "buzzer")
    tone.sound(880.0, 0.25)
    assert board.tone_on(18) == (880.0, 0.25)
    assert board.level(18)
    tone.silence()
    assert not board.level(18)


def test_tones_are_made_by_the_real_factory_and_end_with_the_board(lgpio):
    with open_board("lgpio") as board:
        tone = board.tone(18, "buzzer")
        tone.sound(880.0, 0.25)
        assert lgpio.header.waves[18] == (880.0, 25)
        board.silence()
        assert lgpio.header.waves[18][1] == 0
        tone.sound(1100.0, 0.5)
    assert lgpio.header.waves[18][1] == 0


def test_an_encoders_edges_are_counted_through_the_real_factory(lgpio):
    with open_board("lgpio") as board:
        counter = board.quadrature(16, 20, "carriage encoder")
        for a, b in [(1, 0), (1, 1), (0, 1), (0, 0)] * 5:
            lgpio.header.drive(16, a)
            lgpio.header.drive(20, b)
        assert (counter.count, counter.missed) == (20, 0)
    lgpio.header.drive(16, 1)
    assert counter.count == 20


def test_the_pots_and_the_pads_channels_share_the_hardware_bus(lgpio):
    with open_board("lgpio") as board:
        readers = [board.mcp3008(channel, Pins()) for channel in (0, 1, 2)]
        assert [reader.raw_value for reader in readers] == [513, 513, 513]
    assert [word[1] >> 4 & 7 for word in lgpio.header.spi_words] == [0, 1, 2]
