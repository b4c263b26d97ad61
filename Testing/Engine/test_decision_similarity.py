"""What the similarity counts: no border, no hardly covered patch, and structure only where the image confirms it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from prostreg.choices import SIMILARITIES
from prostreg.similarity.correlation import PatchGradNcc, eroded_mask, sobel_gradients
from prostreg.similarity.scorer import CompiledScorer
from prostreg.similarity.selection import similarity_called
from prostreg.similarity.torch_scorer import TorchScorer

SIZE = (24, 30)


def image(seed: int = 0) -> torch.Tensor:
    noise = torch.randn(1, 1, *SIZE, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.avg_pool2d(noise, 3, stride=1, padding=1)[0].contiguous()


def full_mask() -> torch.Tensor:
    return torch.ones(SIZE, dtype=torch.bool)


def test_gradients_are_sobels_along_u_and_along_v_and_zero_at_the_border():
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    along_u, along_v = sobel_gradients((3 * columns + 5 * rows)[None])[0]
    inner = (slice(1, -1), slice(1, -1))
    assert (along_u[inner] == 3).all()
    assert (along_v[inner] == 5).all()
    for gradient in (along_u, along_v):
        gradient[inner] = 0
        assert (gradient == 0).all()


def test_a_pixel_counts_only_where_all_its_neighbours_do():
    mask = torch.ones((7, 9), dtype=torch.bool)
    mask[3, 4] = False
    expected = np.zeros((7, 9), dtype=bool)
    expected[1:-1, 1:-1] = True
    expected[2:5, 3:6] = False
    np.testing.assert_array_equal(eroded_mask(mask).numpy(), expected)


@pytest.mark.parametrize(("hidden_columns", "counts"), [(0, True), (3, True), (4, True), (5, False), (9, False)])
def test_a_patch_counts_from_half_of_it_covered(hidden_columns, counts):
    """One patch of 9 x 9 pixels in the middle of an image of 11 x 11; the mask's edge costs a column more."""
    mask = torch.ones((11, 11), dtype=torch.bool)
    mask[:, :hidden_columns] = False
    similarity = PatchGradNcc(torch.rand(11, 11), mask, radius=5)
    covered = float(eroded_mask(mask).float().mean())
    assert bool(similarity.counts[0, 0, 0, 0]) == (covered >= 0.5)
    assert PatchGradNcc.LEAST_COVER == 0.5


def test_patches_at_both_sides_of_half_cover():
    mask = full_mask()
    mask[:, :10] = False
    similarity = PatchGradNcc(image()[0], mask, radius=3, stride=1)
    cover = torch.nn.functional.avg_pool2d(similarity.weight[None, None], 7, 1)
    counted, left_out = cover[similarity.counts > 0], cover[similarity.counts == 0]
    assert counted.min() >= 0.5
    assert 0.2 < left_out.max() < 0.5
    assert 0.5 <= counted.min() < 0.75


@pytest.mark.parametrize("make", [TorchScorer, PatchGradNcc.scorer])
def test_what_lies_in_hardly_covered_patches_or_at_the_border_does_not_count(make):
    fixed, mask = image()[0], full_mask()
    mask[:, :12] = False
    scorer = make(PatchGradNcc(fixed, mask, radius=3, stride=2))
    plain = fixed[None]
    changed = plain.clone()
    changed[:, :, :11] = torch.from_numpy(np.random.default_rng(0).normal(0, 5, changed[:, :, :11].shape))
    assert scorer(changed)[0] == pytest.approx(scorer(plain)[0], abs=1e-6)
    # All that is seen of a picture in the mask's own rim is thrown away, one pixel further in it counts.
    inside = plain.clone()
    inside[:, 5:20, 14:26] *= -1
    assert scorer(inside)[0] < scorer(plain)[0] - 0.3


def test_a_faint_patch_weighs_less_than_a_strong_one_and_flat_ones_nothing():
    fixed = image()[0].clone()
    fixed[:, :15] *= 1e-3
    similarity = PatchGradNcc(fixed, full_mask(), radius=3, stride=1)
    strong, faint = fixed.clone(), fixed.clone()
    strong[:, 15:] *= -1
    faint[:, :15] *= -1
    whole, without_faint, without_strong = similarity(torch.stack([fixed, faint, strong])).tolist()
    assert without_faint == pytest.approx(whole, abs=0.02)
    assert without_strong < -0.5 * whole
    assert PatchGradNcc.DAMPING == 0.05


def test_more_structure_elsewhere_does_not_raise_the_score():
    """The plain average of correlations rises with every structure that is brought in: not this one."""
    fixed = image()[0]
    part = fixed.clone()
    part[:, 15:] = 0
    similarity = PatchGradNcc(fixed, full_mask(), radius=3, stride=1)
    whole, half, noise = similarity(torch.stack([fixed, part, part + 0.2 * image(5)[0]])).tolist()
    assert whole > half > noise
    assert half == pytest.approx(whole / np.sqrt(2), abs=0.1)


def test_confirmed_structure_is_a_share_of_what_the_drr_claims():
    fixed = image()[0]
    similarity = PatchGradNcc(fixed, full_mask(), radius=3, stride=1)
    part, wrong = fixed.clone(), fixed.clone()
    part[:, 15:] = 0
    wrong[:, 15:] = image(7)[0][:, 15:]
    whole, half_claimed, half_wrong = similarity.confirmed_structure(torch.stack([fixed, part, wrong])).tolist()
    assert whole == pytest.approx(1.0, abs=0.05)
    # The score of half of the structure is 0.7; what is claimed of it is confirmed but for the new edge.
    assert half_claimed > 0.77
    assert half_wrong == pytest.approx(0.5, abs=0.2)
    assert float(similarity.confirmed_structure(-fixed[None])[0]) == pytest.approx(-whole, abs=1e-5)


def test_the_compiled_scorer_is_used():
    similarity = similarity_called(next(iter(SIMILARITIES)))(image()[0], full_mask(), 3, 2)
    assert isinstance(similarity.scorer(), CompiledScorer)
