"""Least squares that bring the kinematic model (``vision.lifter``) and the landmarks together.

The pose is fitted afresh in every frame. The shape is fitted to landmarks averaged over frames at the same
carriage position ("stations", 2 cm apart), which takes out the noise and keeps all depths in balance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from vision.lifter import (
    POSE_MEAN,
    POSE_SD,
    SHAPE_MEAN,
    SHAPE_SD,
    STRAIGHT_SD_M,
    Joints,
    LegModel,
    knee_flexion_deg,
    length_m,
)

Floats = NDArray[np.float64]

HUBER: Final = 2.0
"""Residuals beyond so many standard deviations count linearly."""
STATION_M: Final = 0.02
STATIONS: Final = 28
MEMORY_FRAMES: Final = 25.0
"""A station's average forgets over so many of its own frames."""
BIAS_AT_DEG: Final = 50.0
BIAS_STEP_DEG: Final = 40.0
TOP_FRAMES: Final = 25
TOP_FLEXION_DEG: Final = 15.5
TOP_SD_DEG: Final = 2.7
"""Lifters rest at the top with knees a little bent (rendered lifters: 15.7, sd 2.7): what fixes the leg's length where
no knee is seen."""
TOP_DOUBT: Final = 2.0
"""Knees so many standard deviations from the usual count half, and less beyond: some never straighten them (ours)."""
ALIKE_ERROR_DEG: Final = 1.5
"""Of a knee's flexion, the part that no fit sees: the same in every frame (given clips; bent knees err by 1 to 3)."""
SHAPE_REACH: Final = 4.0
"""No shape is farther from the mean than so many standard deviations."""
SETTLED_M: Final = 4e-3
"""A step of the pose below this ends its fit: the next would be smaller by a magnitude (ours)."""
MOST_STEP_M: Final = 0.05
"""Of the pose in one round: farther its slopes do not hold (ours)."""
_POSE_STEP: Final = np.array([1e-4, 1e-4, 2e-4, 2e-4])
_POSE_TRIALS: Final = np.concatenate([np.zeros((1, 4)), np.diag(_POSE_STEP)])
_POSE_RIDGE: Final = 1e-6 * np.eye(4)
_SHAPE_STEP: Final = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Sights:
    """What the cameras saw of hips, knees and ankles: batches (..., cameras, 2 sides, 3 joints, ...)."""

    px: Floats
    """(..., cameras, 2, 3, 2)"""
    weight: Floats
    """(..., cameras, 2, 3) 1 / sd in pixels; 0 = not seen."""
    bias_m: Floats
    """(cameras, 2, 3, 3) learned place of each landmark against its joint at 50 degrees of flexion, machine axes."""
    slope_m: Floats
    """(cameras, 2, 3, 3) change of that over 40 degrees more."""
    pose_mean: Floats = field(default_factory=POSE_MEAN.copy)
    """(4,) what the pose is expected to be."""
    behind_m: Floats = field(default_factory=lambda: np.zeros(1))
    """(cameras,) or (1,) how far the carriage went since each camera's newest frame (m, + = lowered)."""


class Seen(NamedTuple):
    """Of the model, by each camera."""

    joints: Joints
    """(..., cameras or 1, 2, ...) when its newest frame was taken."""
    px: Floats
    """(..., cameras, 2, 3, 2) hips, knees and ankles as the landmarks should show them."""


@dataclass(frozen=True, slots=True, eq=False)
class PoseFit:
    pose: Floats
    """(4,) see ``lifter.POSE``."""
    covariance: Floats
    """(4, 4)"""
    joints: Joints
    miss: Floats
    """(2,) by leg: root mean square distance of its landmarks from the model, in their standard deviations; about 1
    where they agree."""
    seen_px: Floats
    """(cameras, 2, 3, 2) where each camera should have seen the landmarks."""


