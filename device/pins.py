"""The header pins, through gpiozero: the only file that chooses a pin factory or imports a GPIO library.

``pins.factory`` decides, and nothing falls back: ``lgpio`` is the Raspberry Pi's header, ``mock`` a
header that exists only in this process, on which simulated chips (``device.simulation``) or a test pull.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

import gpiozero
from gpiozero.pins.mock import MockFactory
from gpiozero.pins.mock import MockPin as GpiozeroMockPin

from device import board_advice
from device.config import Pins
from device.header_chip import header_chip
from device.pin_lines import AnalogInput, EdgeWatch, InputPin, OutputPin, PinError, TonePin
from device.quadrature import QuadratureCounter

__all__ = [
    "AnalogInput", "Board", "InputPin", "MockBoard", "OutputPin", "PinError", "TonePin", "header_chip", "open_board",
    "silence_on_exit",
]  # fmt: skip

if TYPE_CHECKING:  # only a machine with I2C chips loads what speaks to them
    from device.i2c import I2cChip
    from device.simulation.i2c_bus import I2cSlave, SimulatedSMBus

MOCK_BOARD = "c04170"
"""Revision code that the mock board pretends to be: Raspberry Pi 5, 4 GB."""


class Board:
    """The pins in use, by BCM number, all released (outputs low first) by ``close`` or at the end of a with-block.

    One board at a time in a process: gpiozero shares its SPI buses by pin number alone.
    """

    def __init__(self, factory: Any, backend_errors: tuple[type[Exception], ...] = ()) -> None:
        self._factory = factory
        # parts of gpiozero (its software SPI) ask for the default factory, and would search for one by themselves
        gpiozero.Device.pin_factory = factory
        self._errors = (gpiozero.GPIOZeroError, OSError, *backend_errors)
        self._devices: list[Any] = []
        self._spi_opened = False
        self._outputs: list[OutputPin] = []

    def output(self, pin: int, purpose: str) -> OutputPin:
        """Drive ``pin`` (low from now on). Raises PinError."""
        device = self._open(pin, purpose, lambda: gpiozero.OutputDevice(pin, pin_factory=self._factory))
        self._outputs.append(device.pin)
        line: OutputPin = device.pin
        return line

    def input(self, pin: int, purpose: str, pull_up: bool = False) -> InputPin:
        """Read ``pin``, floating or pulled up. Raises PinError."""
        active = None if pull_up else True
        device = self._open(
            pin,
            purpose,
            lambda: gpiozero.InputDevice(
                pin, pull_up=True if pull_up else None, active_state=active, pin_factory=self._factory
            ),
        )
        line: InputPin = device.pin
        return line

    def tone(self, pin: int, purpose: str) -> TonePin:
        """Drive ``pin`` with tones (low from now on). Raises PinError."""
        device = self._open(
            pin, purpose, lambda: gpiozero.PWMOutputDevice(pin, frequency=1000, pin_factory=self._factory)
        )
        self._outputs.append(device.pin)
        return TonePin(device)

    def quadrature(self, pin_a: int, pin_b: int, purpose: str) -> QuadratureCounter:
        """Count the edges of two pulled-up pins, in gpiozero's thread. Raises PinError."""
        lines: list[Any] = [self.input(pin_a, f"{purpose} A", True), self.input(pin_b, f"{purpose} B", True)]
        counter = QuadratureCounter(bool(lines[0].state), bool(lines[1].state))

        # released before the pins themselves
        self._devices += [EdgeWatch(line, partial(counter.edge, channel)) for channel, line in enumerate(lines)]
        return counter

    def i2c(self, bus: int, address: int, purpose: str) -> I2cChip:
        """The chip at ``address`` of /dev/i2c-``bus``, not spoken to yet. Raises PinError."""
        try:
            chip = self._open_chip(bus, address)
        except OSError as error:
            raise PinError(f"I2C bus {bus} ({purpose}): {board_advice.i2c_advice(str(error), bus)}") from error
        self._devices.append(chip)
        return chip

    def _open_chip(self, bus: int, address: int) -> I2cChip:
        from device.i2c import open_chip

        return open_chip(bus, address)

    def mcp3008(self, channel: int, pins: Pins) -> AnalogInput:
        """Channel 0..7 of the MCP3008 on the seat's SPI pins. Raises PinError, also when SPI is switched off."""

        def connect() -> Any:
            with warnings.catch_warnings():
                # gpiozero would bit-bang SPI instead: the installer must switch SPI on, not live with a slow bus
                warnings.simplefilter("error", gpiozero.SPISoftwareFallback)
                return gpiozero.MCP3008(
                    channel=channel,
                    clock_pin=pins.seat_spi_clock,
                    mosi_pin=pins.seat_spi_mosi,
                    miso_pin=pins.seat_spi_miso,
                    select_pin=pins.seat_spi_select,
                    pin_factory=self._factory,
                )

        self._spi_opened = True
        try:
            adc: AnalogInput = self._open(pins.seat_spi_select, "seat converter (MCP3008)", connect)
        except gpiozero.SPISoftwareFallback as error:
            advice = board_advice.spi_advice(str(error))
            raise PinError(f"SPI of the converter (MCP3008): {advice}") from error
        return adc

    def _open(self, pin: int, purpose: str, make: Callable[[], Any]) -> Any:
        try:
            device = make()
        except gpiozero.SPISoftwareFallback:
            raise
        except gpiozero.PinInvalidPin as error:
            raise PinError(f"GPIO {pin} ({purpose}): the header has no such pin; choose one of 2 to 27") from error
        except self._errors as error:
            raise PinError(f"GPIO {pin} ({purpose}): {board_advice.gpio_advice(str(error))}") from error
        self._devices.append(device)
        return device

    def silence(self) -> None:
        """Drive every output low: buzzer silent, light dark. A pin that is gone already does not spare the others."""
        for line in self._outputs:
            try:
                line.state = False
            except self._errors as error:
                sys.stderr.write(f"legpress: a pin could not be driven low: {error}\n")

    def close(self) -> None:
        """Silence the outputs and give the pins back. May be called again."""
        self.silence()
        self._outputs.clear()
        while self._devices:
            self._devices.pop().close()
        if self._spi_opened:
            # gpiozero's closed SPI buses take its pin lock once more when they are collected; were that to happen
            # while a later board reserves a pin, the thread would wait for itself for ever
            gc.collect()
        self._factory.close()
        if gpiozero.Device.pin_factory is self._factory:
            gpiozero.Device.pin_factory = None

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MockPin(GpiozeroMockPin):  # type: ignore[misc]  # gpiozero carries no types
    """A mock pin that other parts can watch or feed, and that keeps no history (gpiozero's grows without bound)."""

    _state: bool
    watchers: tuple[Callable[[bool], None], ...] = ()
    source: Callable[[], bool] | None = None
    frequency_hz: float | None = None
    duty: float = 0.0

    def clear_states(self) -> None:
        self._last_change = 0.0
        self.states: list[object] = []

    def _change_state(self, value: bool) -> bool:
        if self._state == value:
            return False
        self._state = value
        for watcher in self.watchers:
            watcher(value)
        return True

    def _get_state(self) -> bool:
        return self._state if self.source is None else self.source()

    def _set_state(self, value: float) -> None:
        self.duty = float(value)
        super()._set_state(value > 0)

    def _get_frequency(self) -> float | None:
        return self.frequency_hz

    def _set_frequency(self, value: float | None) -> None:
        self.frequency_hz = value
        if value is None and self.function == "output":
            self._set_state(0.0)


