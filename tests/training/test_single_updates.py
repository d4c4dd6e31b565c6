"""The trace of single updates: the model is the same bits as without it, and kernel calls end on one grid of rows."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import fastgd
import fastgd.data.feature_matrix
from fastgd.data.row_source import MemoryRows
from fastgd.kernels.row_targets import Targets
from fastgd.objective.objective import Objective
from fastgd.solvers.row_calls import VALUES_PER_CALL, rows_per_call
from fastgd.terms.losses import Squared
from fastgd.terms.penalties import ElasticNet

OPTIONS = {
    "sgd": {"method": "sgd", "alpha": 0.1},
    "sgd with l1": {"method": "sgd", "alpha": 0.1, "penalty": "l1"},
    "sgd, averaged": {"method": "sgd", "average": 3},
    "minibatch": {"method": "minibatch", "rule": "adam", "batch_size": 7},
    "svrg": {"method": "svrg", "alpha": 0.1},
    "saga": {"method": "saga", "alpha": 0.1, "penalty": "elasticnet"},
    "gd": {"method": "gd", "rule": "momentum"},
}


@pytest.mark.parametrize("layout", ["dense", "csr"])
@pytest.mark.parametrize("case", OPTIONS)
def test_trace_of_single_updates_changes_no_bit_of_the_model(case, layout, rng):
    X = rng.normal(size=(120, 5)) * (rng.random((120, 5)) < 0.6)
    y = X @ rng.normal(size=5) + rng.normal(size=120)
    X = sp.csr_array(X) if layout == "csr" else X
    options = {"learning_rate": 0.05, "max_epochs": 3, "tol": 0.0} | OPTIONS[case]
    plain, traced = (fastgd.fit(X, y, trace=trace, **options) for trace in ("epoch", "step"))
    assert plain.coef.tobytes() == traced.coef.tobytes()
    assert plain.intercept == traced.intercept
    assert plain.path.tobytes() == traced.path.tobytes()
    assert len(traced.steps) > 0
    if "averaged" not in case:
        np.testing.assert_allclose(traced.steps["weights"][-1][:5], traced.coef, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_rows_of_a_kernel_call_depend_on_the_size_of_a_row_only(layout):
    def rows(n: int, d: int) -> int:
        X, _ = fastgd.data.feature_matrix.as_matrix(
            np.ones((n, d)) if layout == "dense" else sp.csr_array(np.ones((n, d)))
        )
        return rows_per_call(Objective(MemoryRows(X, Targets(np.zeros(n))), Squared(), ElasticNet()), 1)

    assert rows(10, 8) == rows(10_000, 8) == VALUES_PER_CALL // (8 + 16)
    assert rows(10, 80) < rows(10, 8)
