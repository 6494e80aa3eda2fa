"""Parameters are those that suit the validation maps; linking planes; tables of numbers."""

from __future__ import annotations

import numpy as np

from orgseg_app.core.instances.fitting import Example, fit, mean_precision
from orgseg_app.core.instances.grouping import GroupingParameters
from orgseg_app.core.instances.linking import LinkedPlanes
from orgseg_app.core.instances.table import NumberedTable
from orgseg_app.core.instances.targets import TARGETS
from orgseg_app.core.object_table import ObjectTable
from tests.core.instances.test_grouping import TOUCHING, maps_of


def weak_example() -> Example:
    """A network that is never sure: usual heights give no seed, and merge what touches."""
    objects = TOUCHING["plane"]
    foreground, seeds = maps_of(TARGETS["boundary"], objects)
    return Example(foreground, (seeds * 0.3).astype(np.uint8), objects)


def test_better_parameters_are_found() -> None:
    example = weak_example()
    fitted = fit([example])
    assert fitted.score_before == mean_precision([example], GroupingParameters()) < 0.1
    assert fitted.score == mean_precision([example], fitted.parameters) > 0.8
    assert fitted.parameters.seeds <= 0.3


def test_what_is_as_good_stays_as_it_was() -> None:
    foreground, seeds = maps_of(TARGETS["boundary"], TOUCHING["plane"])
    start = GroupingParameters(smoothing=0.5, drop_border=True)
    fitted = fit([Example(foreground, seeds, TOUCHING["plane"])], start)
    assert fitted.score == fitted.score_before == 1
    assert fitted.parameters == start


def test_nothing_true_leaves_the_usual_values() -> None:
    empty = np.zeros((4, 4), np.uint8)
    fitted = fit([Example(empty, empty, empty.astype(np.uint32))])
    assert (fitted.parameters, fitted.score) == (GroupingParameters(), 0)


def test_unlabelled_parts_do_not_decide() -> None:
    foreground, seeds = maps_of(TARGETS["boundary"], TOUCHING["plane"])
    truth = TOUCHING["plane"].copy()
    labelled = np.ones(truth.shape, bool)
    labelled[:, 30:] = False
    truth[:, 30:] = 0
    seen = Example(foreground, seeds, truth, labelled)
    blind = Example(foreground, seeds, truth)
    parameters = GroupingParameters(smoothing=0.5)
    assert mean_precision([seen], parameters) > mean_precision([blind], parameters)


def test_planes_are_linked_by_overlap_and_not_across_gaps() -> None:
    linked = LinkedPlanes()
    one = np.zeros((6, 12), np.uint32)
    one[1:5, 1:5], one[1:5, 7:11] = 1, 2
    swapped = np.where(one == 0, 0, 3 - one).astype(np.uint32)
    np.testing.assert_array_equal(linked.add(one), one)
    np.testing.assert_array_equal(linked.add(swapped), one)  # numbers of a plane mean nothing
    far = np.roll(one, 3, axis=1)  # shares too little of either
    assert linked.add(far).max() == 4
    linked.skip()
    assert linked.add(far).max() == 6
    assert not linked.add(0 * one).any()


def test_one_section_that_parts_goes_on_as_the_larger_piece() -> None:
    linked = LinkedPlanes()
    whole = np.ones((1, 10), np.uint32)
    linked.add(whole)
    parted = np.array([[1, 1, 1, 0, 2, 2, 2, 2, 2, 2]], np.uint32)
    assert linked.add(parted).tolist() == [[2, 2, 2, 0, 1, 1, 1, 1, 1, 1]]


def test_a_table_of_numbers_is_that_of_components_where_nothing_touches() -> None:
    random = np.random.default_rng(3)
    mask = np.ones((2, 20, 20), np.uint8)
    mask[:, 2:6, 3:9], mask[1, 12:20, 12:15] = 2, 3
    mask[0, 2:6, 3:9] = random.choice([2], (4, 6))
    objects = np.where(mask == 2, 1, np.where(mask == 3, 2, 0)).astype(np.uint32)
    by_number, by_class = NumberedTable(2, (0.5, 0.1, 0.2)), ObjectTable((0.5, 0.1, 0.2))
    for plane, numbers in zip(mask, objects, strict=True):
        by_number.add(numbers, plane)
        by_class.add(plane)
    assert by_number.rows() == by_class.rows()


def test_the_class_of_an_object_is_a_structure_wherever_there_is_one() -> None:
    table = NumberedTable(2)
    table.add(np.array([[1, 1, 1, 2]], np.uint32), np.array([[1, 1, 3, 1]], np.uint8))
    assert table.classes().tolist() == [0, 3, 1]
