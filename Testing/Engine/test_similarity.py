"""The similarities: what makes them 1, what leaves them unchanged, and that they are never NaN."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from prostreg.similarity.correlation import PatchGradNcc, sobel_by_slices, sobel_gradients
from prostreg.similarity.likelihood import PatchLikelihood
from prostreg.similarity.torch_scorer import TorchScorer

SIZE = (40, 52)


def smooth_images(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, 1, *SIZE, generator=generator)
    return torch.nn.functional.avg_pool2d(noise, 5, stride=1, padding=2)[:, 0].contiguous()


def full_mask() -> torch.Tensor:
    return torch.ones(SIZE, dtype=torch.bool)


def half_mask() -> torch.Tensor:
    mask = full_mask()
    mask[:, 26:] = False
    return mask


def patch_grad_ncc(fixed: torch.Tensor, mask: torch.Tensor) -> PatchGradNcc:
    return PatchGradNcc(fixed, mask, radius=4, stride=2)


def test_gain_and_offset_change_nothing():
    images = smooth_images(4)
    similarity = patch_grad_ncc(images[0], full_mask())
    torch.testing.assert_close(similarity(7.5 * images + 30), similarity(images), atol=1e-3, rtol=1e-3)
    rescaled = patch_grad_ncc(0.02 * images[0] - 4, full_mask())
    torch.testing.assert_close(rescaled(images), similarity(images), atol=1e-3, rtol=1e-3)


def test_the_image_itself_scores_highest_and_its_negative_lowest():
    images = smooth_images(6)
    scores = patch_grad_ncc(images[0], full_mask())(torch.cat([images, -images[:1]]))
    assert scores.argmax() == 0
    assert scores.argmin() == 6
    assert 0.9 < float(scores[0]) <= 1.0 + 1e-5
    assert float(scores[6]) == pytest.approx(-float(scores[0]), abs=1e-5)
    assert scores[1:6].abs().max() < 0.5


def test_what_lies_outside_the_mask_does_not_count():
    images = smooth_images(3)
    similarity = patch_grad_ncc(images[0], half_mask())
    spoiled = images.clone()
    spoiled[:, :, 26:] = 100 * smooth_images(3, seed=9)[:, :, 26:]
    torch.testing.assert_close(similarity(spoiled), similarity(images), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("mask", [full_mask(), ~full_mask()])
def test_flat_images_score_zero_with_a_finite_derivative(mask):
    flat = torch.full((2, *SIZE), 3.0, requires_grad=True)
    for fixed in (smooth_images(1)[0], torch.full(SIZE, 5.0)):
        scores = patch_grad_ncc(fixed, mask)(flat)
        (gradient,) = torch.autograd.grad(scores.sum(), flat)
        assert torch.equal(scores, torch.zeros(2))
        assert torch.isfinite(gradient).all()
    assert torch.isfinite(patch_grad_ncc(torch.full(SIZE, 5.0), mask)(smooth_images(2))).all()


def test_derivatives_equal_finite_differences():
    images = smooth_images(3)[:, :14, :16].double().contiguous()
    similarity = patch_grad_ncc(images[0], torch.ones(14, 16, dtype=torch.bool))
    assert torch.autograd.gradcheck(similarity, images[1:].requires_grad_(), atol=1e-5)


def test_one_glaring_edge_does_not_hide_the_rest():
    images = smooth_images(1)
    fixed = images[0].clone()
    fixed[:, 46:] += 300
    score = patch_grad_ncc(fixed, full_mask())(images)
    assert float(score[0]) > 0.6


@pytest.mark.parametrize("make", [PatchGradNcc, PatchLikelihood])
@pytest.mark.parametrize("mask", [full_mask(), half_mask(), ~full_mask()])
@pytest.mark.parametrize(("radius", "stride"), [(4, 2), (3, 1), (1, 5), (5, 3), (40, 3)])
def test_compiled_scores_and_derivatives_equal_those_of_torch(make, mask, radius, stride):
    """DRRs that are far from the X-ray, near it, beyond the likelihood's cut, and flat."""
    fixed, *other = smooth_images(29)
    images = torch.stack(other).reshape(4, 7, *SIZE)
    images[1, 0] = fixed + 0.3 * images[1, 0]
    images[2, 0] = fixed + 0.01 * images[2, 0]
    images[3, 0] = 0
    similarity = make(fixed, mask, radius, stride)
    found = similarity.scorer().with_derivatives(images)
    np.testing.assert_allclose(found[:, 0], similarity.scorer()(images[:, 0].contiguous()), atol=1e-12)
    np.testing.assert_allclose(found[:, 0], similarity(images[:, 0]).numpy(), atol=2e-5)
    exact = TorchScorer(make(fixed.double(), mask, radius, stride)).with_derivatives(images.double())
    sizes = np.abs(exact[:, 1:]).max(axis=1, keepdims=True)
    np.testing.assert_allclose(found[:, 1:] / (sizes + 1e-12), exact[:, 1:] / (sizes + 1e-12), atol=3e-4)


@pytest.mark.parametrize("make", [PatchGradNcc, PatchLikelihood])
@pytest.mark.parametrize("mask", [full_mask(), half_mask(), ~full_mask()])
@pytest.mark.parametrize(("radius", "stride"), [(4, 2), (3, 1), (1, 5), (5, 3), (40, 3)])
def test_compiled_shares_of_blocks_equal_those_of_torch(make, mask, radius, stride):
    """DRRs that are far from the X-ray, near it, beyond the likelihood's cut, and flat."""
    fixed, *other = smooth_images(5)
    images = torch.stack(other)
    images[1], images[2], images[3] = fixed + 0.3 * images[1], fixed + 0.01 * images[2], 0
    similarity = make(fixed, mask, radius, stride)
    found = similarity.scorer().block_shares(images, images[1:2])
    np.testing.assert_allclose(found, similarity.block_shares(images, images[1:2]).numpy(), atol=1e-6)
    if make is PatchLikelihood:
        np.testing.assert_allclose(found.sum(axis=1), similarity.scorer()(images), atol=1e-12)


def test_gradients_by_slices_are_those_of_the_convolution():
    images = torch.from_numpy(np.random.default_rng(5).random((3, 17, 23)))
    expected = sobel_gradients(images)
    assert float(expected.abs().max()) > 0.3
    np.testing.assert_allclose(sobel_by_slices(images), expected, atol=1e-12)
