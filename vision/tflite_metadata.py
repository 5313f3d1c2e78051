"""Gives a TFLite model the metadata that MediaPipe Tasks asks for: how image values are normalised.

The metadata schema is TensorFlow's (metadata_schema.fbs; field numbers below), the model format is a
FlatBuffer (schema.fbs). The original file is kept byte for byte: a new root table, with the old fields
and one more buffer, is put *in front* of it. So the weights keep their alignment, the result depends
on no library's way of packing, and the original's checksum can still be proved (``original_model``).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import flatbuffers

ALIGNMENT = 64
"""TFLite wants weights on multiples of 16; 64 is a cache line and what its mapped buffers use."""

_IDENTIFIER = b"TFL3"
_NAME = b"TFLITE_METADATA"
_VERSION, _BUFFERS, _METADATA = 0, 4, 6
_MODEL_FIELDS = 8
"""Fields of schema.fbs' Model: version, operator_codes, subgraphs, description, buffers, metadata_buffer,
metadata, signature_defs. All but the first are offsets."""


class TFLiteModelError(ValueError):
    """The bytes are no TFLite model, or one of a newer layout than is understood here."""


@dataclass(frozen=True, slots=True)
class Normalization:
    """A value 0..255 enters the model as (value - mean) / std."""

    mean: float
    std: float


def normalization_metadata(normalization: Normalization) -> bytes:
    """A ModelMetadata FlatBuffer that says: one RGB image goes in, normalised like this."""
    builder = flatbuffers.Builder(256)

    def table(fields: int, *slots: tuple[int, str, int]) -> int:
        builder.StartObject(fields)
        for slot, kind, value in slots:
            if kind == "offset":
                builder.PrependUOffsetTRelativeSlot(slot, value, 0)
            else:
                builder.PrependUint8Slot(slot, value, 0)
        return int(builder.EndObject())

    def vector(*offsets: int) -> int:
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    def floats(value: float) -> int:
        builder.StartVector(4, 1, 4)
        builder.PrependFloat32(value)
        return int(builder.EndVector())

    mean, std = floats(normalization.mean), floats(normalization.std)
    options = table(2, (0, "offset", mean), (1, "offset", std))  # NormalizationOptions
    unit = table(2, (0, "byte", 1), (1, "offset", options))  # ProcessUnit; 1 = NormalizationOptions
    image = table(2, (0, "byte", 1))  # ImageProperties; 1 = RGB
    content = table(3, (0, "byte", 2), (1, "offset", image))  # Content; 2 = ImageProperties
    name = builder.CreateString("image")
    tensor = table(7, (0, "offset", name), (3, "offset", content), (4, "offset", vector(unit)))  # TensorMetadata
    subgraph = table(5, (2, "offset", vector(tensor)))  # SubGraphMetadata: input_tensor_metadata
    builder.Finish(table(8, (3, "offset", vector(subgraph))), b"M001")  # ModelMetadata: subgraph_metadata
    return bytes(builder.Output())


def _u16(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<H", data, at)[0])


def _u32(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


def _root_fields(model: bytes) -> list[int | None]:
    """Where each field of the Model table is stored; None for an absent one."""
    if len(model) < 8 or model[4:8] != _IDENTIFIER:
        raise TFLiteModelError("not a TFLite model")
    try:
        root = _u32(model, 0)
        vtable = root - int(struct.unpack_from("<i", model, root)[0])
        count = (_u16(model, vtable) - 4) // 2
        if count > _MODEL_FIELDS:
            raise TFLiteModelError("a TFLite model of a newer layout")
        offsets = [_u16(model, vtable + 4 + 2 * field) for field in range(count)]
    except struct.error as error:
        raise TFLiteModelError("a damaged TFLite model") from error
    return [root + offset if offset else None for offset in offsets] + [None] * (_MODEL_FIELDS - count)


def _vector(model: bytes, field_at: int | None) -> list[int]:
    """Where each table of a vector of tables stands."""
    if field_at is None:
        return []
    start = field_at + _u32(model, field_at)
    return [at + _u32(model, at) for at in range(start + 4, start + 4 + 4 * _u32(model, start), 4)]


def _entry_name(model: bytes, entry: int) -> bytes:
    vtable = entry - int(struct.unpack_from("<i", model, entry)[0])
    field = _u16(model, vtable + 4) if _u16(model, vtable) > 4 else 0
    if not field:
        return b""
    start = entry + field + _u32(model, entry + field)
    return model[start + 4 : start + 4 + _u32(model, start)]


class _Front:
    """The bytes in front of the old file, laid from low to high: an offset in a FlatBuffer points forward."""

    def __init__(self) -> None:
        self.data = bytearray(struct.pack("<I4s", 0, _IDENTIFIER))
        self.into_old: list[tuple[int, int]] = []

    def place(self, content: bytes, alignment: int = 4, header: int = 0) -> int:
        """Appends ``content`` so that what follows its first ``header`` bytes is aligned; returns where it begins."""
        self.data += bytes(-(len(self.data) + header) % alignment) + content
        return len(self.data) - len(content)

    def point(self, at: int, target: int) -> None:
        struct.pack_into("<I", self.data, at, target - at)

    def table(self, present: list[bool]) -> tuple[int, list[int]]:
        """A table of 4-byte fields, all zero: where it stands and where each field does (0: absent)."""
        numbers = [number for number, there in enumerate(present) if there]
        places = {number: 4 + 4 * index for index, number in enumerate(numbers)}
        slots = [places.get(number, 0) for number in range(len(present))]
        size = 4 + 4 * len(numbers)
        vtable = self.place(struct.pack(f"<{2 + len(slots)}H", 4 + 2 * len(slots), size, *slots))
        table = self.place(bytes(size))
        struct.pack_into("<i", self.data, table, table - vtable)
        return table, [table + slot if slot else 0 for slot in slots]

    def tables(self, old: list[int]) -> tuple[int, int]:
        """A vector of the old tables and one new one: where it stands, and where the new one's offset goes."""
        start = self.place(struct.pack("<I", len(old) + 1) + bytes(4 * (len(old) + 1)))
        self.into_old += [(start + 4 + 4 * index, target) for index, target in enumerate(old)]
        return start, start + 4 + 4 * len(old)

    def before(self, model: bytes) -> bytes:
        self.data += bytes(-len(self.data) % ALIGNMENT)
        for at, target in self.into_old:
            self.point(at, len(self.data) + target)
        return bytes(self.data) + model


