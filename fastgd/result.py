"""What a fit gives back: the model, how it came about, and a file to keep it in."""

from __future__ import annotations

import dataclasses
import io
import json
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from .data.wording import plural
from .errors import DataError, FastgdError
from .jit import compile_error
from .losses import LOSSES
from .problem import as_matrix, predict_linear, shape_of
from .rows import CSR

FORMAT = "fastgd model 1"
ARRAYS = ("coef", "trace", "path", "steps", "classes")


@dataclass
class Result:
    """A fitted model and the story of its fit.

    Attributes
    ----------
    coef : array of shape (n_features,), in the units of X.
    intercept : float; 0 without one.
    objective : F at these weights, penalty included.
    n_epochs : whole passes over the data that training took.
    converged : whether a stopping test was met, rather than a limit on epochs or time.
    stop_reason : "tol", "max_epochs", "max_seconds", "callback", "diverged" or "interrupted".
    trace : structured array, a row for the start and one for each epoch: epoch, passes, seconds,
        objective (NaN where it was not evaluated), running_loss (the mean loss of each row before its own
        update), learning_rate, gradient_norm.
    path : array of shape (len(trace), n_features + 1), coefficients and intercept for each row of the
        trace; None where that would be more than a million numbers.
    steps : structured array, a row for each update, when asked for by ``trace="step"``: step, epoch, row (the
        first row of its batch, -1 for all rows), loss before the update, learning_rate, gradient, weights.
    classes : the two labels of a classification, the second being the positive one; else None.
    seconds : {"compile": ..., "fit": ...}; "fit" does not include "compile".
    """

    coef: np.ndarray
    intercept: float
    objective: float
    n_epochs: int
    converged: bool
    stop_reason: str
    method: str
    loss: Any
    learning_rate: float
    trace: np.ndarray
    path: np.ndarray | None = None
    steps: np.ndarray | None = None
    classes: np.ndarray | None = None
    feature_names: tuple[str, ...] | None = None
    target_name: str | None = None
    n_samples: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def n_features(self) -> int:
        return len(self.coef)

    def decision_function(self, X: Any) -> np.ndarray:
        """z = X coef + intercept, shape (n_samples,).

        Raises
        ------
        DataError
            When X is not numeric or finite, has another number of columns than the model, or lacks one by name.
        """
        matrix, names = as_matrix(X)
        matrix = self._own_columns(matrix, names)
        z = predict_linear(matrix, self.coef, self.intercept)
        if not np.isfinite(z).all():
            wrong = np.flatnonzero(~np.isfinite(z))
            where = f"{plural(len(wrong), 'row')}, the first in row {wrong[0] + 1}"
            raise DataError(f"X has NaN or infinite values in {where}; fill them in or leave those rows out")
        return z

    def predict(self, X: Any) -> np.ndarray:
        """Predictions of y, shape (n_samples,): labels of a classification, else the mean of y."""
        z = self.decision_function(X)
        if self.classes is not None:
            return self.classes[(z > 0).astype(np.intp)]
        return self._means(z)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the two classes, shape (n_samples, 2), in the order of ``classes``.

        Raises
        ------
        FastgdError
            When the model is not a classification.
        """
        if self.classes is None:
            raise FastgdError(
                f"a model with the loss {_describe(self.loss)['name']!r} has no classes, so no probabilities"
            )
        positive = self._means(self.decision_function(X))
        return np.column_stack([1.0 - positive, positive])

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to ``path``, whole or not at all; no part of the file is code.

        The file is a zip of .npy arrays and a JSON header. A loss of your own is saved by name only.
        """
        from .data.atomic import write_whole

        arrays = {name: getattr(self, name) for name in ARRAYS if getattr(self, name) is not None}
        header = {"format": FORMAT, "arrays": list(arrays), "loss": _describe(self.loss)}
        for name in (f.name for f in dataclasses.fields(self) if f.name not in (*ARRAYS, "loss")):
            header[name] = getattr(self, name)
        buffer = io.BytesIO()
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        np.savez_compressed(buffer, header=text, **arrays, allow_pickle=False)
        write_whole(path, buffer.getvalue())

    def _own_columns(self, matrix: np.ndarray | CSR, names: tuple[str, ...] | None) -> np.ndarray | CSR:
        """The model's columns, by name where both have names, in whatever order they come."""
        if names and self.feature_names and not isinstance(matrix, CSR):
            missing = [name for name in self.feature_names if name not in names]
            if missing:
                raise DataError(f"X lacks {len(missing)} of the model's columns: {', '.join(map(repr, missing[:5]))}")
            if names != self.feature_names:
                matrix = np.ascontiguousarray(matrix[:, [names.index(name) for name in self.feature_names]])
        n_features = shape_of(matrix)[1]
        if n_features != self.n_features:
            raise DataError(f"X has {n_features} columns, but the model was fitted on {self.n_features}")
        return matrix

    def _means(self, z: np.ndarray) -> np.ndarray:
        if not hasattr(self.loss, "mean"):
            raise FastgdError("the model was saved with a loss of its own: load it with fastgd.load(path, loss=...)")
        from .kernels.gradient import apply_mean

        with compile_error():
            apply_mean(self.loss, z)
        return z


def load(path: str | PathLike[str], *, loss: Any = None) -> Result:
    """Read a model that `Result.save` wrote. Nothing in the file is executed.

    Parameters
    ----------
    loss : the loss term, for a model that was fitted with a loss of your own.

    Raises
    ------
    DataError
        When the file is missing, truncated, or not a fastgd model.
    OptionError
        When ``loss`` is not one.
    """
    own = None if loss is None else LOSSES.resolve(loss)
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise DataError(f"{path!s}: the model cannot be read ({getattr(error, 'strerror', error)})") from None
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            if stored.zip.testzip() is not None:  # reading does not check what lies behind the end of an array
                raise ValueError
            header = json.loads(stored["header"].tobytes())
            if header.pop("format") != FORMAT:
                raise DataError(f"{path}: a model of another version of fastgd; this one reads the format {FORMAT!r}")
            arrays = {name: stored[name] for name in header.pop("arrays")}
        described = header.pop("loss")
        header["remarks"] = tuple(header["remarks"])
        if header["feature_names"] is not None:
            header["feature_names"] = tuple(header["feature_names"])
        result = Result(**header, **arrays, loss=own or _restore(described))
        _check(result)
    except DataError:
        raise
    except Exception:  # zipfile, zlib, numpy and json have a dozen kinds for what a damaged file holds
        raise DataError(f"{path}: not a fastgd model, or a damaged one; make it anew with fastgd run --save") from None
    return result


def _check(result: Result) -> None:
    if result.coef.ndim != 1 or result.coef.dtype != np.float64 or not isinstance(result.intercept, float):
        raise ValueError
    if result.feature_names is not None and len(result.feature_names) != len(result.coef):
        raise ValueError


def _describe(loss: Any) -> dict[str, Any]:
    if isinstance(loss, str):  # a loss of the user's own, of which `load` knew the name only
        return {"name": loss, "settings": None}
    own = type(loss) not in LOSSES.values()
    values = None if own else {f.name: getattr(loss, f.name) for f in dataclasses.fields(loss)}
    return {"name": LOSSES.name_of(loss), "settings": values}


def _restore(described: dict[str, Any]) -> Any:
    """A loss of the vocabulary by name; one that is not in it stays its name, which predicts nothing."""
    name, settings = described["name"], described["settings"]
    return name if settings is None else LOSSES[name](**settings)
