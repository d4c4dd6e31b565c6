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

from ..compile.jit import compile_error
from ..data.matrix import as_matrix, own_columns
from ..data.target import as_row_values
from ..errors import DataError, FastgdError
from ..objective.problem import predict_linear
from ..terms.losses import LOSSES
from ..wording import label, option, plural

FORMAT = "fastgd model 1"


@dataclass
class Result:
    """A fitted model and the story of its fit.

    Attributes
    ----------
    coef : array of shape (n_features,), in the units of X; (n_outputs, n_features) for several outputs.
    intercept : float, 0 without one; array of shape (n_outputs,) for several outputs.
    objective : F at these weights, penalty included.
    gap_bound : F is at most this far above its least value over all weights: proved by a duality gap, for least
        squares without L1 on few columns exact, in both cases up to the rounding of float64 (of about 1e-14 F). F is
        that of X as it is stored, which ``objective`` is to about 1e-7 where that is float32. None where no bound is
        known, or the fit did not end by itself; ``gap_note`` says why.
    n_epochs : whole passes over the data that training took.
    converged : whether a stopping test was met, rather than a limit on epochs or time.
    stop_reason : "tol", "gap_tol", "validation", "precision" (what is left to gain is less than F is rounded by),
        "max_epochs", "max_seconds", "callback", "diverged" or "interrupted".
    learning_rate, rate_reason : the step size, and why this one: given, from the data and how, or found by trial.
    trace : structured array, a row for the start and one for each epoch: epoch, passes, seconds,
        objective (NaN where it was not evaluated), running_loss (the mean loss of each row before its own
        update), learning_rate, gradient_norm, validation_loss (the mean loss on the rows to validate on; NaN without).
    path : array of shape (len(trace), n_features + 1), coefficients and intercept for each row of the
        trace, or (len(trace), n_outputs, n_features + 1); None where that would be more than a million numbers.
    steps : structured array, a row for each update, when asked for by ``trace="step"``: step, epoch, row (the
        first row of its batch, -1 for all rows), loss before the update, learning_rate, gradient, weights.
    classes : the labels of a classification in order, the second of two being the positive one; an array of shape
        (n_outputs, 2) for several targets; None for a regression.
    offset_name : the column of the table that held the offset; else None.
    seconds : {"compile": ..., "fit": ...}; "fit" does not include "compile".
    best_epoch : with rows to validate on, the epoch that the model is from, 0 for the start; else None.
    stationary : what F has at these weights, where the gradient is small: "minimum" (of a convex F the optimum, else it
        may be a local one), "saddle" (F falls one way and not every way) or "maximum"; None where it is not small, or
        where that cannot be told (see `fastgd.objective.stationary_points`).
    divergences : how often training diverged, went back to where it had not, and went on at a smaller learning rate.
    """

    coef: np.ndarray
    intercept: Any
    objective: float
    n_epochs: int
    converged: bool
    stop_reason: str
    method: str
    loss: Any
    learning_rate: float
    trace: np.ndarray
    rate_reason: str = ""
    path: np.ndarray | None = None
    steps: np.ndarray | None = None
    classes: np.ndarray | None = None
    feature_names: tuple[str, ...] | None = None
    target_name: str | tuple[str, ...] | None = None
    offset_name: str | None = None
    gap_bound: float | None = None
    gap_note: str = ""
    n_samples: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    best_epoch: int | None = None
    divergences: int = 0
    stationary: str | None = None

    @property
    def n_features(self) -> int:
        return int(self.coef.shape[-1])

    @property
    def n_outputs(self) -> int:
        return len(self.coef) if self.coef.ndim == 2 else 1

    def decision_function(self, X: Any, *, offset: Any = None) -> np.ndarray:
        """z = X coef + intercept + offset, shape (n_samples,), or (n_samples, n_outputs) for several outputs.

        Raises
        ------
        DataError
            When X is not numeric or finite, has another number of columns than the model, or lacks one by name.
        """
        matrix, names = as_matrix(X)
        matrix = own_columns(matrix, names, self.feature_names, self.n_features)
        z = predict_linear(matrix, self.coef, self.intercept)
        if offset is not None:
            z += as_row_values(option("offset"), offset, len(z)).reshape(-1, *[1] * (z.ndim - 1))
        if not np.isfinite(z).all():
            wrong = np.flatnonzero(~np.isfinite(z.reshape(len(z), -1)).all(axis=1))
            where = f"{plural(len(wrong), 'row')}, the first in row {wrong[0] + 1}"
            raise DataError(f"X has NaN or infinite values in {where}; fill them in or leave those rows out")
        return z

    def predict(self, X: Any, *, offset: Any = None) -> np.ndarray:
        """Predictions of y: labels of a classification, else the mean of y.

        Shape (n_samples,), or (n_samples, n_outputs) for several targets.
        """
        z = self.decision_function(X, offset=offset)
        if self.classes is None:
            return self._means(z)
        if self.classes.ndim == 2:
            return np.column_stack(
                [two[(column > 0).astype(np.intp)] for two, column in zip(self.classes, z.T, strict=True)]
            )
        chosen = (z > 0).astype(np.intp) if z.ndim == 1 else z.argmax(axis=1)
        return np.asarray(self.classes[chosen])

    def predict_proba(self, X: Any, *, offset: Any = None) -> np.ndarray:
        """Probabilities of the classes, shape (n_samples, n_classes), in the order of ``classes``.

        For one against the rest those of all classes are divided by their sum; for several targets the shape is
        (n_samples, n_outputs), the probability of the larger label of each.

        Raises
        ------
        FastgdError
            When the model is not a classification, or its loss gives scores and no probabilities.
        """
        if self.classes is None or not getattr(self.loss, "probabilistic", False):
            lacks = "has no classes, so no" if self.classes is None else "gives scores, which are no"
            raise FastgdError(f"a model with the loss {_describe(self.loss)['name']!r} {lacks} probabilities")
        means = self._means(self.decision_function(X, offset=offset))
        if means.ndim == 1:
            return np.column_stack([1.0 - means, means])
        if self.classes.ndim == 2:
            return means
        return np.asarray(means / np.maximum(means.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to ``path``, whole or not at all; no part of the file is code.

        The file is a zip of .npy arrays and a JSON header. A loss of your own is saved by name only.
        """
        from ..data.writers.whole_files import write_whole

        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["loss"] = _describe(self.loss)
        arrays = {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}
        rest = {name: value for name, value in fields.items() if name not in arrays}
        header = {"format": FORMAT, "arrays": list(arrays), **rest}
        buffer = io.BytesIO()
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        np.savez_compressed(buffer, header=text, **arrays, allow_pickle=False)
        write_whole(path, buffer.getvalue())

    def _means(self, z: np.ndarray) -> np.ndarray:
        if not hasattr(self.loss, "mean"):
            raise FastgdError("the model was saved with a loss of its own: load it with fastgd.load(path, loss=...)")
        from ..kernels.batch_gradient import apply_mean
        from ..kernels.outputs_gradient import apply_means

        with compile_error():
            (apply_mean if z.ndim == 1 else apply_means)(self.loss, z)
        return z


def output_names(result: Result) -> tuple[str, ...]:
    """One for each of several outputs: the label of a class, or the name of a target."""
    if result.classes is not None and result.classes.ndim == 1:
        return tuple(label(value) for value in result.classes.tolist())
    if isinstance(result.target_name, tuple):
        return result.target_name
    return tuple(map(str, range(result.n_outputs)))


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
        for name in ("remarks", "feature_names", "target_name"):  # JSON has no tuples
            header[name] = tuple(header[name]) if isinstance(header[name], list) else header[name]
        result = Result(**header, **arrays, loss=own or _restore(described))
        _check(result)
    except DataError:
        raise
    except Exception:  # zipfile, zlib, numpy and json have a dozen kinds for what a damaged file holds
        raise DataError(f"{path}: not a fastgd model, or a damaged one; make it anew with fastgd run --save") from None
    return result


def _check(result: Result) -> None:
    coef, intercept = result.coef, result.intercept
    if coef.ndim not in (1, 2) or coef.dtype != np.float64:
        raise ValueError
    if not isinstance(intercept, float if coef.ndim == 1 else np.ndarray) or np.shape(intercept) != coef.shape[:-1]:
        raise ValueError
    if not isinstance(result.remarks, tuple):
        raise ValueError
    if result.feature_names is not None and len(result.feature_names) != result.n_features:
        raise ValueError
    if result.classes is not None and result.classes.shape not in {(result.n_outputs, 2), (max(result.n_outputs, 2),)}:
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
