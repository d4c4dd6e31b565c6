"""What losses state about themselves, from their definitions: convex, with a kink, for classes, with probabilities."""

from __future__ import annotations

import pytest

from fastgd.losses import LOSSES
from fastgd.terms.losses import loss_traits

CLASSES = {"hinge", "logistic", "modified_huber", "perceptron", "softmax", "squared_hinge"}
WITH_PROBABILITIES = {"logistic", "modified_huber", "softmax"}
KINKED = {"absolute", "epsilon_insensitive", "hinge", "perceptron", "quantile"}
NOT_CONVEX = {"phase_retrieval"}  # has two minima
DEPENDS_ON_A_SETTING = {"tweedie"}  # its power


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_traits(name):
    traits = loss_traits(LOSSES.resolve(name))
    assert traits.classifies == (name in CLASSES)
    assert traits.probabilistic == (name in WITH_PROBABILITIES)
    assert traits.kinked == (name in KINKED)
    assert traits.joint == (name == "softmax")
    if name not in DEPENDS_ON_A_SETTING:
        assert traits.convex == (name not in NOT_CONVEX)