def with_metadata(model: bytes, metadata: bytes) -> bytes:
    """The same model with ``metadata`` as its TFLITE_METADATA; ``model`` is the end of the result.

    Raises TFLiteModelError.
    """
    fields = _root_fields(model)
    front = _Front()
    rebuilt = (_BUFFERS, _METADATA)
    table, slots = front.table([field is not None or number in rebuilt for number, field in enumerate(fields)])
    front.point(0, table)
    try:
        old_buffers = _vector(model, fields[_BUFFERS])
        # The detector comes with an entry of this name that lacks the normalisation: it is replaced.
        old_entries = [entry for entry in _vector(model, fields[_METADATA]) if _entry_name(model, entry) != _NAME]
        for number, field in enumerate(fields):
            if field is not None and number == _VERSION:
                struct.pack_into("<I", front.data, slots[number], _u32(model, field))
            elif field is not None and number not in rebuilt:
                front.into_old.append((slots[number], field + _u32(model, field)))
    except struct.error as error:
        raise TFLiteModelError("a damaged TFLite model") from error
    buffers, new_buffer = front.tables(old_buffers)
    entries, new_entry = front.tables(old_entries)
    front.point(slots[_BUFFERS], buffers)
    front.point(slots[_METADATA], entries)

    entry, (entry_name, entry_buffer) = front.table([True, True])  # Metadata: name, index of its buffer
    front.point(new_entry, entry)
    struct.pack_into("<I", front.data, entry_buffer, len(old_buffers))
    front.point(entry_name, front.place(struct.pack("<I", len(_NAME)) + _NAME + b"\0"))
    buffer, (buffer_data,) = front.table([True])  # Buffer: data
    front.point(new_buffer, buffer)
    front.point(buffer_data, front.place(struct.pack("<I", len(metadata)) + metadata, alignment=16, header=4))
    return front.before(model)


def original_model(model: bytes, size: int) -> bytes:
    """The last ``size`` bytes: the file that ``with_metadata`` was given."""
    return model[-size:]
