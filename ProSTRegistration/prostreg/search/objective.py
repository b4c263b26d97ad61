"""The objective of a search: projector, similarity and views put together, for many poses at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from prostreg.errors import DeviceError
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, transform_points
from prostreg.images.xray import XRay
from prostreg.projector.selection import Projector
from prostreg.search.candidate import Reading
from prostreg.similarity.derivatives import scores_in_one_pass
from prostreg.similarity.selection import MakeSimilarity, Scorer, Similarity
from prostreg.similarity.torch_scorer import TorchScorer

OFF_IMAGE = -1.0
"""Score of a pose that puts the anatomy's centre outside an image or behind the source."""

LESS_LIKELY = 0.02
"""What a view loses for being read with the less likely polarity."""

MOST_PIXELS, MOST_POSES = 1 << 23, 1 << 15
"""Rendered and compared at once on a GPU: 32 MiB of images, some 600 MiB with all that a comparison holds meanwhile."""


@dataclass(frozen=True, eq=False)
class ScoredView:
    """One view with the similarity to its X-ray.

    Attributes:
        other_scorer: of the X-ray read with the other polarity; None where it is decided.
        others: line integrals (height, width) of bones around, which are added to every DRR; None without any.
    """

    xray: XRay
    carm: CArm
    similarity: Similarity
    scorer: Scorer
    other_scorer: Scorer | None = None
    others: Tensor | None = None

    def readings(self, images: Tensor) -> NDArray[np.float64]:
        """Scores (1 or 2, n) of DRRs (n, h, w): as the X-ray looks, and where it is open read otherwise.

        One render serves both: only the comparison, a tenth of the work, is done twice.
        """
        scores = [self.scorer(images)]
        if self.other_scorer is not None:
            scores.append(self.other_scorer(images) - LESS_LIKELY)
        return np.array(scores)

    def with_others(self, images: Tensor) -> Tensor:
        """DRRs (n, h, w) with the bones around in them: line integrals add."""
        return images if self.others is None else images + self.others

    def with_others_behind(self, images: Tensor) -> Tensor:
        """The same for DRRs with their derivatives (n, 7, h, w), to which bones that do not move add nothing."""
        if self.others is not None:
            images[:, 0] += self.others
        return images


@dataclass(frozen=True, eq=False)
class Comparison:
    """The result of comparing poses with the views.

    Attributes:
        scores: (n,).
        gradients: (n, 6) in the parameters of a chart.
        images: the DRRs (n, height, width) in each view.
    """

    scores: NDArray[np.float64]
    gradients: NDArray[np.float64]
    images: list[Tensor]


@dataclass(frozen=True)
class FootprintScore:
    """The score of a pose over the part of the images that it claims to explain.

    Attributes:
        score: share of the DRR's structure that the image confirms, in the view that confirms least: a bone that
            lies right in one view and on its neighbour in the other is wrong.
        patches: number of patches that fit side by side into that view's footprint.
    """

    score: float
    patches: float