class LegFit:
    """Fits ``LegModel`` as seen by fixed cameras."""

    def __init__(self, model: LegModel, projections: Floats, pose_sd: Floats = POSE_SD) -> None:
        """``projections`` (cameras, 3, 4): machine metres to pixels. ``pose_sd`` (4,): prior of the pose."""
        self.model = model
        self._pose_sd = pose_sd
        self._turned, self._moved = projections[:, :, :3].transpose(0, 2, 1), projections[:, :, 3]

    def residuals(self, seen: Seen, pose: Floats, sights: Sights, trial_axis: int) -> Floats:
        """(..., r): image (pixels / sd, Huber), straight-leg limit, pose prior."""
        miss = (seen.px - sights.px) * sights.weight[..., None]
        # The first trial's distances weigh all trials alike: a weight that moved with the trial would bend the slopes.
        first = miss[(slice(None),) * trial_axis + (slice(0, 1),)]
        miss *= np.sqrt(HUBER / np.maximum(length_m(first), HUBER))[..., None]
        count = 12 * miss.shape[-4]
        out = np.empty((*miss.shape[:-4], count + 6))
        out[..., :count] = miss.reshape(*miss.shape[:-4], count)
        out[..., count : count + 2] = seen.joints.overreach_m.max(axis=-2) / STRAIGHT_SD_M
        out[..., count + 2 :] = (pose - sights.pose_mean) / self._pose_sd
        return out

    def seen(self, shape: Floats, pose: Floats, carriage_m: Floats, sights: Sights) -> Seen:
        """What the cameras should see of the model; the rest as for ``LegModel.joints``."""
        joints = self._seen_joints(shape, pose, carriage_m, sights)
        return Seen(joints, self._predicted_px(joints, sights))

    def _seen_joints(self, shape: Floats, pose: Floats, carriage_m: Floats, sights: Sights) -> Joints:
        """(..., cameras or 1, 2, ...) the joints when each camera's newest frame was taken."""
        then_m = carriage_m[..., None] - sights.behind_m
        return self.model.joints(shape[..., None, :], pose[..., None, :], then_m)

    def _predicted_px(self, joints: Joints, sights: Sights) -> Floats:
        drift = ((knee_flexion_deg(joints) - BIAS_AT_DEG) / BIAS_STEP_DEG)[..., None, None] * sights.slope_m
        places = joints.stacked() + sights.bias_m + drift
        seen = places @ self._turned[:, None] + self._moved[:, None, None]
        return seen[..., :2] / np.maximum(seen[..., 2:], 1e-3)

    def fit_pose(self, shape: Floats, start: Floats, carriage_m: float, sights: Sights, rounds: int = 3) -> PoseFit:
        """The pose of one frame, the shape given."""
        pose = start
        carriage = np.array(carriage_m)
        for _ in range(rounds):
            trials = pose + _POSE_TRIALS
            seen = self.seen(shape, trials, carriage, sights)
            values = self.residuals(seen, trials, sights, 0)
            jacobian = ((values[1:] - values[0]) / _POSE_STEP[:, None]).T
            covariance = np.linalg.inv(jacobian.T @ jacobian + _POSE_RIDGE)
            step = np.minimum(np.maximum(covariance @ (values[0] @ jacobian), -MOST_STEP_M), MOST_STEP_M)
            pose = pose - step
            settled = bool(np.abs(step).max() < SETTLED_M)
            if settled:
                break
        if settled:  # where the last step was small its slopes tell what is seen after it
            slopes = (seen.px[1:] - seen.px[0]).reshape(4, -1)
            px = seen.px[0] - ((step / _POSE_STEP) @ slopes).reshape(seen.px[0].shape)
        else:
            px = self.seen(shape, pose, carriage, sights).px
        joints = self.model.joints(shape, pose, carriage)
        return PoseFit(pose, np.asarray(covariance, dtype=np.float64), joints, _miss(px - sights.px, sights.weight), px)

    def knee_errors_deg(self, shape: Floats, shape_covariance: Floats, fit: PoseFit) -> Floats:
        """(2,) standard error of each knee's flexion, as the pose's and the shape's uncertainty give it (deg)."""
        # By how much shorter the leg reaches than it is long: the angle itself stands still where the leg is straight.
        slack, by_shape = self.model.slack_m(shape, fit.joints)
        by_pose = by_shape[2:4]  # the hips' shift; a knee's moves neither end of the leg
        variance = np.einsum("is,ij,js->s", by_shape, shape_covariance, by_shape)
        variance += np.einsum("is,ij,js->s", by_pose, fit.covariance[:2, :2], by_pose)
        here = np.maximum(slack, 0.0)
        thigh, shank = shape[:2].tolist()
        reach = thigh + shank - np.stack([here, here + np.sqrt(np.maximum(variance, 0.0))])
        cosine = (reach**2 - thigh**2 - shank**2) / (2 * thigh * shank)
        bent, more_bent = np.degrees(np.arccos(np.minimum(np.maximum(cosine, -1.0), 1.0)))
        return cast(Floats, np.hypot(more_bent - bent, ALIKE_ERROR_DEG))


