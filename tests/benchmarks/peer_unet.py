"""A U-Net of segmentation-models-pytorch (resnet18, no weights) on the images of a benchmark.

``peer_unet DATA.npz ANSWER.json METHOD CLASSES SECONDS SEED CLOCK``, which leaves the class ids of
the test images in ``ANSWER.npz``, too; the library lies in ``$PEERS/smp``, made outside the project
by::

    pip install --target $PEERS/smp --no-deps segmentation-models-pytorch==0.6.0 timm==1.0.31 \\
        torchvision==0.28.0 'huggingface_hub<1' pyyaml pillow tqdm packaging filelock fsspec \\
        requests urllib3 idna certifi charset_normalizer

Two ways, both with patches of 256 pixels drawn anywhere, turned and mirrored, eight a step, AdamW
with a rate of 0.001, cross-entropy plus Dice, and the state that is best on the validation images:

- ``smp``: a plain loop in float32 as in the library's documentation;
- ``smp-tuned``: the best we could make of it: channels-last, bfloat16 where that is quicker, the
  memory settings of OrgSeg's jobs, patches drawn as OrgSeg draws them, a cosine that ends with the
  time.
"""

from __future__ import annotations

import copy
import functools
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

PATCH, BATCH, RATE, CHECKS = 256, 8, 1e-3, 10


def build(classes: int) -> nn.Module:
    """The network; torchvision's compiled operators are declared, not there (nobody calls them)."""
    sys.path.append(str(Path(os.environ["PEERS"]) / "smp"))
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    build.library = library  # type: ignore[attr-defined]  # gone with it, were it collected
    import segmentation_models_pytorch as smp

    network: nn.Module = smp.Unet("resnet18", encoder_weights=None, in_channels=1, classes=classes)
    return network


@functools.cache
def _has_bf16() -> bool:
    """As OrgSeg asks: without units for it bfloat16 is a hundred times slower."""
    from orgseg_app.learn.device import bf16_pays_on_cpu

    return bf16_pays_on_cpu()


def _precision(tuned: bool) -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=tuned and _has_bf16())


def main() -> int:
    """Train, choose on the validation images, score the test images."""
    data, answer, method, count, seconds, seed, clock = sys.argv[1:]
    classes, budget, tuned = int(count), float(seconds), method == "smp-tuned"
    if clock == "cpu":
        torch.set_num_threads(1)
    torch.manual_seed(int(seed))
    with np.load(data) as found:
        planes: dict[str, list[tuple[NDArray[np.float32], NDArray[np.uint8]]]] = {}
        for number, split in enumerate(found["splits"]):
            plane = (_prepared(found[f"image{number}"]), found[f"mask{number}"])
            planes.setdefault(str(split), []).append(plane)
    network = build(classes)
    if tuned:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), RATE)
    draw = _orgseg_patches if tuned else _any_patches
    batches = draw(planes["train"], classes, int(seed))
    start, steps, best, checked = _now(clock), 0, (-1.0, network), 0
    while (progress := (_now(clock) - start) / budget) < 1:
        if progress * CHECKS >= checked + 1:
            checked = int(progress * CHECKS)
            best = _better(best, network, planes["validation"], classes, tuned)
            continue
        if tuned:
            for group in optimiser.param_groups:
                group["lr"] = RATE * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
        pixels, target = batches(steps)
        if tuned:
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        network.train()
        optimiser.zero_grad(set_to_none=True)
        with _precision(tuned):
            logits = network(pixels)
        _loss(logits.float(), target).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        steps += 1
    took = _now(clock) - start
    best = _better(best, network, planes["validation"], classes, tuned)
    guesses: list[NDArray[np.uint8]] = []
    test = _matrices(best[1], planes["test"], classes, tuned, guesses)
    np.savez(Path(answer).with_suffix(".npz"), *guesses)
    Path(answer).write_text(
        json.dumps(
            {
                "seconds": took,
                "steps": steps,
                "validation": _matrices(best[1], planes["validation"], classes, tuned),
                "test": test,
            }
        ),
        encoding="utf-8",
    )
    return 0


def _now(clock: str) -> float:
    from tests.benchmarks.trained import ProcessorClock

    return ProcessorClock.monotonic() if clock == "cpu" else time.monotonic()