class Objective:
    """Mean similarity over the views.

    Args:
        projector: of the anatomy.
        views: X-rays with their C-arms, at the resolution wanted.
        centre_mm: the anatomy's centre in the volume frame (3,).
        patch_radius_px: of the similarity's patches.
        patch_stride_px: between patches.
        make_similarity: that compares DRRs with the X-rays.
    """

    def __init__(
        self,
        projector: Projector,
        views: Sequence[tuple[XRay, CArm]],
        centre_mm: NDArray[np.float64],
        patch_radius_px: int,
        patch_stride_px: int,
        make_similarity: MakeSimilarity,
    ) -> None:
        self.projector = projector
        self._device = projector.device
        self.evaluations = 0
        self._centre_mm = centre_mm
        self._patch, self._make_similarity = (patch_radius_px, patch_stride_px), make_similarity
        self._views = [self._scored_view(xray, carm) for xray, carm in views]

    def with_carms(self, changed: Callable[[CArm], CArm]) -> Objective:
        """The same comparison by other C-arms; evaluations are counted apart.

        Bones around stay where they are in the images: each has a pose of its own that would hide most of the change.
        """
        other = copy(self)
        other._views = [replace(view, carm=changed(view.carm)) for view in self._views]
        return other

    def with_similarity(self, make_similarity: MakeSimilarity) -> Objective:
        """The same views, bones around included, compared by another similarity; evaluations are counted apart."""
        other = copy(self)
        other._make_similarity = make_similarity
        other._views = [replace(other._scored_view(view.xray, view.carm), others=view.others) for view in self._views]
        return other

    def with_others(self, others: Sequence[tuple[Projector, Matrix]]) -> Objective:
        """The same comparison with other bones in every DRR, each with its pose world_from_volume (4, 4).

        They stay where they are in the images, also for other C-arms. Evaluations are counted apart.
        """
        other = copy(self)
        other.evaluations = 0
        other._views = [replace(view, others=_added_up(others, view.carm)) for view in self._views]
        return other

    def images(self, world_from_volume: NDArray[np.float64]) -> list[Tensor]:
        """The DRRs (n, height, width) of poses (n, 4, 4) in each view."""
        return [self._drrs(view, view.carm.camera_from_world @ world_from_volume) for view in self._views]

    def _drrs(self, view: ScoredView, camera_from_volume: NDArray[np.float64]) -> Tensor:
        return view.with_others(self.projector.project(camera_from_volume, view.carm))

    def scores(self, world_from_volume: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores (n,) of poses (n, 4, 4)."""
        self.evaluations += len(world_from_volume)
        is_seen = self._sees_centre(world_from_volume)
        scores = np.full(len(world_from_volume), OFF_IMAGE)
        if is_seen.any():
            seen = world_from_volume[is_seen]
            per_view = [self._readings(view, seen).max(axis=0) for view in self._views]
            scores[is_seen] = np.mean(per_view, axis=0)
        return scores

    def _readings(self, view: ScoredView, world_from_volume: NDArray[np.float64]) -> NDArray[np.float64]:
        """`ScoredView.readings` of poses (n, 4, 4), all at once or as many as a GPU's memory takes.

        Raises:
            DeviceError: the GPU gives no numbers.
        """
        poses = view.carm.camera_from_world @ world_from_volume
        if not self.projector.is_on_gpu:
            return view.readings(self._drrs(view, poses))
        some = max(1, min(MOST_POSES, MOST_PIXELS // (view.carm.width * view.carm.height)))
        parts = [poses[first : first + some] for first in range(0, len(poses), some)]
        readings = np.concatenate([view.readings(self._drrs(view, part)) for part in parts], axis=1)
        if not np.isfinite(readings).all():
            raise DeviceError("The GPU gave scores that are no numbers.")
        return readings

    def reading_at(self, world_from_volume: NDArray[np.float64]) -> Reading:
        """The reading of each view that fits a pose (4, 4) best."""
        self.evaluations += 1
        return tuple(bool(self._readings(view, world_from_volume[None])[:, 0].argmax()) for view in self._views)

    def score_and_gradient(
        self, chart: PoseChart, parameters: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64]]:
        """Score of one pose and its gradient (6,) in the chart's parameters (6,)."""
        scores, gradients = self.scores_and_gradients(chart, parameters[None])
        return float(scores[0]), gradients[0]

    def scores_and_gradients(
        self, chart: PoseChart, parameters: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores (n,) of poses and their gradients (n, 6) in the chart's parameters (n, 6)."""
        compared = self.compared(chart, parameters)
        return compared.scores, compared.gradients

    def compared(self, chart: PoseChart, parameters: NDArray[np.float64]) -> Comparison:
        """All that a comparison of poses tells, at the chart's parameters (n, 6)."""
        self.evaluations += len(parameters)
        poses = chart.world_from_volume_at(parameters)
        scores, gradients, drrs = np.zeros(len(poses)), np.zeros((len(poses), 6)), []
        for view in self._views:
            images = self.projector.project_with_derivative(view.carm.camera_from_world @ poses, view.carm)
            images = view.with_others_behind(images)
            found = view.scorer.with_derivatives(images)
            to_twist = chart.twist_from_parameters(parameters, view.carm.camera_from_world)
            scores += found[:, 0]
            gradients += np.einsum("ni,nij->nj", found[:, 1:], to_twist)
            drrs.append(images[:, 0])
        return Comparison(scores / len(self._views), gradients / len(self._views), drrs)

    def block_shares(self, images: Sequence[Tensor], centres: Sequence[Tensor]) -> NDArray[np.float64]:
        """The shares (n, blocks) that each patch-wide block of the views adds to the scores of DRRs.

        To first order around the centres: their differences add up to those of the scores.

        Args:
            images: (n, height, width) of each view.
            centres: (1, height, width) of each view.
        """
        parts = [
            view.scorer.block_shares(moving, centre)
            for view, moving, centre in zip(self._views, images, centres, strict=True)
        ]
        return np.concatenate(parts, axis=1) / len(self._views)

    def footprint_score(self, world_from_volume: NDArray[np.float64]) -> FootprintScore:
        """The score of one pose (4, 4) where its own DRR has anatomy, however small a part of the image that is.

        Other bones do not count: where they lie right, they would lend their score to a bone that lies on them.
        """
        return self._footprint_score(world_from_volume, lambda view, drr: drr)

    def footprint_score_with_others(self, world_from_volume: NDArray[np.float64]) -> FootprintScore:
        """The same where other bones are in the DRR and are seen through the anatomy: for those that move with it."""
        return self._footprint_score(world_from_volume, ScoredView.with_others)

    def _footprint_score(
        self, world_from_volume: NDArray[np.float64], compared: Callable[[ScoredView, Tensor], Tensor]
    ) -> FootprintScore:
        radius, stride = self._patch
        per_view = []
        for view in self._views:
            image = self.projector.project((view.carm.camera_from_world @ world_from_volume)[None], view.carm)
            footprint = functional.max_pool2d((image > 0).to(torch.float32), 2 * radius - 1, 1, radius - 1)[0] > 0
            mask = self._there(view.xray.mask) & footprint
            similarity = self._make_similarity(self._there(view.xray.line_integrals), mask, radius, stride)
            score = float(similarity.confirmed_structure(compared(view, image))[0])
            per_view.append(FootprintScore(score, float(mask.sum()) / (2 * radius + 1) ** 2))
        return min(per_view, key=lambda view: view.score)

    def _sees_centre(self, world_from_volume: NDArray[np.float64]) -> NDArray[np.bool_]:
        centres_world = world_from_volume[:, :3, :3] @ self._centre_mm + world_from_volume[:, :3, 3]
        is_seen = np.ones(len(world_from_volume), dtype=bool)
        for view in self._views:
            pixels = view.carm.project(transform_points(view.carm.camera_from_world, centres_world))
            with np.errstate(invalid="ignore"):
                is_seen &= view.carm.shows(pixels)
        return is_seen

    def _scored_view(self, xray: XRay, carm: CArm) -> ScoredView:
        similarity = self._similarity_to(xray)
        other = None if xray.other is None else self._scorer(self._similarity_to(xray.other))
        return ScoredView(xray, carm, similarity, self._scorer(similarity), other)

    def _similarity_to(self, xray: XRay) -> Similarity:
        return self._make_similarity(self._there(xray.line_integrals), self._there(xray.mask), *self._patch)

    def _scorer(self, similarity: Similarity) -> Scorer:
        return TorchScorer(similarity, scores_in_one_pass) if self.projector.is_on_gpu else similarity.scorer()

    def _there(self, array: NDArray[Any]) -> Tensor:
        """An array where the projector's images are."""
        return torch.from_numpy(array).to(self._device)


def _added_up(others: Sequence[tuple[Projector, Matrix]], carm: CArm) -> Tensor | None:
    """Line integrals (height, width) of bones at their poses; None without any."""
    if not others:
        return None
    images = [projector.project((carm.camera_from_world @ pose)[None], carm)[0] for projector, pose in others]
    return torch.stack(images).sum(dim=0)
