"""Small fitted models of every kind, and how to compare two of them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

import fastgd

X = np.random.default_rng(8).normal(size=(30, 3))
Y = X @ [1.0, -2.0, 0.5] + 1.0
LABELS = np.where(Y > 1, "spam", "ham")
NAMES = ["age", "größe", "weight, kg"]
FRAME = pd.DataFrame(X, columns=NAMES)


def fit(X=X, y=Y, **options):
    return fastgd.fit(X, y, **{"method": "gd", "learning_rate": 0.1, "max_epochs": 5, **options})


@fastgd.term
class LogCosh:
    """scale^2 log cosh(r / scale), with r = z - y: a user-defined loss."""

    scale: float = 1.0

    def value(self, y: float, z: float) -> float:
        return self.scale**2 * math.log(math.cosh((z - y) / self.scale))

    def derivative(self, y: float, z: float) -> float:
        return self.scale * math.tanh((z - y) / self.scale)

    def mean(self, z: float) -> float:
        return z


def diverged():
    with pytest.raises(fastgd.DivergedError) as caught:
        fit(learning_rate=1e200)
    return caught.value.result


MODELS = {
    "regression": fit,
    "strings": lambda: fit(y=LABELS, loss="logistic"),
    "numbers": lambda: fit(y=np.where(Y > 1, 5, 2), loss="logistic"),
    "bools": lambda: fit(y=Y > 1, loss="logistic"),
    "bytes": lambda: fit(y=np.where(Y > 1, b"x", b"y"), loss="logistic"),
    "names": lambda: fit(FRAME),
    "table": lambda: fastgd.fit(fastgd.open("diabetes"), max_epochs=2),
    "steps": lambda: fit(method="minibatch", batch_size=8, trace="step"),
    "loss with settings": lambda: fit(loss="huber:delta=0.75"),
    "no intercept": lambda: fit(fit_intercept=False),
    "remarks": lambda: fit(X * [1, 1e3, 1], learning_rate="auto", n_threads=9999),
    "no path": lambda: dataclasses.replace(fit(), path=None),
    "diverged": diverged,
}


def assert_same(one, other):
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        assert type(a) is type(b), field.name
        if isinstance(a, np.ndarray):
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), field.name
        else:
            assert repr(a) == repr(b), field.name  # which tells floats apart, and has NaN equal to itself
