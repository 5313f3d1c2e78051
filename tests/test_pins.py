"""Which pins are used, by whom, and what a person reads when they cannot be had."""

import subprocess
import sys
import textwrap
from types import SimpleNamespace

import gpiozero
import pytest

from device import pins as pins_module
from device.config import Pins
from device.pins import MockBoard, PinError, header_chip, open_board


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


def test_the_chips_of_the_computer_are_listed_by_number_and_closed_again(tmp_path):
    for name in ("gpiochip10", "gpiochip4", "gpiomem"):
        (tmp_path / name).touch()
    opened = []
    lgpio = SimpleNamespace(
        gpiochip_open=lambda number: opened.append(number) or number,
        gpio_get_chip_info=lambda handle: [0, 54, f"gpiochip{handle}", "pinctrl-rp1" if handle == 4 else "other"],
        gpiochip_close=opened.remove,
    )
    assert pins_module._lgpio_chips(lgpio, tmp_path) == [(4, "pinctrl-rp1"), (10, "other")]
    assert opened == []


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("GPIO busy", "in use already (GPIO busy); stop the other program ('gpioinfo' names it)"),
        ("can not open gpiochip", "'sudo usermod -aG gpio,spi,i2c USER'"),
        ("[Errno 13] Permission denied", "'sudo usermod -aG gpio,spi,i2c USER'"),
        ("bad GPIO read", "check the wiring and [pins], then run 'legpress doctor'"),
    ],
)
def test_each_failure_of_the_header_has_its_own_advice(error, advice):
    assert advice in pins_module._advice(error)


def test_spi_that_is_switched_off_is_not_replaced_by_slow_software(board, monkeypatch):
    software = board._factory._get_spi_class

    def spi_class(shared, hardware):
        if hardware:
            raise OSError("can not open SPI device")
        return software(shared, hardware)

    monkeypatch.setattr(board._factory, "_get_spi_class", spi_class)
    with pytest.raises(PinError, match="switch it on with 'sudo raspi-config', Interface Options, SPI"):
        board.mcp3008(0, Pins())


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
