"""Tiled prediction equals whole-image prediction, whatever the tiles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from orgseg_app.core.classes import default_classes
from orgseg_app.core.preprocessing.steps import apply_steps
from orgseg_app.learn.checkpoint import Model
from orgseg_app.learn.device import cpu_device
from orgseg_app.learn.errors import DataError, OutOfMemoryError, StopRequestedError
from orgseg_app.learn.networks.registry import build_network
from orgseg_app.learn.prediction.group import Group
from orgseg_app.learn.prediction.predictor import Predictor, most_probable
from orgseg_app.learn.prediction.tiles import plan_axis, tile_size
from orgseg_app.learn.prediction.volumes import predict_image
from orgseg_app.runs.recipes.schema import NetworkChoice, Recipe
from tests.learn.predicting import plane_bands, predict_plane


def model_of(
    depth: int = 2, *, channels: int = 1, classes: int = 2, seed: int = 0, name: str = "m"
) -> Model:
    """A network with weights and batch statistics that make every pixel matter."""
    torch.manual_seed(seed)
    choice = NetworkChoice(depth=depth, width=4)
    network = build_network(choice, channels=channels, classes=classes)
    torch.nn.init.normal_(network.head.weight)
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(2, channels, 64, 64))
    names = [f"c{i}" for i in range(classes - 1)]
    recipe = Recipe(name=name, network=choice)
    return Model(network.eval(), recipe, default_classes(names), channels, name=name)


def whole(model: Model, plane: np.ndarray) -> np.ndarray:
    """The slow, obvious way: one forward pass of the whole image."""
    image = torch.from_numpy(apply_steps(plane, model.recipe.preprocess))[None]
    with torch.no_grad():
        return model.network(image).softmax(1)[0].numpy()


def tiled(predictor: Predictor, plane: np.ndarray) -> np.ndarray:
    bands = list(plane_bands(predictor, plane))
    assert [b.start for b in bands] == sorted(b.start for b in bands)
    return np.concatenate([b.probabilities for b in bands], axis=1)


def picture(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4000, shape).astype(np.uint16)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(300, 410), (130, 611)])
def test_tiles_equal_the_whole_image(depth: int, shape: tuple[int, int]) -> None:
    model = model_of(depth)
    plane = picture((1, *shape))
    predictor = Predictor([model], cpu_device(), tile=64)
    calls: list[tuple[int, int]] = []
    list(plane_bands(predictor, plane, progress=lambda done, total: calls.append((done, total))))
    assert calls[-1][0] == calls[-1][1] == len(calls) > 1  # it really was tiled
    assert np.abs(tiled(predictor, plane) - whole(model, plane)).max() < 1e-4


def test_several_channels_and_classes() -> None:
    model = model_of(2, channels=3, classes=5)
    plane = picture((3, 200, 260))
    found = tiled(Predictor([model], cpu_device(), tile=64), plane)
    assert found.shape == (5, 200, 260)
    assert np.abs(found - whole(model, plane)).max() < 1e-4
    assert np.allclose(found.sum(0), 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 37), (2, 3), (17, 16)])
def test_tiny_images(shape: tuple[int, int]) -> None:
    model = model_of(3)
    mask, probabilities = predict_plane(
        Predictor([model], cpu_device()), picture((1, *shape)), want_probabilities=True
    )
    assert mask.shape == shape
    assert set(np.unique(mask)) <= {1, 2}
    assert probabilities is not None
    assert probabilities.shape == (2, *shape)
    expected = whole(model, picture((1, *shape)))
    assert np.abs(probabilities / 255 - expected).max() < 0.003


def test_a_network_that_sees_everything_is_blended_without_seams() -> None:
    """Without an end to its sight tiles differ; blending keeps neighbours close."""
    model = model_of(2)
    model.network.radius = None
    plane = np.full((1, 300, 300), 7, np.uint16)
    found = tiled(Predictor([model], cpu_device(), tile=96), plane)
    assert np.isfinite(found).all()
    assert np.abs(np.diff(found[1, 20:-20, 20:-20], axis=0)).max() < 0.2


def test_several_models_are_averaged() -> None:
    models = [model_of(1, seed=1), model_of(3, seed=2)]
    plane = picture((1, 220, 150))
    found = tiled(Predictor(models, cpu_device(), tile=96), plane)
    expected = np.mean([whole(m, plane) for m in models], axis=0)
    assert np.abs(found - expected).max() < 1e-4


def test_models_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(DataError, match="different classes"):
        Predictor([model_of(), model_of(classes=3)], cpu_device())
    with pytest.raises(DataError, match="channels"):
        Predictor([model_of(), model_of(channels=2)], cpu_device())


def test_volume_goes_plane_by_plane() -> None:
    predictor = Predictor([model_of()], cpu_device())
    volume = picture((1, 3, 40, 50))
    steps: list[tuple[int, int]] = []
    found = predict_image(predictor, volume, progress=lambda *step: steps.append(step))
    assert steps == [(1, 3), (2, 3), (3, 3)]
    for z in range(3):
        assert np.array_equal(found.mask[z], predict_plane(predictor, volume[:, z])[0])


def test_grey_image_suits_a_colour_model_but_not_the_reverse() -> None:
    grey = picture((1, 30, 30))
    predictor = Predictor([model_of(channels=3)], cpu_device())
    same = predict_plane(predictor, np.repeat(grey, 3, axis=0))[0]
    assert np.array_equal(predict_plane(predictor, grey)[0], same)
    with pytest.raises(DataError, match=r"has 3 channels, but the model was trained on .* 1"):
        predict_plane(Predictor([model_of()], cpu_device()), np.repeat(grey, 3, axis=0))


def test_stops_between_tiles() -> None:
    predictor = Predictor([model_of()], cpu_device(), tile=64)
    asked = iter([False, False, True])
    with pytest.raises(StopRequestedError):
        predict_plane(predictor, picture((1, 400, 400)), should_stop=lambda: next(asked))


def test_memory_follows_the_width_not_the_height() -> None:
    """A tall image is finished band by band: what waits is never taller than a tile or two."""
    predictor = Predictor([model_of(1)], cpu_device(), tile=64)
    heights = [b.probabilities.shape[1] for b in plane_bands(predictor, picture((1, 3000, 40)))]
    assert sum(heights) == 3000
    assert max(heights) <= 128


def test_short_memory_makes_tiles_smaller_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    predictor = Predictor([model_of(1)], cpu_device(), tile=512, say=said.append)
    real = Predictor._probabilities

    def short(self: Predictor, tiles: list[torch.Tensor], group: Group) -> np.ndarray:
        if tiles[0].shape[-1] > limit:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried …")
        return real(self, tiles, group)

    monkeypatch.setattr(Predictor, "_probabilities", short)
    plane = picture((1, 300, 300))
    limit = 1000
    expected = predict_plane(predictor, plane)[0]
    limit = 150
    assert np.array_equal(predict_plane(predictor, plane)[0], expected)
    assert "pieces of 128 pixels" in said[-1]
    limit = 8
    with pytest.raises(OutOfMemoryError, match="memory is too small"):
        predict_plane(predictor, plane)


@given(
    size=st.integers(1, 400),
    wanted=st.integers(8, 200),
    log2=st.integers(0, 4),
    radius=st.one_of(st.none(), st.integers(0, 40)),
)
def test_tiles_cover_everything_once(size: int, wanted: int, log2: int, radius: int | None) -> None:
    multiple = 2**log2
    size *= multiple
    tile = tile_size(radius=radius, multiple=multiple, wanted=wanted)
    tiles = plan_axis(size, tile=tile, multiple=multiple, radius=radius)
    total = np.zeros(size)
    for t in tiles:
        assert t.start % multiple == 0
        assert 0 <= t.start <= t.kept_start < t.kept_stop <= t.stop <= size
        assert t.stop - t.start <= tile
        assert (t.stop - t.start) % multiple == 0
        if radius is not None:
            assert t.start == 0 or t.kept_start - t.start >= radius
            assert t.stop == size or t.stop - t.kept_stop >= radius
        assert (t.weights > 0).all()
        total[t.kept_start : t.kept_stop] += t.weights
    assert np.allclose(total, 1, atol=1e-5)
    if len(tiles) == 1:
        assert size <= tile


@pytest.mark.parametrize("classes", [1, 2, 3, 7])
def test_the_most_probable_class_is_the_first_maximum(classes: int) -> None:
    random = np.random.default_rng(classes)
    values = random.integers(0, 4, (classes, 20, 30)).astype(np.float32)  # many are equal
    assert np.array_equal(most_probable(values), values.argmax(axis=0))


def test_sight_wider_than_memory_is_cut_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces smaller than what the network sees: near their edges not exact, but everywhere."""
    said: list[str] = []
    model = model_of(3)
    predictor = Predictor([model], cpu_device(), tile=512, say=said.append)
    real = Predictor._probabilities

    def short(self: Predictor, tiles: list[torch.Tensor], group: Group) -> np.ndarray:
        if tiles[0].shape[-1] > 100:  # three times its sight is 153
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried …")
        return real(self, tiles, group)

    monkeypatch.setattr(Predictor, "_probabilities", short)
    plane = picture((1, 300, 300))
    mask, probabilities = predict_plane(predictor, plane, want_probabilities=True)
    assert mask.min() >= 1
    assert probabilities is not None
    assert "smaller than what the network sees" in " ".join(said)
    expected = whole(model, plane)
    assert np.abs(probabilities / 255 - expected).mean() < 0.05
    monkeypatch.undo()
    endless = model_of(1)
    endless.network.radius = 3000
    assert Predictor([endless], cpu_device()).flat.tile <= 1536  # not 9000
