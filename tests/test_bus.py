"""The internal wire: what is sent arrives as it was, and nothing malformed gets in."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.bus import (
    BusError,
    CommandServer,
    MessageError,
    Publisher,
    Subscriber,
    decode,
    encode,
    send_command,
)
from device.mailbox import Mailbox
from device.messages import CameraStatus, Command, CommandReply, PoseSample, Sided

numbers = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | numbers
samples = st.builds(
    PoseSample,
    seq=st.integers(0, 2**53),
    t_s=numbers,
    person=st.booleans(),
    cameras=st.lists(
        st.builds(
            CameraStatus,
            name=st.text(max_size=20),
            view=st.sampled_from(["side", "front", "oblique"]),
            condition=st.sampled_from(["ok", "lost", "dark", "moved", "nobody"]),
            frames_per_s=numbers,
            dropped=st.integers(0, 10**9),
            age_s=numbers,
        ),
        max_size=2,
    ).map(tuple),
    valgus_deg=st.builds(Sided, maybe, maybe),
    lumbar_flexion_deg=maybe,
    cues=st.dictionaries(st.text(max_size=10), numbers, max_size=5),
    figure=st.dictionaries(st.text(max_size=10), st.tuples(numbers, numbers, numbers), max_size=5),
)


def test_no_text_of_a_message_is_remembered_after_it() -> None:
    """The parser would keep 16,384 of them, and every state carries another time of day."""
    frames = encode(Command("tag", "4711", id="a" * 32))
    first, second = decode(frames), decode(frames)
    assert isinstance(first, Command)
    assert isinstance(second, Command)
    assert first == second
    assert first.id is not second.id


def sample(seq: int) -> PoseSample:
    return PoseSample(seq=seq, t_s=float(seq), person=True, cameras=())


@given(samples)
def test_a_record_arrives_exactly_as_it_was_sent(record: PoseSample) -> None:
    assert decode(encode(record)) == record


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_bytes_that_are_no_record_are_refused_with_a_reason(frames: list[bytes]) -> None:
    with pytest.raises(MessageError) as refusal:
        decode(frames)
    assert str(refusal.value)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_does_not_get_in(number: str) -> None:
    payload = f'{{"seq": 1, "t_s": {number}, "person": true, "cameras": []}}'.encode()
    with pytest.raises(MessageError, match="PoseSample"):
        decode([b"PoseSample", payload])


def test_another_schema_version_is_refused_by_name() -> None:
    frames = encode(dataclasses.replace(sample(1), schema_version=99))
    with pytest.raises(MessageError, match="PoseSample: schema version 99, expected 1"):
        decode(frames)


def connected(tmp_path: Path) -> tuple[Publisher, Subscriber]:
    publisher, subscriber = Publisher(tmp_path, "pose"), Subscriber(tmp_path, "pose")
    for _ in range(500):  # a subscription needs a moment to reach the publisher
        publisher.send(sample(0))
        if subscriber.wait(0.01):
            list(subscriber.drain())
            return publisher, subscriber
    raise AssertionError("subscriber never connected")


def test_records_lost_on_the_way_are_counted(tmp_path: Path) -> None:
    publisher, subscriber = connected(tmp_path)
    for seq in (1, 2, 5, 6):
        publisher.send(sample(seq))
    seen = []
    while len(seen) < 4 and subscriber.wait(2.0):
        seen += [record.seq for record in subscriber.drain() if isinstance(record, PoseSample) and record.seq]
    publisher.close()
    subscriber.close()
    assert (seen, subscriber.gaps, subscriber.rejected) == ([1, 2, 5, 6], 2, 0)


def test_a_command_is_answered_to_the_one_who_asked(tmp_path: Path) -> None:
    server = CommandServer(tmp_path)
    answers: list[CommandReply] = []
    asker = threading.Thread(target=lambda: answers.append(send_command(tmp_path, Command("goal", "quads"), 5.0)))
    asker.start()
    commands: list[Command] = []
    while not commands and server.socket.poll(5000):
        commands = list(server.drain())
    server.reply(CommandReply(id=commands[0].id, ok=True))
    asker.join(5.0)
    server.close()
    assert (commands[0].name, commands[0].value) == ("goal", "quads")
    assert answers == [CommandReply(id=commands[0].id, ok=True)]


def test_a_dead_device_gives_a_sentence_not_a_hang(tmp_path: Path) -> None:
    with pytest.raises(BusError, match="did not answer within 0.05 s"):
        send_command(tmp_path, Command("acknowledge"), timeout_s=0.05)


def test_a_folder_too_deep_for_a_socket_is_named(tmp_path: Path) -> None:
    with pytest.raises(BusError, match="paths.runtime_dir is too long"):
        Publisher(tmp_path / ("x" * 120), "pose")


def test_a_mailbox_gives_items_in_order_and_then_nothing() -> None:
    mailbox: Mailbox[int] = Mailbox()
    for item in (1, 2, 3):
        mailbox.put(item)
    assert list(mailbox.drain()) == [1, 2, 3]
    assert list(mailbox.drain()) == []
    mailbox.close()


def test_a_deleted_socket_is_opened_again_and_new_listeners_are_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.bus._LOOK_EVERY_S", 0.0)
    publisher = Publisher(tmp_path, "live")
    (tmp_path / "live.sock").unlink()
    late = Subscriber(tmp_path, "live")
    heard = False
    for seq in range(200):
        publisher.send(PoseSample(seq=seq, t_s=1.0, person=False, cameras=()))
        if heard := late.wait(0.05):
            break
    publisher.close()
    late.close()
    assert heard
