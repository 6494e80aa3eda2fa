"""Networks of the optional library: names, and, where it is installed, that they work offline."""

from __future__ import annotations

import importlib.util
import socket
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from orgseg_app.learn.losses.registry import total_loss
from orgseg_app.learn.networks.registry import build_network
from orgseg_app.runs.errors import RecipeError
from orgseg_app.runs.recipes.library_networks import (
    LIBRARY_DECODERS,
    LIBRARY_ENCODERS,
    decoder_and_encoder,
)
from orgseg_app.runs.recipes.reading import check_recipe
from orgseg_app.runs.recipes.schema import LossTerm, NetworkChoice, Recipe

NAME = "segmentation_models_pytorch"
_OPERATORS: list[Any] = []


@pytest.fixture(scope="module")
def library() -> Any:
    """The library; its torchvision may be one for another torch: see environment.md, trap 3."""
    if importlib.util.find_spec(NAME) is None:
        pytest.skip("segmentation-models-pytorch is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import torchvision  # noqa: F401
        except RuntimeError:
            for name in [n for n in sys.modules if n.partition(".")[0] == "torchvision"]:
                del sys.modules[name]
            operators = torch.library.Library("torchvision", "DEF")
            operators.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            operators.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            _OPERATORS.append(operators)
        return importlib.import_module(NAME)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nobody opens a connection, and the caches are empty."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    before = torch.hub.get_dir()
    torch.hub.set_dir(tmp_path / "torch")
    yield
    torch.hub.set_dir(before)


def _choice(pair: str, *, pretrained: bool = False) -> NetworkChoice:
    return NetworkChoice(name="smp", encoder=pair, pretrained=pretrained)


def test_names_are_read() -> None:
    assert decoder_and_encoder("") == ("unet", "resnet18")
    assert decoder_and_encoder(" FPN/ResNet34 ") == ("fpn", "resnet34")
    assert decoder_and_encoder("mit_b0") == ("unet", "mit_b0")
    assert decoder_and_encoder("unet/tu-convnext_tiny") == ("unet", "tu-convnext_tiny")


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        ("unet/resnet81", 'Encoder" cannot be "resnet81".*Did you mean "resnet18"'),
        ("unett/resnet18", 'decoder "unett", which there is not.*Did you mean "unet"'),
        ("unet/", 'Encoder" cannot be ""'),
        ("unet/../../etc", "there is not"),
    ],
)
def test_misspelt_names_are_refused_before_anything_starts(pair: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        check_recipe(Recipe(name="r", network=_choice(pair)))
    with pytest.raises(RecipeError, match=sentence):
        build_network(_choice(pair), channels=1, classes=2)


def test_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, NAME, None)
    with pytest.raises(ValueError, match=r"not installed. Install it \(pip install orgseg\[smp\]"):
        build_network(_choice("unet/resnet18"), channels=1, classes=2)


def test_lists_are_those_of_the_library(library: Any) -> None:
    assert set(LIBRARY_ENCODERS) <= set(library.encoders.get_encoder_names())
    assert set(LIBRARY_DECODERS) <= set(library.MODEL_ARCHITECTURES_MAPPING)


@pytest.mark.parametrize("decoder", LIBRARY_DECODERS)
def test_every_decoder_takes_any_size(decoder: str, library: Any) -> None:
    encoder = "mobilenet_v2"
    network = build_network(_choice(f"{decoder}/{encoder}"), channels=5, classes=3)
    for size in ((1, 1), (33, 70)):
        image = torch.randn(1, 5, *size)
        (head,) = network.train().heads(image)
        head.logits.sum().backward()
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            assert network.eval()(image).shape == head.logits.shape == (1, 3, *size)


@pytest.mark.parametrize("encoder", ["resnet18", "efficientnet-b0", "mit_b0", "tu-resnet10t"])
def test_encoders_learn(encoder: str, library: Any) -> None:
    torch.manual_seed(0)
    network = build_network(_choice(f"unet/{encoder}"), channels=1, classes=2).train()
    images = torch.randn(2, 1, 64, 64)
    target = (images[:, 0] > 1).long()
    images[:, 0] += 3 * target
    optimiser = torch.optim.Adam(network.parameters(), lr=0.003)
    losses = []
    for _ in range(12):
        optimiser.zero_grad()
        loss = total_loss(
            network(images), target, torch.ones(2, 64, 64), terms=[LossTerm("cross_entropy")]
        )
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_pairs_that_do_not_fit_are_refused(library: Any) -> None:
    with pytest.raises(ValueError, match='"unetplusplus" cannot be put on the encoder "mit_b0"'):
        build_network(_choice("unetplusplus/mit_b0"), channels=1, classes=2)


def test_photographs_that_are_not_on_the_disk_are_said(library: Any) -> None:
    with pytest.raises(ValueError, match="no ImageNet weights .* Nothing was downloaded"):
        build_network(_choice("unet/resnet18", pretrained=True), channels=1, classes=2)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_photographs_on_the_disk_are_used(channels: int, library: Any) -> None:
    known = library.encoders.get_encoder("resnet18")
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    folder.mkdir(parents=True)
    weights = {**known.state_dict(), "fc.weight": torch.zeros(9), "fc.bias": torch.zeros(9)}
    torch.save(weights, folder / "resnet18-0123abcd.pth")
    choice = _choice("deeplabv3plus/resnet18", pretrained=True)
    network = build_network(choice, channels=channels, classes=2)
    encoder: Any = network.get_submodule("body.encoder")
    assert torch.equal(encoder.layer4[1].conv2.weight, known.layer4[1].conv2.weight)
    # As strong an answer to a grey image as before, however many channels say the same.
    grey = torch.rand(1, 1, 8, 8)
    expected = nn.functional.conv2d(grey.expand(1, 3, 8, 8), known.conv1.weight)
    found = nn.functional.conv2d(grey.expand(1, channels, 8, 8), encoder.conv1.weight)
    if channels != 5:  # 5 = 3 + 2: the colours do not divide evenly
        torch.testing.assert_close(found, expected)
    assert encoder.conv1.weight.shape == (64, channels, 7, 7)
    assert encoder.conv1.weight.abs().sum() > 0


def test_damaged_photographs_are_said(library: Any) -> None:
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "resnet18-0123abcd.pth").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="do not fit the encoder"):
        build_network(_choice("unet/resnet18", pretrained=True), channels=1, classes=2)


def test_stored_model_needs_no_photographs(library: Any) -> None:
    """As a checkpoint is read: built without memory, then given its weights."""
    first = build_network(_choice("unet/mit_b0"), channels=2, classes=2).eval()
    with torch.device("meta"):
        choice = _choice("unet/mit_b0", pretrained=True)
        second = build_network(choice, channels=2, classes=2)
    second.load_state_dict(first.state_dict(), assign=True)
    image = torch.randn(1, 2, 40, 40)
    with torch.no_grad():
        assert torch.equal(first(image), second.eval()(image))
