"""What the numbers of the Train workspace mean."""

from __future__ import annotations

from orgseg_app.gui.help.meaning import Meaning

TRAINING_NUMBERS: dict[str, Meaning] = {
    "data": Meaning(
        "Data to learn from",
        "Images with paint, by what they are for: training images teach, validation images choose "
        "the best state, test images judge it in the end. The share of each class is that of the "
        "painted pixels.",
        "training#data",
    ),
    "estimate": Meaning(
        "Estimate",
        "How long the training will take, and how much memory, judged by the runs of this computer "
        "so far. It may end sooner: at the time limit, or when it has stopped getting better.",
        "training#estimate",
    ),
    "memory": Meaning(
        "Memory",
        "The memory that a step of the training needs, beside what is free. Smaller patches, fewer "
        "of them in a step, or a narrower network need less.",
        "training#memory",
    ),
    "loss": Meaning(
        "Loss",
        "How wrong the network is on the patches it learns from, as the recipe's loss counts it. "
        "It should fall. Only losses of the same kind can be compared.",
        "training#loss",
    ),
    "validation_iou": Meaning(
        "Validation IoU",
        "Agreement with your paint on the validation images, which the network does not learn "
        "from: agreement ÷ (agreement + too much + missed), the mean of the classes. 1 is perfect. "
        "The state with the highest one is kept.",
        "training#validation_iou",
    ),
    "steps": Meaning(
        "Steps",
        "A step is one improvement of the network, from one batch of patches. The recipe says how "
        "many there are at most.",
        "training#steps",
    ),
    "time_left": Meaning(
        "Time left",
        "Steps that are left, at the speed of the last ones, with the checks between them. It may "
        "end sooner, when the network has stopped getting better.",
        "training#time_left",
    ),
    "learning_rate": Meaning(
        "Learning rate",
        "How far a step changes the network. The schedule of the recipe lets it rise at first and "
        "fall towards the end.",
        "training#learning_rate",
    ),
    "patches_per_second": Meaning(
        "Patches per second",
        "How many patches the network learns from in a second: the speed of the training. It falls "
        "when other programs use the processor or the graphics card.",
        "training#patches_per_second",
    ),
}
"""By the place on the page "training"."""