def _miss(apart_px: Floats, weight: Floats) -> Floats:
    """(2,) see ``PoseFit.miss``; what no camera sees does not count."""
    apart = apart_px * weight[..., None]
    used = np.maximum(2 * (weight > 0).sum(axis=(0, 2)), 1)
    return cast(Floats, np.sqrt((apart * apart).sum(axis=(0, 2, 3)) / used))


def _station(carriage_m: float) -> int:
    """Beyond ``STATIONS`` or below 0 there is none."""
    return math.floor(carriage_m / STATION_M) + 5


class ShapeFit:
    """The member's shape, refined while the set goes on."""

    def __init__(self, fit: LegFit, cameras: int) -> None:
        self._fit = fit
        self.shape: Floats = SHAPE_MEAN.copy()
        self.covariance: Floats = np.diag(SHAPE_SD**2)
        self._carriage = np.zeros(STATIONS)
        self._used = np.zeros(STATIONS, dtype=bool)
        self._px = np.zeros((STATIONS, cameras, 2, 3, 2))
        self._weight = np.zeros((STATIONS, cameras, 2, 3))
        self._count = np.zeros((STATIONS, cameras, 2, 3))
        self._poses = np.tile(POSE_MEAN, (STATIONS, 1))
        self._top_m: float | None = None
        self._rested = 0
        self.frames = 0

    def add(self, carriage_m: float, sights: Sights) -> None:
        """Average one moment into its station."""
        at = _station(carriage_m)
        if not 0 <= at < STATIONS:
            return
        seen = sights.weight > 0
        self._count[at] = np.where(seen, np.minimum(self._count[at] + 1, MEMORY_FRAMES), self._count[at])
        share = np.where(seen, 1.0 / np.maximum(self._count[at], 1.0), 0.0)
        self._px[at] += share[..., None] * (sights.px - self._px[at])
        self._weight[at] = np.where(seen, sights.weight, self._weight[at])
        if not self._used[at]:
            self._carriage[at], self._used[at] = carriage_m, True
        else:
            self._carriage[at] += float(share.max()) * (carriage_m - self._carriage[at])
        self.frames += 1

    def rest_at(self, carriage_m: float) -> None:
        """The lifter rests at the top. Only the first such frames count: who locks the knees later rests higher."""
        if self._rested < TOP_FRAMES:
            self._rested += 1
            before = carriage_m if self._top_m is None else self._top_m
            self._top_m = before + (carriage_m - before) / self._rested

    def shift(self, by_m: float) -> None:
        """Every carriage position so far was off by this much."""
        self._carriage += by_m
        self._top_m = None if self._top_m is None else self._top_m + by_m

    def refine(self, bias_m: Floats, slope_m: Floats) -> None:
        """One Gauss-Newton step over the shape and every station's pose (poses eliminated by Schur complement)."""
        used = np.flatnonzero(self._used)
        if not len(used):
            return
        sights = Sights(self._px[used][:, None], self._weight[used][:, None], bias_m, slope_m)
        poses, shape = self._poses[used], self.shape
        trial_poses = np.repeat(poses[:, None], 13, axis=1)
        trial_poses[:, 1:5] += np.diag(_POSE_STEP)
        trial_shapes = np.tile(shape, (13, 1))
        trial_shapes[5:] += _SHAPE_STEP * np.eye(8)
        seen = self._fit.seen(trial_shapes[None], trial_poses, self._carriage[used][:, None], sights)
        values = self._fit.residuals(seen, trial_poses, sights, 1)
        base = values[:, 0]
        by_pose = np.moveaxis((values[:, 1:5] - base[:, None]) / _POSE_STEP[:, None], 1, 2)
        by_shape = np.moveaxis((values[:, 5:] - base[:, None]) / _SHAPE_STEP, 1, 2)
        pose_turned, shape_turned = by_pose.swapaxes(1, 2), by_shape.swapaxes(1, 2)
        pose_inverse = np.linalg.inv(pose_turned @ by_pose)
        mixed = shape_turned @ by_pose
        pose_gradient = (pose_turned @ base[..., None])[..., 0]
        gain = mixed @ pose_inverse
        # Errors at neighbouring stations are alike (the same landmark bias): they count as fewer.
        share = min(1.0, 6.0 / len(used))
        hessian = share * (shape_turned @ by_shape - gain @ mixed.swapaxes(1, 2)).sum(axis=0)
        gradient = share * (shape_turned @ base[..., None] - gain @ pose_gradient[..., None]).sum(axis=0)[:, 0]
        hessian = hessian + np.diag(1.0 / SHAPE_SD**2)
        gradient = gradient + (shape - SHAPE_MEAN) / SHAPE_SD**2
        top_hessian, top_gradient = self._top_prior()
        hessian, gradient = hessian + top_hessian, gradient + top_gradient
        step = np.clip(-np.linalg.solve(hessian, gradient), -0.03, 0.03)
        self.shape = np.clip(shape + step, SHAPE_MEAN - SHAPE_REACH * SHAPE_SD, SHAPE_MEAN + SHAPE_REACH * SHAPE_SD)
        self.covariance = cast(Floats, np.linalg.inv(hessian))
        pose_step = -(pose_inverse @ (pose_gradient + step @ mixed)[..., None])[..., 0]
        self._poses[used] = poses + np.clip(pose_step, -MOST_STEP_M, MOST_STEP_M)

    def _top_prior(self) -> tuple[Floats, Floats]:
        """Pulls the knees' flexion at the resting top towards what is usual."""
        if self._top_m is None:
            return np.zeros((8, 8)), np.zeros(8)
        at = _station(self._top_m)
        pose = self._poses[at] if 0 <= at < STATIONS and self._used[at] else POSE_MEAN
        model = self._fit.model
        each_m, slopes = model.slack_m(self.shape, model.joints(self.shape, pose, np.array(self._top_m)))
        # By the leg's slack, as a share of it, which goes linearly with lengths where the angle itself does not.
        leg_m = self.shape[0] + self.shape[1]
        slack, by_shape = each_m.mean() / leg_m, slopes.mean(axis=1) / leg_m
        by_shape[:2] -= slack / leg_m
        wanted = 1.0 - np.cos(np.radians(TOP_FLEXION_DEG) / 2)
        sd = np.sin(np.radians(TOP_FLEXION_DEG) / 2) / 2 * np.radians(TOP_SD_DEG)
        value, slope = (slack - wanted) / sd, by_shape / sd
        share = 1.0 / (1.0 + (value / TOP_DOUBT) ** 2)
        return share * np.outer(slope, slope), share * slope * value
