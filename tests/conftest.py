"""Settings of Hypothesis, the fixture `rng`, and random problems that several test files use.

Every run of the suite takes the same few examples. `pytest -m campaign` runs only the property tests, on many new
examples, and the long tests that are marked as campaigns.
"""

from __future__ import annotations

import os
from pathlib import Path

# Before numba is imported: the processes of pytest-xdist share their kernels.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = str(Path(__file__).parents[1] / ".pytest_cache" / "kernels")

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from fastgd.kernels.row_access import CSR

settings.register_profile("short", deadline=None, derandomize=True, max_examples=30)
settings.register_profile(
    "campaign", deadline=None, print_blob=True, max_examples=2000, suppress_health_check=[HealthCheck.too_slow]
)


def asks_for_campaigns(config: pytest.Config) -> bool:
    expression = config.getoption("markexpr")
    return "campaign" in expression and "not campaign" not in expression


def pytest_configure(config):
    settings.load_profile("campaign" if asks_for_campaigns(config) else "short")


def pytest_ignore_collect(collection_path, config):
    """Under ``-m plain_python`` import only files that have such tests: imports take longer than most of them."""
    if config.getoption("markexpr") == "plain_python" and collection_path.name.startswith("test_"):
        return "plain_python" not in collection_path.read_text(encoding="utf-8") or None
    return None


@pytest.hookimpl(tryfirst=True)  # before pytest itself reads the markers
def pytest_collection_modifyitems(config, items):
    if asks_for_campaigns(config):
        for item in items:
            if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
                item.add_marker("campaign")
        return
    campaigns = [item for item in items if item.get_closest_marker("campaign")]
    if campaigns:
        config.hook.pytest_deselected(items=campaigns)
        items[:] = [item for item in items if item not in campaigns]


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with the same seed for every test: data do not depend on other tests, nor on the name of the test."""
    return np.random.default_rng(0)


def share_of_examples(share: float) -> settings:
    """Settings for a test with slow examples: this share of the profile's number of examples."""
    return settings(max_examples=max(1, int(share * settings.default.max_examples)))


@dataclass
class Drawn:
    """A small problem and weights; every number is exact in float32."""

    X: np.ndarray
    y: np.ndarray
    w: np.ndarray
    b: float

    @property
    def labels(self) -> np.ndarray:
        return np.where(self.y >= 0, 1.0, -1.0)


@st.composite
def problems(draw, least_rows: int = 1, most_rows: int = 41, most_features: int = 13) -> Drawn:
    """Few rows and columns, also in numbers that unrolled loops do not divide; zeros, and rows of zeros."""
    n = draw(st.integers(least_rows, most_rows))
    d = draw(st.integers(1, most_features))
    share_of_values, share_of_rows = draw(st.sampled_from([(1.0, 1.0), (0.7, 1.0), (0.3, 0.8)]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def sixteenths(*shape: int) -> np.ndarray:
        return random.integers(-64, 65, shape) / 16

    X = sixteenths(n, d) * (random.random((n, d)) < share_of_values) * (random.random((n, 1)) < share_of_rows)
    return Drawn(X, sixteenths(n), sixteenths(d), float(sixteenths()))


def stored(X: np.ndarray, dtype: type, index: type) -> CSR:
    """X as sparse rows, with explicit zeros in every third row; rows of zeros elsewhere stay empty."""
    rows, columns = np.indices(X.shape)
    kept = (X != 0) | ((rows % 3 == 0) & (columns % 2 == 0))
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64)
    return CSR(X[kept].astype(dtype), np.nonzero(kept)[1].astype(index), indptr, X.shape[1])


def targets_for(loss: type, y: np.ndarray) -> np.ndarray:
    """y, or labels or amounts made from it, as the loss requires."""
    if getattr(loss, "classifies", False):
        return np.where(y > 0.1, 1.0, -1.0)
    return np.abs(y) if hasattr(loss, "allows") else y


# The types of X that kernels are compiled for.
LAYOUTS = {
    "dense float64": lambda X: X.astype(np.float64),
    "dense float32": lambda X: X.astype(np.float32),
    "csr float64": lambda X: stored(X, np.float64, np.int32),
    "csr float32": lambda X: stored(X, np.float32, np.int64),
}

# Schedules with the settings of the reference in place of those that `fit` would choose.
FILLED_IN = {
    "cosine": "cosine:epochs=100",
    "onecycle": "onecycle:epochs=100",
    "optimal": "optimal:alpha=2,t0=25",
    "pegasos": "pegasos:alpha=50",
}
