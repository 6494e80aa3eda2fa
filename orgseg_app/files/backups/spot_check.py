"""A look at a few blocks of a project, too short to be noticed, each time it is opened.

What has rotted is found before somebody needs it, and while backups still have it.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from orgseg_app.files.backups import damage
from orgseg_app.files.backups.damage import CHECKSUM, Damage, block_damage
from orgseg_app.files.images.blocks import Blocks, StoredBlock
from orgseg_app.files.safety.audit import DAMAGE

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

SPOT_S = 0.05
"""Time such a look may take."""


def spot_check(
    project_file: ProjectFile, seconds: float = SPOT_S, seed: int | None = None
) -> list[Damage]:
    """Look at some blocks, drawn at random, for a short time. Any thread but the window's.

    Parameters
    ----------
    seconds
        No new block is begun after that.
    seed
        For tests; other blocks each time unless given.
    """
    until = time.monotonic() + seconds
    chance = random.Random(seed)
    images = list(project_file.project.images.values())
    found: dict[str, Damage] = {}
    while images and time.monotonic() < until:
        time.sleep(0.0005)
        image = chance.choice(images)
        name = chance.choice(("mask", "pixels", "objects", "weights"))
        what = damage.IMAGE if name == "pixels" else name
        with project_file.reading() as file:
            try:
                dataset = file["images"][image.image_id].get(name)
                if dataset is None or dataset.chunks is None or not dataset.id.get_num_chunks():
                    continue
                number = chance.randrange(dataset.id.get_num_chunks())
                info = dataset.id.get_chunk_info(number)
                block = StoredBlock(info.chunk_offset, info.filter_mask, info.size)
                if Blocks(dataset).sound_raw(block) is None:
                    place = block_damage(image, what, dataset, block.offset, CHECKSUM)
                    found[place.place] = place
            except DAMAGE as error:
                place = Damage(
                    what, f"cannot be read ({type(error).__name__}).", image.image_id, image.name
                )
                found[place.place] = place
    return list(found.values())
