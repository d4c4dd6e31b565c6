"""Fits have the same bits on any number of threads: methods and options whose kernels run in parallel."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

import fastgd

METHODS = {
    "sgd with average": {"method": "sgd", "average": 2},
    "minibatch with average": {"method": "minibatch", "average": 2, "batch_size": 3000},
    "svrg": {"method": "svrg"},
    "saga": {"method": "saga"},
    "newton": {"method": "newton"},
    "lbfgs": {"method": "lbfgs"},
    "working set": {"method": "working_set", "penalty": "l1"},
    "interior point": {"method": "interior_point", "loss": "hinge", "max_epochs": 30},
}


def rows(shape, rng):
    """Enough values for parallel passes; newton samples tall ones, and svrg and saga centre columns far from zero."""
    n, d = {"wide": (6000, 40), "tall": (40_000, 6), "far from zero": (6000, 40)}[shape]
    X = rng.normal(size=(n, d)) * (rng.random((n, d)) < 0.9)
    y = np.where(X[:, 0] + rng.normal(size=n) > 0, 1, 0)
    if shape == "far from zero":
        X[:, ::4] += 1000.0
    return X, y


@pytest.mark.parametrize("shape", ["wide", "tall", "far from zero"])
@pytest.mark.parametrize("form", [np.asarray, csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("method", METHODS)
def test_one_thread_and_two_give_the_same_bits(rng, method, form, shape):
    X, y = rows(shape, rng)
    options = {"loss": "logistic", "alpha": 1e-3, "max_epochs": 6, **METHODS[method]}
    one, two = (fastgd.fit(form(X), y, n_threads=threads, **options) for threads in (1, 2))
    assert one.path.tobytes() == two.path.tobytes()
    assert one.trace["objective"].tobytes() == two.trace["objective"].tobytes()
