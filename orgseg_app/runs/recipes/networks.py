"""The networks that a recipe may name, and which of the network's fields each of them heeds.

How they are built is in ``learn.networks``; a test there asserts that its registry holds exactly
these names.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass

from orgseg_app.runs.recipes.choice import Choice


@dataclass(frozen=True)
class NetworkInfo(Choice):
    """One architecture.

    Attributes
    ----------
    fields : tuple of str
        Fields of `schema.NetworkChoice` beside the name that are its own: ``"depth"``,
        ``"width"``, ``"dropout"``, ``"fusion"``, ``"encoder"``, ``"pretrained"``.
    depth, width : int
        As published.
    fusions : tuple of str
        Values of `schema.NetworkChoice.fusion` it can be built with, the published one first.
    is_fitted : bool
        Whether it is fitted to the painted pixels at once, without steps (a forest): losses,
        patches and everything about learning then have no effect.
    dimensions : int
        3 where it looks at volumes, 2 where it looks at planes.
    halves_planes : bool
        Whether it halves a volume's planes together with its rows and columns.
    library : str
        Import name of an optional library that has to be installed for it; "" for none.
    """

    fields: tuple[str, ...] = ("depth", "width", "dropout")
    depth: int = 4
    width: int = 64
    fusions: tuple[str, ...] = ("origin",)
    is_fitted: bool = False
    dimensions: int = 2
    halves_planes: bool = False
    library: str = ""

    @property
    def takes_planes(self) -> bool:
        """Whether it may look at neighbouring planes of a volume as further channels."""
        return self.dimensions == 2 and not self.is_fitted and not self.library

    @property
    def heeded(self) -> tuple[str, ...]:
        """All fields of `schema.NetworkChoice` that it heeds."""
        return (*self.fields, "planes") if self.takes_planes else self.fields

    @property
    def is_installed(self) -> bool:
        """False where its optional library is not there."""
        return not self.library or importlib.util.find_spec(self.library) is not None


def _networks(*networks: NetworkInfo) -> dict[str, NetworkInfo]:
    return {network.name: network for network in networks}


NETWORK_NAMES: Mapping[str, NetworkInfo] = _networks(
    NetworkInfo(
        "unet",
        "U-Net",
        "Looks at fine detail and wide surroundings together; the standard for microscopy.",
        "Ronneberger, Fischer and Brox 2015, MICCAI, doi:10.1007/978-3-319-24574-4_28",
    ),
    NetworkInfo(
        "unet_dropout",
        "U-Net with dropout",
        "A U-Net without batch norm that switches half of its deepest features off while "
        "learning; slower to learn, at home in electron microscopy.",
        "Ronneberger, Fischer and Brox 2015, in the form of EMsegmentation-mito (Kuroda) and "
        "YunYang1994's TensorFlow examples",
        fields=("depth", "width"),
    ),
    NetworkInfo(
        "unetpp",
        "U-Net++",
        "A U-Net with more steps between fine and coarse, judged at several of them; about twice "
        "the work of a U-Net of the same width.",
        "Zhou, Siddiquee, Tajbakhsh and Liang 2018, DLMIA, doi:10.1007/978-3-030-00889-5_1",
        fields=("depth", "width"),
        width=32,
    ),
    NetworkInfo(
        "penet",
        "PE-Net",
        "Shallow: nearly all of it works at full size. For fine networks such as the ER, where "
        "wide surroundings say little.",
        "Guo, Luo, Li and Yang 2020 (organelle networks study)",
        fields=("width",),
        depth=1,
        width=32,
    ),
    NetworkInfo(
        "agnet",
        "AG-Net",
        "Sharpens its coarse answers along the edges of finer features; made for vessels of the "
        "retina.",
        "Zhang et al. 2019, MICCAI, arXiv:1907.12930",
        fields=("width",),
        width=32,
    ),
    NetworkInfo(
        "mre",
        "U-Net with image pyramid",
        "A U-Net that also looks at the image itself at every size, and is judged at every size; "
        "for ER, mitochondria and other branching structures.",
        "Guo et al. 2024, Bioinformatics 40(10), doi:10.1093/bioinformatics/btae559",
        fields=("depth", "width"),
    ),
    NetworkInfo(
        "pixel_classifier",
        "Pixel classifier (seconds)",
        "Filters at several scales and a forest of trees: ready in seconds, from a few scribbles. "
        "Knows texture and edges, not shapes.",
        "Sommer, Straehle, Koethe and Hamprecht 2011, ISBI (ilastik); trees as in Prokhorenkova "
        "et al. 2018, NeurIPS (CatBoost)",
        fields=(),
        is_fitted=True,
    ),
    NetworkInfo(
        "fcn32",
        "FCN-32s",
        "Answers at a 32nd of the size and enlarges that: for large, smooth things. With its fine "
        "detail joined or added (all four pooled maps) it follows thin structures too.",
        "Long, Shelhamer and Darrell 2015, CVPR, arXiv:1411.4038; fusion: Guo et al. 2021, PRCV",
        fields=("width", "fusion"),
        fusions=("origin", "concat", "add"),
    ),
    NetworkInfo(
        "fcn16",
        "FCN-16s",
        "As FCN-32s, refined once, at a 16th of the size. More refinement: FCN-32s with fine "
        "detail.",
        "Long, Shelhamer and Darrell 2015, CVPR, arXiv:1411.4038",
        fields=("width",),
    ),
    NetworkInfo(
        "fcn8",
        "FCN-8s",
        "As FCN-32s, refined twice, at a 16th and an eighth of the size. More refinement: FCN-32s "
        "with fine detail.",
        "Long, Shelhamer and Darrell 2015, CVPR, arXiv:1411.4038",
        fields=("width",),
    ),
    NetworkInfo(
        "segnet",
        "SegNet",
        "Remembers where the brightest features were and puts them back there; for outlines. "
        "Joining its fine detail helps with thin structures.",
        "Badrinarayanan, Kendall and Cipolla 2017, IEEE TPAMI, arXiv:1511.00561; fusion: Guo et "
        "al. 2021, PRCV",
        fields=("width", "fusion"),
        fusions=("origin", "concat", "add"),
    ),
    NetworkInfo(
        "deeplab",
        "DeepLabv3+ (ResNet-101)",
        "Very deep, sees wide surroundings at several scales: for things told apart by where they "
        "lie. Slow; joining its fine detail helps with thin structures and takes far longer.",
        "Chen et al. 2018, ECCV, arXiv:1802.02611; fusion: Guo et al. 2021, PRCV",
        fields=("width", "dropout", "fusion"),
        fusions=("origin", "concat", "add", "none"),
    ),
    NetworkInfo(
        "deeplab50",
        "DeepLabv3+ (ResNet-50)",
        "As DeepLabv3+ on ResNet-101, with half the layers.",
        "Chen et al. 2018, ECCV, arXiv:1802.02611; fusion: Guo et al. 2021, PRCV",
        fields=("width", "dropout", "fusion"),
        fusions=("origin", "concat", "add", "none"),
    ),
    NetworkInfo(
        "hrnet",
        "HRNet",
        "Keeps a fine branch beside coarser ones all the way through. With its fine detail joined "
        "that branch works at full size: about 16 times the work.",
        "Wang et al. 2020, IEEE TPAMI, arXiv:1908.07919; fusion: Guo et al. 2021, PRCV",
        fields=("width", "fusion"),
        width=32,
        fusions=("origin", "concat"),
    ),
    NetworkInfo(
        "pspnet",
        "PSPNet",
        "Compares each place with the mean of its quarter, third and sixth of the picture, and of "
        "all of it: for large regions. Answers at an eighth of the size.",
        "Zhao et al. 2017, CVPR, arXiv:1612.01105",
        fields=("width", "dropout"),
    ),
    NetworkInfo(
        "icnet",
        "ICNet",
        "Made to be quick: most layers see the picture at half or a quarter of its size. For large "
        "pictures with large things in them.",
        "Zhao et al. 2018, ECCV, arXiv:1704.08545",
        fields=("width",),
    ),
    NetworkInfo(
        "danet",
        "DANet",
        "Lets every place look at all places like it, however far away: for things that repeat all "
        "over the picture. Answers at an eighth of the size.",
        "Fu et al. 2019, CVPR, arXiv:1809.02983",
        fields=("width", "dropout"),
    ),
    NetworkInfo(
        "unet_valid",
        "U-Net, unpadded",
        "A U-Net without batch norm that never sees an invented border: it looks at the mirror "
        "image around the picture instead. About twice the work of a U-Net on patches of 256.",
        "Ronneberger, Fischer and Brox 2015, MICCAI, doi:10.1007/978-3-319-24574-4_28; baseline of "
        "Guay et al. 2021, Scientific Reports 11",
    ),
    NetworkInfo(
        "net2d3d",
        "2D-3D + 3 × 3 × 3",
        "For volumes with thick planes and several kinds of structure: judges plane by plane, with "
        "a glance at the neighbours, then looks at all planes together.",
        "Guay, Emam, Anderson, Aronova, Pokrovskaya, Storrie and Leapman 2021, Scientific Reports "
        "11, doi:10.1038/s41598-021-81590-0",
        fields=("depth", "width", "fusion"),
        depth=3,
        fusions=("origin", "concat"),
        dimensions=3,
    ),
    NetworkInfo(
        "net2d3d_plain",
        "2D-3D",
        "As 2D-3D + 3 × 3 × 3, but its first half sees single planes; a little quicker.",
        "Guay et al. 2021, Scientific Reports 11, doi:10.1038/s41598-021-81590-0",
        fields=("depth", "width", "fusion"),
        depth=3,
        fusions=("origin", "concat"),
        dimensions=3,
    ),
    NetworkInfo(
        "net2d3d_norm",
        "2D-3D + 3 × 3 × 3, normed",
        "As 2D-3D + 3 × 3 × 3, with batch norm, which the published one has none of: learns much "
        "quicker.",
        "Guay et al. 2021, Scientific Reports 11, doi:10.1038/s41598-021-81590-0; norm: Ioffe and "
        "Szegedy 2015, arXiv:1502.03167",
        fields=("depth", "width", "fusion"),
        depth=3,
        fusions=("origin", "concat"),
        dimensions=3,
    ),
    NetworkInfo(
        "unet3d",
        "3-D U-Net",
        "A U-Net of volumes, for planes about as far apart as pixels. About six times the work of "
        "a U-Net for every plane.",
        "Çiçek, Abdulkadir, Lienkamp, Brox and Ronneberger 2016, MICCAI, arXiv:1606.06650",
        fields=("depth", "width"),
        depth=3,
        width=32,
        dimensions=3,
        halves_planes=True,
    ),
    NetworkInfo(
        "unet3d_aniso",
        "3-D U-Net for thick planes",
        "A U-Net of volumes whose planes are much farther apart than pixels: it halves rows and "
        "columns only.",
        "Çiçek et al. 2016, MICCAI, arXiv:1606.06650; kernels and pooling as in Lee et al. 2017, "
        "arXiv:1706.00120",
        fields=("depth", "width"),
        depth=3,
        width=32,
        dimensions=3,
    ),
    NetworkInfo(
        "resunet3d",
        "Residual 3-D U-Net",
        "Deep, with shortcuts and few features; won at finding cell outlines in volumes with thick "
        "planes.",
        "Lee, Zung, Li, Jain and Seung 2017, arXiv:1706.00120",
        fields=("depth", "width"),
        width=28,
        dimensions=3,
    ),
    NetworkInfo(
        "smp",
        "Library network",
        "Any of some thousand pairs of decoder and encoder of an optional library (pip install "
        "orgseg[smp]), written as unet/resnet18 under Encoder; can start from photographs.",
        "Iakubovskii 2019, github.com/qubvel-org/segmentation_models.pytorch",
        fields=("encoder", "pretrained"),
        library="segmentation_models_pytorch",
    ),
)