def _prepared(image: NDArray[Any]) -> NDArray[np.float32]:
    """Grey values between the percentiles 1 and 99 to 0…1, as everybody does."""
    low, high = np.percentile(image, (1, 99))
    scaled: NDArray[np.float32] = ((image - low) / max(high - low, 1e-6)).astype(np.float32)
    return np.clip(scaled, -0.5, 1.5)


def _any_patches(planes: Any, classes: int, seed: int) -> Any:
    random = np.random.default_rng(seed)

    def batch(step: int) -> tuple[Tensor, Tensor]:
        pixels = np.zeros((BATCH, 1, PATCH, PATCH), np.float32)
        target = np.full((BATCH, PATCH, PATCH), -1, np.int64)
        for n in range(BATCH):
            image, mask = planes[int(random.integers(len(planes)))]
            y, x = (int(random.integers(max(1, s - PATCH + 1))) for s in image.shape)
            cut = (slice(y, y + PATCH), slice(x, x + PATCH))
            turns, mirror = int(random.integers(4)), 1 - 2 * int(random.integers(2))
            part, truth = (np.rot90(a[cut], turns)[:, ::mirror] for a in (image, mask))
            pixels[n, 0, : part.shape[0], : part.shape[1]] = part
            target[n, : part.shape[0], : part.shape[1]] = truth.astype(np.int64) - 1
        return torch.from_numpy(pixels), torch.from_numpy(target)

    return batch


def _orgseg_patches(planes: Any, classes: int, seed: int) -> Any:
    from orgseg_app.learn.data.patches import IGNORED, LabelledPlane, PatchSampler
    from orgseg_app.runs.recipes.schema import AugmentationStep

    labelled = [
        LabelledPlane(
            str(n), str(n), 0, image[None], np.where(mask > 0, mask - 1, IGNORED).astype(np.uint8)
        )
        for n, (image, mask) in enumerate(planes)
    ]
    sampler = PatchSampler(
        labelled,
        classes=classes,
        patch_size=PATCH,
        augmentation=(AugmentationStep("d4"),),
        seed=seed,
    )

    def batch(step: int) -> tuple[Tensor, Tensor]:
        drawn = sampler.batch(step, BATCH)
        target = np.where(drawn.weights > 0, drawn.target, -1).astype(np.int64)
        return torch.from_numpy(drawn.pixels), torch.from_numpy(target)

    return batch


def _loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy plus Dice of the library, over painted pixels."""
    import segmentation_models_pytorch as smp

    dice = smp.losses.DiceLoss("multiclass", from_logits=True, ignore_index=-1)
    plain = nn.functional.cross_entropy(logits, target, ignore_index=-1)
    return plain + dice(logits, target)  # type: ignore[no-any-return]


def _better(
    best: tuple[float, nn.Module], network: nn.Module, planes: Any, classes: int, tuned: bool
) -> tuple[float, nn.Module]:
    from tests.benchmarks.trained import mean_iou

    matrices = _matrices(network, planes, classes, tuned)
    score = mean_iou(np.sum([np.array(m) for m in matrices], axis=0))
    return (score, copy.deepcopy(network)) if score > best[0] else best


@torch.inference_mode()
def _matrices(
    network: nn.Module,
    planes: Any,
    classes: int,
    tuned: bool,
    guesses: list[NDArray[np.uint8]] | None = None,
) -> list[Any]:
    """Confusion matrices, rows truth, one an image; whole images, mirrored to a multiple of 32.

    The class ids ``(Y, X)`` are added to `guesses`.
    """
    network.eval()
    found = []
    for image, mask in planes:
        height, width = image.shape
        pads = ((0, -height % 32), (0, -width % 32))
        pixels = torch.from_numpy(np.pad(image, pads, mode="reflect"))[None, None]
        if tuned:
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        with _precision(tuned):
            guess = network(pixels)[0, :, :height, :width].argmax(0).numpy()
        if guesses is not None:
            guesses.append((guess + 1).astype(np.uint8))
        cells = (mask.astype(np.int64) - 1) * classes + guess
        counts = np.bincount(cells[mask > 0], minlength=classes**2)
        found.append(counts.reshape(classes, classes).tolist())
    return found


if __name__ == "__main__":
    sys.exit(main())
