"""`Objective.evaluate`: its results are values that nothing changes later, and every pass is counted."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from fastgd.data.feature_matrix import as_matrix
from fastgd.data.row_source import MemoryRows
from fastgd.kernels.row_targets import Targets
from fastgd.losses import LOSSES
from fastgd.objective.objective import Objective
from fastgd.penalties import ElasticNet

N, D = 60, 3


def objective_of(rng, n_outputs, form=np.asarray):
    X, y = rng.normal(size=(N, D)), rng.normal(size=(N, n_outputs))
    rows = MemoryRows(as_matrix(form(X))[0], Targets(y if n_outputs > 1 else y[:, 0].copy()))
    return Objective(rows, LOSSES["huber"](), ElasticNet(l2=0.1), n_outputs=n_outputs)


def arrays(evaluation):
    return [part for part in evaluation if isinstance(part, np.ndarray)]


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_evaluations_keep_their_values_and_share_no_memory(rng, n_outputs, form):
    objective = objective_of(rng, n_outputs, form)
    params = rng.normal(size=objective.zeros().shape)
    first = objective.evaluate(params)
    before = [part.copy() for part in arrays(first)]
    second = objective.evaluate(params + 1.0)
    params[...] = 0.0
    objective.values(params)
    for part, kept in zip(arrays(first), before, strict=True):
        np.testing.assert_array_equal(part, kept)
    assert not any(np.shares_memory(a, b) for a in arrays(first) for b in [*arrays(second), params])


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_the_same_parameters_give_the_same_bits_every_time(rng, n_outputs):
    objective = objective_of(rng, n_outputs)
    here, there = rng.normal(size=(2, *objective.zeros().shape))
    first = objective.evaluate(here)
    objective.evaluate(there)
    again = objective.evaluate(here)
    assert [part.tobytes() for part in arrays(again)] == [part.tobytes() for part in arrays(first)]
    assert objective.passes.training == 3.0  # nothing is remembered


def test_passes_over_a_sample_count_as_a_part_of_a_pass(rng):
    objective = objective_of(rng, 2)
    sample = objective.on(objective.rows.sample(15, 0)[1])
    sample.evaluate(objective.zeros())
    assert objective.passes.training == 15 / N
    with objective.passes.for_monitoring():
        sample.values(objective.zeros())
    assert (objective.passes.training, objective.passes.monitoring) == (15 / N, 15 / N)


def test_row_derivatives_are_filled_where_asked_for(rng):
    objective = objective_of(rng, 1)
    table = np.full(N, np.nan)
    at = objective.evaluate(rng.normal(size=D + 1), row_derivatives=table)
    assert at.gradient == pytest.approx(np.append(table @ objective.X, table.sum()) / N, rel=1e-12)