class MockBoard(Board):
    """A header that exists only in this process. ``watch`` and ``feed`` are what chips and tests hang on to."""

    def __init__(self) -> None:
        super().__init__(MockFactory(revision=MOCK_BOARD, pin_class=MockPin))

        self._buses: dict[int, SimulatedSMBus] = {}

    def attach_i2c(self, bus: int, address: int, chip: I2cSlave) -> None:
        """Put a simulated chip on a bus, in place of the one that was there."""
        self._bus(bus).chips[address] = chip

    def _bus(self, bus: int) -> SimulatedSMBus:
        from device.simulation.i2c_bus import SimulatedSMBus

        return self._buses.setdefault(bus, SimulatedSMBus())

    def _open_chip(self, bus: int, address: int) -> I2cChip:
        from device.i2c import I2cChip

        return I2cChip(self._bus(bus), address)

    def tone_on(self, pin: int) -> tuple[float | None, float]:
        """Frequency (Hz) and duty cycle of the wave on ``pin``."""
        line = self._factory.pin(pin)
        return line.frequency_hz, line.duty

    def watch(self, pin: int, watcher: Callable[[bool], None]) -> None:
        """Call ``watcher(level)`` at every change of ``pin``, at once and in the thread that changed it."""
        line = self._factory.pin(pin)
        line.watchers = (*line.watchers, watcher)

    def feed(self, pin: int, source: Callable[[], bool] | None) -> None:
        """Whoever reads ``pin`` reads ``source()``; None ends that."""
        self._factory.pin(pin).source = source

    def level(self, pin: int) -> bool:
        return bool(self._factory.pin(pin).state)

    def drive(self, pin: int, level: bool) -> None:
        """Pull an input pin to ``level`` from outside, as a switch does."""
        line = self._factory.pin(pin)
        (line.drive_high if level else line.drive_low)()


def open_board(factory: Literal["lgpio", "mock"]) -> Board:
    """The board that ``pins.factory`` names, no other. Raises PinError."""
    return MockBoard() if factory == "mock" else _lgpio_board()


def _lgpio_board() -> Board:
    try:
        # importing lgpio leaves a pipe in the working folder, and fails where that cannot be written
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            import lgpio
            from gpiozero.pins.lgpio import LGPIOFactory
    except ImportError as error:
        raise PinError(
            "pins.factory is lgpio, but the library lgpio is not installed: 'sudo apt install python3-lgpio' and a "
            "virtual environment made with --system-site-packages; without a Raspberry Pi use 'legpress demo'"
        ) from error
    try:
        return Board(LGPIOFactory(chip=header_chip(_lgpio_chips(lgpio))), (lgpio.error,))
    except (lgpio.error, OSError) as error:
        raise PinError(f"the GPIO header cannot be opened: {board_advice.gpio_advice(str(error))}") from error


def _lgpio_chips(lgpio: Any) -> list[tuple[int, str]]:
    chips = []
    paths = board_advice.DEVICES.glob("gpiochip[0-9]*")
    for number in sorted(int(path.name.removeprefix("gpiochip")) for path in paths):
        handle = lgpio.gpiochip_open(number)
        try:
            chips.append((number, str(lgpio.gpio_get_chip_info(handle)[3])))
        finally:
            lgpio.gpiochip_close(handle)
    return chips


def silence_on_exit(board: Board) -> None:
    """Close ``board`` however this process ends short of SIGKILL: at exit, and on SIGTERM or SIGHUP where nobody else
    handles them. (After SIGKILL or a power cut the pull-down resistors of the wiring guide do it.)
    """
    atexit.register(board.close)

    def leave(number: int, _: FrameType | None) -> None:
        board.silence()
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, leave)
