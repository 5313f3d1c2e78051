"""What gpiozero and we use of the library lgpio, on wires that chips can hang on. Signatures as in lgpio 0.2.2."""

from pathlib import Path

BOTH_EDGES, RISING_EDGE, FALLING_EDGE = 3, 1, 2
SET_PULL_NONE, SET_PULL_UP, SET_PULL_DOWN = 128, 32, 64
_IS_OUTPUT = 2


class error(Exception):  # noqa: N801  # the library's name
    pass


class Header:
    """The wires: ``level`` of each output; ``watchers`` and ``sources`` as on a MockBoard."""

    def __init__(self):
        self.chips = {0: "gpio-brcmstb", 11: "pinctrl-rp1"}
        self.opened, self.busy, self.spi_words = [], set(), []
        self.spi_off = False
        self.outputs, self.levels, self.watchers, self.sources = set(), {}, {}, {}
        self.waves, self.callbacks = {}, {}

    def drive(self, pin, level):
        """Pull an input to ``level`` from outside; whoever waits for its edges is called."""
        if self.levels.get(pin, 0) != int(level):
            self.levels[pin] = int(level)
            for called in self.callbacks.get(pin, []):
                called(11, pin, int(level), 1_000_000)

    def watch(self, pin, watcher):
        self.watchers.setdefault(pin, []).append(watcher)

    def feed(self, pin, source):
        self.sources[pin] = source


header = Header()
Path(".lgd-nfy0").touch()  # as the real one leaves a pipe in the working folder


def gpiochip_open(gpiochip):
    if gpiochip not in header.chips:
        raise error("can not open gpiochip")
    header.opened.append(gpiochip)
    return gpiochip


def gpiochip_close(handle):
    header.opened.remove(handle)


def gpio_get_chip_info(handle):
    return [0, 54, f"gpiochip{handle}", header.chips[handle]]


def gpio_claim_input(handle, gpio, lFlags=0):
    if gpio in header.busy:
        raise error("GPIO busy")
    header.outputs.discard(gpio)


def gpio_claim_output(handle, gpio, level=0, lFlags=0):
    header.outputs.add(gpio)
    gpio_write(handle, gpio, level)


def gpio_free(handle, gpio):
    header.outputs.discard(gpio)


def gpio_get_mode(handle, gpio):
    return _IS_OUTPUT if gpio in header.outputs else 0


def gpio_write(handle, gpio, level):
    assert gpio in header.outputs
    changed = header.levels.get(gpio, 0) != int(level)
    header.levels[gpio] = int(level)
    for watcher in header.watchers.get(gpio, []) if changed else []:
        watcher(bool(level))


def gpio_read(handle, gpio):
    source = header.sources.get(gpio)
    return header.levels.get(gpio, 0) if source is None else int(source())


def tx_pwm(handle, gpio, pwm_frequency, pwm_duty_cycle, pulse_offset=0, pulse_cycles=0):
    assert gpio in header.outputs
    assert 0 <= pwm_frequency <= 10_000
    assert 0 <= pwm_duty_cycle <= 100
    header.waves[gpio] = (pwm_frequency, pwm_duty_cycle)
    return 0


def gpio_claim_alert(handle, gpio, eFlags, lFlags=0, notify_handle=None):
    header.outputs.discard(gpio)


class callback:  # noqa: N801  # the library's name
    def __init__(self, handle, gpio, edge=RISING_EDGE, func=None):
        assert edge == BOTH_EDGES
        self.waiting, self.func = header.callbacks.setdefault(gpio, []), func
        self.waiting.append(func)

    def cancel(self):
        if self.func in self.waiting:
            self.waiting.remove(self.func)


def spi_open(spi_device, spi_channel, baud, spi_flags=0):
    if header.spi_off:
        raise error("can not open SPI device")
    return 77


def spi_close(handle):
    assert handle == 77


def spi_xfer(handle, data):
    header.spi_words.append(list(data))
    return len(data), bytearray([0, 0b10, 0b00000001])
