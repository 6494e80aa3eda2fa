"""The losses that a recipe may name.

Their formulas are in ``learn.losses``; a test there asserts that its registry holds exactly these
names.
"""

from __future__ import annotations

from collections.abc import Mapping

from orgseg_app.core.parameter import Parameter
from orgseg_app.runs.recipes.choice import Choice, table

_TOO_MUCH = Parameter(0.3, 0.01, 1, "How much structure found where none is counts as a mistake.")
_MISSED = Parameter(0.7, 0.01, 1, "How much missed structure counts as a mistake.")

LOSS_NAMES: Mapping[str, Choice] = table(
    Choice(
        "soft_iou",
        "Soft IoU",
        "Rewards overlap directly, so rare and thin structures count as much as large ones.",
        "Rahman and Wang 2016, ISVC, doi:10.1007/978-3-319-50835-1_22",
    ),
    Choice(
        "bce",
        "Binary cross-entropy",
        "Judges every pixel on its own, class by class; smooth to learn, favours large areas.",
        "the standard log loss, one class against the rest",
    ),
    Choice(
        "dice",
        "Dice",
        "Rewards overlap like soft IoU, a little more forgiving at the start of learning.",
        "Milletari, Navab and Ahmadi 2016, 3DV, doi:10.1109/3DV.2016.79",
        {
            "smooth": Parameter(
                1e-5, 1e-8, 100, "Pixels added to both areas; more is softer on tiny structures."
            )
        },
    ),
    Choice(
        "cross_entropy",
        "Cross-entropy",
        "Makes the classes compete for every pixel; the usual start for several classes.",
        "the standard multinomial log loss",
        {
            "balance": Parameter(
                0,
                0,
                1,
                "How much more rare classes count in each batch: 0 is as painted, ½ by the "
                "root of how rare they are, 1 makes all classes count the same.",
            )
        },
    ),
    Choice(
        "bce_dice",
        "Cross-entropy and half Dice",
        "Judges every pixel and the overlap of the whole batch together; a steady start for cells.",
        "BCE + ½·(1 - Dice) of the Cells Segger notebooks",
        {
            "dice_weight": Parameter(0.5, 0, 10, "How much Dice counts beside cross-entropy."),
            "smooth": Parameter(
                1, 1e-8, 100, "Pixels added to both areas; more is softer on tiny structures."
            ),
        },
    ),
    Choice(
        "wbce",
        "Balanced cross-entropy",
        "Cross-entropy in which structure and background count the same in every batch; finds "
        "rare structures, and draws them a little thick.",
        "Xie and Tu 2015, ICCV, doi:10.1109/ICCV.2015.164; as in Guo, Luo, Li and Yang 2020",
    ),
    Choice(
        "focal",
        "Focal",
        "Cross-entropy that soon leaves alone what is easy and works on the doubtful pixels.",
        "Lin et al. 2017, ICCV, doi:10.1109/ICCV.2017.324; detached as in Guo et al. 2020",
        {
            "alpha": Parameter(0.25, 0, 1, "How much structure counts; background, the rest."),
            "gamma": Parameter(2, 0, 10, "How quickly easy pixels are left alone; 0 is never."),
            "detached": Parameter(
                1, 0, 1, "1: being easy only lowers a pixel's weight; 0: as first published."
            ),
        },
    ),
    Choice(
        "tversky",
        "Tversky",
        "Dice in which missing something and finding too much count differently.",
        "Salehi, Erdogmus and Gholipour 2017, MLMI, doi:10.1007/978-3-319-67389-9_44",
        {"alpha": _TOO_MUCH, "beta": _MISSED},
    ),
    Choice(
        "focal_tversky",
        "Focal Tversky",
        "Tversky that keeps improving what is nearly right already; for small structures.",
        "Abraham and Khan 2019, ISBI, doi:10.1109/ISBI.2019.8759329",
        {
            "alpha": _TOO_MUCH,
            "beta": _MISSED,
            "gamma": Parameter(
                4 / 3, 1, 3, "1 is plain Tversky; more works harder on what is nearly right."
            ),
        },
    ),
    Choice(
        "lovasz",
        "Lovász",
        "Comes closest to IoU itself; best after a start with cross-entropy, or beside it.",
        "Berman, Triki and Blaschko 2018, CVPR, doi:10.1109/CVPR.2018.00464",
    ),
    Choice(
        "cldice",
        "Centre lines (clDice)",
        "Rewards centre lines that run through, so that thin networks do not break; add it to "
        "Dice or soft IoU.",
        "Shit et al. 2021, CVPR, doi:10.1109/CVPR46437.2021.01629",
        {
            "iterations": Parameter(
                3, 1, 50, "Half the width of the widest structure, in pixels; more takes longer."
            )
        },
    ),
    Choice(
        "boundary",
        "Distance to the outline",
        "A mistake costs more the further it lies from the painted outline; add it to an overlap "
        "loss. Both sides of the outline must be painted.",
        "Kervadec et al. 2019, MIDL, doi:10.1016/j.media.2020.101851",
    ),
    Choice(
        "hausdorff",
        "Hausdorff distance",
        "Works on the mistakes farthest from the outlines; add a little of it to an overlap loss. "
        "Both sides of the outline must be painted.",
        "Karimi and Salcudean 2020, IEEE TMI 39, doi:10.1109/TMI.2019.2930068",
        {"alpha": Parameter(2, 1, 3, "How much more far mistakes cost than near ones.")},
    ),
    Choice(
        "l1",
        "Absolute error (L1)",
        "How far every probability is from the truth; hardly minds a few wrongly painted pixels.",
        "the standard mean absolute error",
    ),
    Choice(
        "mse",
        "Squared error (MSE)",
        "As absolute error, but large errors count more.",
        "the standard mean squared error",
    ),
)
