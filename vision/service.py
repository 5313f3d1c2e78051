"""The vision process: cameras to landmarks to posture measures, published as ``PoseSample``.

One loop. It waits for the newest landmarks of any camera, lets the fit speak, and publishes; when
nothing comes it still says twice a second how the cameras are, so that the device can tell a
dead camera from a dead process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from device.bus import CommandServer, Publisher
from device.config import Camera, Config
from device.errors import RunError
from device.heartbeat import Heartbeat
from device.messages import CommandReply, PoseSample
from device.scenario import load_scenario
from device.scenario_clock import ScenarioClock
from device.scenario_faults import ScenarioFaults
from vision.calibration import Calibration, CalibrationError
from vision.calibration_desk import CalibrationDesk, answered
from vision.calibration_file import load_calibration
from vision.camera_health import CameraHealth
from vision.capture import CameraThreads, Detection, Detector, LatestSlots, close_all
from vision.clip import ClipSource
from vision.cues import uses_mask
from vision.frames import Frame, FrameSource, SourceError
from vision.landmarks import Crop, PoseModel
from vision.machine_profile import load_profile
from vision.model import model_path, verify
from vision.picamera import PicameraSource, find_camera
from vision.posture import PostureEstimator
from vision.scenario import ScenarioSource
from vision.usb_camera import UsbSource, find_device
from vision.view_check import ViewCheck

log = logging.getLogger(__name__)

STATUS_INTERVAL_S = 0.5
"""Without a new frame for this long the measures are unknown, and the cameras' state is said alone."""
SILENT_STATUS_S = 0.25
"""How often the cameras' state is said while nothing comes: a camera that fails is told of within a second."""


class CameraStuck(RunError):
    """A camera's driver does not return: this process ends and is started again, for nothing limps on half alive."""


def open_source(camera: Camera, config: Config) -> FrameSource:
    """The source that the configuration names; never another in its place.

    Raises:
        SourceError: it cannot be opened; the text says why.
    """
    if camera.source == "picamera2":
        return PicameraSource(camera)
    if camera.source == "usb":
        return UsbSource(camera)
    if camera.source == "clip":
        assert camera.clip is not None, "config_file refuses a clip camera without a clip"
        return ClipSource(camera.clip)
    assert config.simulation.scenario is not None, "config_file refuses a scenario camera without a scenario"
    return ScenarioSource(
        load_scenario(config.simulation.scenario),
        camera.name,
        ScenarioClock(config.paths.runtime_dir),
        config.simulation.once,
        faults=ScenarioFaults(config.paths.runtime_dir),
        stickers=load_profile("sled45").stickers if config.simulation.stickers else (),
    )


def refuse_if_blind(config: Config) -> None:
    """One working camera is enough to start; with none there is nothing to wait for.

    Raises:
        SourceError: no camera of the configuration is there; names each and what to do.
    """
    problems = []
    for camera in config.cameras:
        try:
            if camera.source == "picamera2":
                find_camera(camera)
            elif camera.source == "usb":
                find_device(camera)
            else:
                open_source(camera, config).close()
        except SourceError as error:
            problems.append(str(error))
    if len(problems) == len(config.cameras):
        raise SourceError("no camera: " + "; ".join(problems or ["none is configured ([[cameras]])"]))


def calibrations(config: Config) -> list[Calibration | None]:
    """Each camera's calibration, None where there is none that can be used; that is said once, in the log."""
    found: list[Calibration | None] = []
    for camera in config.cameras:
        path = config.calibration_file(camera)
        if camera.calibration is None and not path.exists():
            log.error(
                "camera %s has no calibration: posture is not judged; run 'legpress calibrate camera'", camera.name
            )
            found.append(None)
            continue
        try:
            found.append(load_calibration(path))
        except CalibrationError as error:
            log.error("%s", error)
            found.append(None)
    return found


def _view_check(calibration: Calibration | None) -> ViewCheck:
    return ViewCheck(calibration, calibration.scene if calibration is not None else None)


