"""The objective of a search: projector, similarity and views put together, for many poses at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, transform_points
from prostreg.images.xray import XRay
from prostreg.parallel import single_threaded_torch
from prostreg.projector.selection import Projector
from prostreg.search.candidate import Reading
from prostreg.similarity.selection import MakeSimilarity, Scorer, Similarity

OFF_IMAGE = -1.0
"""Score of a pose that puts the anatomy's centre outside an image or behind the source."""

LESS_LIKELY = 0.02
"""What a view loses for being read with the less likely polarity."""


@dataclass(frozen=True, eq=False)
class ScoredView:
    """One view with the similarity to its X-ray.

    Attributes:
        other_scorer: of the X-ray read with the other polarity; None where it is decided.
    """

    xray: XRay
    carm: CArm
    similarity: Similarity
    scorer: Scorer
    other_scorer: Scorer | None = None

    def readings(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores (1 or 2, n) of DRRs (n, h, w): as the X-ray looks, and where it is open read otherwise.

        One render serves both: only the comparison, a tenth of the work, is done twice.
        """
        scores = [self.scorer(images)]
        if self.other_scorer is not None:
            scores.append(self.other_scorer(images) - LESS_LIKELY)
        return np.array(scores)


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
        self.evaluations = 0
        self._centre_mm = centre_mm
        self._patch, self._make_similarity = (patch_radius_px, patch_stride_px), make_similarity
        self._views = [self._scored_view(xray, carm) for xray, carm in views]

    def with_carms(self, changed: Callable[[CArm], CArm]) -> Objective:
        """The same comparison by other C-arms; evaluations are counted apart."""
        other = copy(self)
        other._views = [replace(view, carm=changed(view.carm)) for view in self._views]
        return other

    def with_similarity(self, make_similarity: MakeSimilarity) -> Objective:
        """The same views compared by another similarity; evaluations are counted apart."""
        other = copy(self)
        other._make_similarity = make_similarity
        other._views = [other._scored_view(view.xray, view.carm) for view in self._views]
        return other

    def images(self, world_from_volume: Matrix) -> list[NDArray[np.float32]]:
        """The DRR (height, width) of a pose (4, 4) in each view."""
        return [
            self.projector.render((view.carm.camera_from_world @ world_from_volume)[None], view.carm)[0]
            for view in self._views
        ]

    def scores(self, world_from_volume: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores (n,) of poses (n, 4, 4)."""
        self.evaluations += len(world_from_volume)
        is_seen = self._sees_centre(world_from_volume)
        scores = np.full(len(world_from_volume), OFF_IMAGE)
        if is_seen.any():
            seen = world_from_volume[is_seen]
            per_view = [
                view.readings(self.projector.render(view.carm.camera_from_world @ seen, view.carm)).max(axis=0)
                for view in self._views
            ]
            scores[is_seen] = np.mean(per_view, axis=0)
        return scores

    def reading_at(self, world_from_volume: NDArray[np.float64]) -> Reading:
        """The reading of each view that fits a pose (4, 4) best."""
        self.evaluations += 1
        return tuple(
            bool(
                view.readings(
                    self.projector.render((view.carm.camera_from_world @ world_from_volume)[None], view.carm)
                )[:, 0].argmax()
            )
            for view in self._views
        )

    def score_and_gradient(
        self, chart: PoseChart, parameters: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64]]:
        """Score of one pose and its gradient (6,) in the chart's parameters (6,)."""
        self.evaluations += 1
        pose = chart.world_from_volume_at(parameters)
        total, gradient = 0.0, np.zeros(6)
        for view in self._views:
            camera_from_volume = view.carm.camera_from_world @ pose
            images, derivative = self.projector.render_with_derivative(camera_from_volume, view.carm)
            image = torch.from_numpy(images).requires_grad_()
            with single_threaded_torch():
                score = view.similarity(image)[0]
                (per_pixel,) = torch.autograd.grad(score, image)
            per_twist = np.tensordot(derivative[0].astype(np.float64), per_pixel[0].numpy(), axes=2)
            total += score.item()
            gradient += per_twist @ chart.twist_from_parameters(parameters, view.carm.camera_from_world)[0]
        return total / len(self._views), gradient / len(self._views)

    def block_shares(self, world_from_volume: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
        """The shares (n, blocks) that each patch-wide block of the views adds to the scores of poses (n, 4, 4).

        To first order around the pose ``centre`` (4, 4): their differences add up to those of the scores.
        """
        poses = np.concatenate([centre[None], world_from_volume])
        renders = [self.projector.render(view.carm.camera_from_world @ poses, view.carm) for view in self._views]
        return self.image_block_shares([images[1:] for images in renders], [images[0] for images in renders])

    def image_block_shares(
        self, images: Sequence[NDArray[np.float32]], centres: Sequence[NDArray[np.float32]]
    ) -> NDArray[np.float64]:
        """`block_shares` of given DRRs (n, height, width) of each view, around one (height, width) of each view."""
        parts = []
        with torch.no_grad(), single_threaded_torch():
            for view, moving, centre in zip(self._views, images, centres, strict=True):
                shares = view.similarity.block_shares(torch.from_numpy(moving), torch.from_numpy(centre)[None])
                parts.append(shares.numpy().astype(np.float64))
        return np.concatenate(parts, axis=1) / len(self._views)

    def footprint_score(self, world_from_volume: NDArray[np.float64]) -> FootprintScore:
        """The score of one pose (4, 4) where its own DRR has anatomy, however small a part of the image that is."""
        radius, stride = self._patch
        per_view = []
        for view in self._views:
            image = torch.from_numpy(
                self.projector.render((view.carm.camera_from_world @ world_from_volume)[None], view.carm)
            )
            footprint = functional.max_pool2d((image > 0).to(torch.float32), 2 * radius - 1, 1, radius - 1)[0] > 0
            mask = torch.from_numpy(view.xray.mask) & footprint
            similarity = self._make_similarity(torch.from_numpy(view.xray.line_integrals), mask, radius, stride)
            score = float(similarity.confirmed_structure(image)[0])
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
        other = None if xray.other is None else self._similarity_to(xray.other).scorer()
        return ScoredView(xray, carm, similarity, similarity.scorer(), other)

    def _similarity_to(self, xray: XRay) -> Similarity:
        fixed, mask = torch.from_numpy(xray.line_integrals), torch.from_numpy(xray.mask)
        return self._make_similarity(fixed, mask, *self._patch)
