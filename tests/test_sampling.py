"""The thread that polls a reader: delivers, stops, and says when it has died."""

import queue
import threading

from device.sampling import InTurn, SamplingThread


class Reader:
    def __init__(self, samples, fails=None):
        self.next_due_s = float("-inf")
        self.samples, self.fails, self.polled = list(samples), fails, threading.Event()

    def poll(self, now_s):
        self.next_due_s = now_s + 0.001
        self.polled.set()
        if self.samples:
            return self.samples.pop(0)
        if self.fails is not None:
            raise self.fails
        return None


def test_samples_are_delivered_in_their_order_and_nothing_between():
    delivered, died = queue.Queue(), queue.Queue()
    thread = SamplingThread("load", Reader([1, None, 2, 3]), delivered.put, died.put)
    thread.start()
    assert [delivered.get(timeout=5) for _ in range(3)] == [1, 2, 3]
    thread.stop()
    assert delivered.empty()
    assert died.empty()


def test_a_stopped_thread_polls_no_more():
    reader = Reader([])
    thread = SamplingThread("load", reader, lambda sample: None, lambda error: None)
    thread.start()
    assert reader.polled.wait(5)
    thread.stop()
    reader.polled.clear()
    assert not reader.polled.is_set()
    thread.stop()


def test_a_thread_that_never_began_can_be_stopped():
    died: list[BaseException] = []
    SamplingThread("seat", Reader([]), lambda sample: None, died.append).stop()
    assert died == []


def test_a_reader_that_raises_is_reported_once_and_ends_its_thread(caplog):
    error = RuntimeError("the pin has gone")
    died = queue.Queue()
    thread = SamplingThread("load", Reader([], fails=error), lambda sample: None, died.put)
    thread.start()
    assert died.get(timeout=5) is error
    thread.stop()
    assert died.empty()
    assert [record.getMessage() for record in caplog.records] == ["load has died"]


def test_a_receiver_that_raises_is_reported_too(caplog):
    died = queue.Queue()

    def deliver(sample):
        raise ValueError("full")

    thread = SamplingThread("seat", Reader([1]), deliver, died.put)
    thread.start()
    assert str(died.get(timeout=5)) == "full"
    thread.stop()
    assert [record.getMessage() for record in caplog.records] == ["seat has died"]


def test_readers_that_share_a_bus_are_polled_each_when_it_is_due():
    class Paced:
        def __init__(self, name, period_s):
            self.name, self.period_s, self.next_due_s = name, period_s, float("-inf")

        def poll(self, now_s):
            self.next_due_s = now_s + self.period_s
            return self.name

    together, now_s, polled = InTurn(Paced("seat", 0.05), Paced("pads", 0.02)), 0.0, []
    while now_s < 1.0:
        polled.append(together.poll(now_s))
        now_s = max(now_s, together.next_due_s)
    assert polled.count("pads") in (49, 50, 51)
    assert polled.count("seat") in (19, 20, 21)
    assert together.poll(now_s - 0.01) is None