class Vision:
    """Composes the process: a thread pair per camera, one fit, one publisher.

    `known` and `models` belong to the configuration's cameras, in their order.
    """

    def __init__(
        self,
        config: Config,
        known: Sequence[Calibration | None],
        models: Sequence[Detector],
        publish: Callable[[PoseSample], None],
        clock: Callable[[], float] = time.monotonic,
        opener: Callable[[Camera, Config], FrameSource] = open_source,
        lossless: bool = False,
        commands: CommandServer | None = None,
    ) -> None:
        self._commands, self.reload = commands, False
        self._newest: list[Frame | None] = [None] * len(config.cameras)
        self._desk = CalibrationDesk(config, self._newest.__getitem__, self._ask_for_reload)
        self._publish, self._clock = publish, clock
        self._fit_index = {
            camera: index for index, camera in enumerate(i for i, c in enumerate(known) if c is not None)
        }
        usable = [(camera.name, c) for camera, c in zip(config.cameras, known, strict=True) if c is not None]
        self._estimator = PostureEstimator([c for _, c in usable], [name for name, _ in usable]) if usable else None
        self._health = [
            CameraHealth(
                camera.name,
                c.view if c is not None else "oblique",
                c is not None,
                _view_check(c),
            )
            for camera, c in zip(config.cameras, known, strict=True)
        ]
        self._slots: LatestSlots[Detection] = LatestSlots(len(config.cameras))
        self.cameras = [
            CameraThreads(
                index,
                camera.name,
                functools.partial(opener, camera, config),
                model,
                self._slots,
                self._crop(index),
                lossless,
                self._health[index].check.saw,
            )
            for index, (camera, model) in enumerate(zip(config.cameras, models, strict=True))
        ]
        self._heartbeat = Heartbeat()
        self._seq = 0
        self._last = PoseSample(seq=0, t_s=0.0, person=False, cameras=())
        self._last_sent_s = 0.0
        self._failing_told = (False,) * len(config.cameras)
        self._silent = False

    def _crop(self, camera: int) -> Crop | None:
        index = self._fit_index.get(camera)
        return self._estimator.region_px(index) if self._estimator is not None and index is not None else None

    def run(self, stop: threading.Event) -> None:
        """Until `stop`, or until every source has ended and its last frame was published."""
        for camera in self.cameras:
            camera.start()
        self._heartbeat.ready()
        try:
            while not (stop.is_set() or self.reload):
                self._answer_looks()
                if not any(camera.hangs(time.monotonic()) for camera in self.cameras):
                    self._heartbeat.beat()
                detection = self._slots.take(SILENT_STATUS_S / 2)
                if detection is not None:
                    self._saw(detection)
                elif all(camera.ended.is_set() for camera in self.cameras):
                    return
                elif self._status_due():
                    self._say_how_cameras_are()
                self._end_if_stuck()
        finally:
            self._heartbeat.stopping()
            close_all(self.cameras)

    def _ask_for_reload(self) -> None:
        self.reload = True

    def _answer_looks(self) -> None:
        for command in self._commands.drain() if self._commands is not None else ():
            error: str | None = "the vision process only takes looks"
            data: str | None = None
            if command.name == "look":
                error, data = answered(self._desk, command.value, self._clock())
            assert self._commands is not None
            self._commands.reply(CommandReply(command.id, error is None, error, data))

    def _failing(self) -> tuple[bool, ...]:
        return tuple(camera.error is not None for camera in self.cameras)

    def _status_due(self) -> bool:
        if self._failing() != self._failing_told:
            return True  # a camera that has failed is news, whenever the last picture was told of
        silent_s = self._clock() - self._last_sent_s
        return silent_s >= (SILENT_STATUS_S if self._silent else STATUS_INTERVAL_S)

    def _end_if_stuck(self) -> None:
        """Raises CameraStuck where only a new process can bring a camera back."""
        for camera in self.cameras:
            if camera.stuck is not None:
                raise CameraStuck(str(camera.stuck))

    def _saw(self, detection: Detection) -> None:
        now_s = self._clock()
        self._newest[detection.camera] = detection.frame
        self._health[detection.camera].saw(detection, now_s)
        index = self._fit_index.get(detection.camera)
        if self._estimator is None or index is None:
            self._say_how_cameras_are()
            return
        frame = detection.frame
        landmarks = detection.landmarks if self._health[detection.camera].believed else None
        self._last = self._estimator.update(index, frame.t_s, frame.image_bgr, landmarks)
        self._silent = False
        self._send(self._last)

    def _say_how_cameras_are(self) -> None:
        """A sample without a measure: nothing of the last one may be taken for new.

        It is dated back, lest a frame that was exposed before it and is still being fitted counts as old.
        """
        t_s = max(self._last.t_s, self._clock() - STATUS_INTERVAL_S)
        self._silent = True
        empty = PoseSample(seq=0, t_s=t_s, person=False, cameras=self._last.cameras)
        self._send(dataclasses.replace(empty, checks=()))

    def _send(self, sample: PoseSample) -> None:
        now_s = self._clock()
        fitted = {status.name: status for status in self._last.cameras}
        statuses = tuple(
            dataclasses.replace(
                health.status(now_s, threads.dropped, fitted.get(health.name), threads.error is not None),
                preview=self._desk.previewing(health.name, now_s),
            )
            for health, threads in zip(self._health, self.cameras, strict=True)
        )
        self._seq += 1
        self._last_sent_s, self._failing_told = now_s, self._failing()
        self._publish(dataclasses.replace(sample, seq=self._seq, cameras=statuses))


def run(config: Config, stop: threading.Event) -> None:
    """The vision process until `stop`.

    Raises:
        SourceError: there is no camera at all.
        ModelError: the pose model is missing or damaged.
        BusError: the socket cannot be opened.
    """
    refuse_if_blind(config)
    with contextlib.ExitStack() as stack:
        publisher = Publisher(config.paths.runtime_dir, "pose")
        stack.callback(publisher.close)
        commands = CommandServer(config.paths.runtime_dir, "camera")
        stack.callback(commands.close)
        while _run_with(config, publisher, commands, stop):
            log.info("a new calibration is in force")


def _run_with(config: Config, publisher: Publisher, commands: CommandServer, stop: threading.Event) -> bool:
    """Until `stop`, or until a new calibration has to be taken up: then True."""
    with contextlib.ExitStack() as stack:
        known = calibrations(config)
        models = [
            stack.enter_context(PoseModel(model_file(config, camera), masks=c is not None and uses_mask(c)))
            for camera, c in zip(config.cameras, known, strict=True)
        ]
        vision = Vision(config, known, models, publisher.send, commands=commands)
        vision.run(stop)
        return vision.reload


def model_file(config: Config, camera: Camera) -> Path:
    """The camera's pose model, verified. Raises ModelError with what to do."""
    path = model_path(config.paths.model_dir, camera.model)
    verify(path, camera.model)
    return path
