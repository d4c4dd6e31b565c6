"""Targets in the form that the kernels read, and the factors of classes."""

from __future__ import annotations

import numpy as np
import pytest

from fastgd.data.sample_weights import class_factors, factors_by_row
from fastgd.data.target import as_columns, as_target
from fastgd.losses import LOSSES

pytestmark = pytest.mark.plain_python


class Column:
    """What NumPy turns into an array of one column, as other libraries' arrays are."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype)[:, None]


@pytest.mark.parametrize("values", [[3.0, -1.0, 2.5], ["a", "b", "a"]])
def test_one_column_of_another_library_is_one_target(values):
    (column,) = as_columns(Column(values))
    assert column.tolist() == values


@pytest.mark.parametrize(("label", "coded"), [(0, -1.0), (-1, -1.0), (1, 1.0), (True, 1.0), (False, -1.0)])
def test_equal_labels_where_they_may_be_constant(label, coded):
    """One label says which it is: 0 and -1 are the lower of two classes, 1 is the upper."""
    target = as_target([np.array([label] * 4)], LOSSES.resolve("logistic"), may_be_constant=True)
    assert target.y.tolist() == [coded] * 4
    assert target.classes.tolist() == ([-1, 1] if label == -1 and label is not True else [0, 1])


@pytest.mark.parametrize("labels", [[0, 1, 1, 1], ["b", "a", "c", "b"]])
def test_balanced_factors_by_row(labels):
    """n_samples / (n_classes * rows of the class)."""
    target = as_target([np.array(labels)], LOSSES.resolve("logistic" if 0 in labels else "softmax"))
    expected = [len(labels) / (len(set(labels)) * labels.count(label)) for label in labels]
    assert factors_by_row(class_factors("balanced", target), target).tolist() == expected
