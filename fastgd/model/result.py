"""`Result`, what `fit` returns: the fitted model, the record of its training, and its file format."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import warnings
from dataclasses import dataclass, field
from os import PathLike
from typing import IO, Any

import numpy as np

from ..compile.jit import compile_error
from ..data.array_files import ArrayArchive
from ..data.encoding.encoder import Encoder
from ..data.expansion import FREE_BYTES
from ..data.feature_matrix import as_matrix, encoded, select_columns
from ..data.readers.files import check_regular
from ..data.sample_weights import as_row_values
from ..errors import DataError, FastgdError
from ..objective.linear_predictor import predict_linear
from ..terms.losses import LOSSES, loss_traits
from ..wording import label, option, plural
from .model_checks import ARRAYS, check_model, unique_keys

# Version of the model file. A release that adds or changes a field of `Result` raises it and keeps reading older files.
FORMAT_VERSION = 3
FORMAT_NAME = "fastgd model"
# A difference of this part of F may be rounding.
ROUNDING = 1e-12


@dataclass
class Result:
    """A fitted model and the record of its training.

    Two results are equal if all their fields are: arrays by value, with NaN equal to NaN. ``seconds`` and the column of
    seconds in ``trace`` count too, so two runs of the same fit are not equal. A `Result` can be pickled.

    Attributes
    ----------
    coef : array of shape (n_features,), in the units of X; (n_outputs, n_features) for several outputs.
    intercept : float, 0 for a model without one; array of shape (n_outputs,) for several outputs.
    objective : F at these coefficients, penalty included.
    gap_bound : upper bound on F - F*, where F* is the minimum of F: a duality gap, or the exact difference for least
        squares without L1 on few columns. Both hold up to rounding in float64, about 1e-14 F. F is taken on X as it is
        stored; for a float32 X, ``objective`` agrees with it to about 1e-7. None if no bound is known or training was
        cut short; ``gap_note`` gives the reason.
    n_epochs : complete passes over the data during training.
    converged : whether what is left to gain, F - F*, is small: at most ``tol`` times F(constant) - F*, or ``gap_tol``;
        for an F that is not convex, whether a stationary point was found.
    stop_reason : "tol", "gap_tol", "validation", "precision" (the remaining gain is below the rounding error of F),
        "stalled" (steps no longer lower the loss, but F may be lower elsewhere), "max_epochs", "max_seconds",
        "callback", "diverged" or "interrupted".
    learning_rate, rate_reason : the step size, and where it comes from: given, computed from the data, or found by
        trial.
    trace : structured array with a row for the start and one for each epoch: epoch, passes, seconds,
        objective (NaN where it was not evaluated), running_loss (mean loss of the rows, each before its own update),
        learning_rate, gradient_norm, validation_loss (mean loss of the validation rows; NaN without them).
    path : coefficients and intercept for each row of the trace, shape (len(trace), n_features + 1) or
        (len(trace), n_outputs, n_features + 1); None if that is more than a million numbers.
    steps : structured array with a row for each update, if ``trace="step"``: step, epoch, row (the first row of the
        batch, -1 for all rows), loss before the update, learning_rate, gradient, weights. Else None. The
        updates are recorded one at a time, while training takes many in a kernel call: last bits may differ.
    classes : the sorted labels of a classification, of two the second is the positive class; shape (n_outputs, 2) for
        several targets. None for a regression.
    offset_name : the table's offset column, or None.
    passes : {"training": ..., "monitoring": ..., "trials": ...}, how often the rows were read: by steps, line searches
        and statistics; by evaluations that only tell how training is going; by trials of learning rates.
    seconds : {"compile": ..., "fit": ...}; "fit" excludes "compile".
    best_epoch : with validation rows, the epoch that the model is from, 0 for the start. Else None.
    stationary : kind of stationary point, if the gradient is small: "minimum" (the optimum of a convex F, else possibly
        a local one), "saddle" or "maximum". None if the gradient is not small or the kind cannot be determined
        (see `fastgd.objective.stationary_points`).
    constant_objective : F of the best constant model: zero coefficients and the best intercept, where one is fitted.
    encoder : how the columns of a table become the features; None where they are the features.
    divergences : number of times that training diverged and was resumed from an earlier state with a smaller learning
        rate.
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
    passes: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    best_epoch: int | None = None
    divergences: int = 0
    stationary: str | None = None
    constant_objective: float | None = None
    encoder: Encoder | None = None

    @property
    def warning(self) -> str:
        """A sentence where the model is worse than the best constant model; else empty."""
        constant = self.constant_objective
        if constant is None or not self.objective > constant + ROUNDING * abs(constant):
            return ""
        return (
            f"the model is worse than the best constant: its objective is {self.objective:.6g}, and "
            f"{constant:.6g} with all coefficients zero"
        )

    def __eq__(self, other: object) -> bool:
        return _equal(vars(self), vars(other)) if isinstance(other, Result) else NotImplemented

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
            When X is not numeric or finite, differs from the model in its number of columns or lacks a named column.
        """
        matrix, names = as_matrix(self._features(X))
        matrix = select_columns(matrix, names, self.feature_names, self.n_features)
        z = predict_linear(matrix, self.coef, self.intercept)
        if offset is not None:
            z += as_row_values(option("offset"), offset, len(z)).reshape(-1, *[1] * (z.ndim - 1))
        if not np.isfinite(z).all():
            wrong = np.flatnonzero(~np.isfinite(z.reshape(len(z), -1)).all(axis=1))
            where = f"{plural(len(wrong), 'row')}, the first in row {wrong[0] + 1}"
            raise DataError(f"X has NaN or infinite values in {where}; fill them in or leave those rows out")
        return z

    def _features(self, X: Any) -> Any:
        """A data frame encoded as the training data, with a warning about levels that were not among these."""
        if self.encoder is None:
            return X
        table = encoded(X, self.encoder)
        if table is not X:
            for remark in table.remarks:
                warnings.warn(remark, stacklevel=4)
        return table

    def coef_table(self) -> Any:
        """The coefficients by name: a pandas DataFrame where pandas is installed, else a pyarrow Table.

        The columns are ``feature`` (a column of the training table, or "intercept"), ``level`` (of a categorical
        column, else missing) and ``coefficient``; for several outputs ``coefficient_NAME`` for each.
        """
        from .coefficients import coefficient_table

        return coefficient_table(self, output_names(self))

    def predict(self, X: Any, *, offset: Any = None) -> np.ndarray:
        """Predictions of y: labels for a classification, else the mean of y.

        Shape (n_samples,), or (n_samples, n_outputs) for several targets.
        """
        z = self.decision_function(X, offset=offset)
        return self.means(z) if self.classes is None else self.labels(z)

    def labels(self, z: np.ndarray) -> np.ndarray:
        """The labels that the linear predictors z of a classification give."""
        assert self.classes is not None
        if self.classes.ndim == 2:
            return np.column_stack(
                [two[(column > 0).astype(np.intp)] for two, column in zip(self.classes, z.T, strict=True)]
            )
        chosen = (z > 0).astype(np.intp) if z.ndim == 1 else z.argmax(axis=1)
        return np.asarray(self.classes[chosen])

    def predict_proba(self, X: Any, *, offset: Any = None) -> np.ndarray:
        """Probabilities of the classes, shape (n_samples, n_classes), in the order of ``classes``.

        One-against-the-rest probabilities are divided by their sum over the classes. For several targets the shape is
        (n_samples, n_outputs): for each target, the probability of its larger label.

        Raises
        ------
        FastgdError
            When the model is not a classification, or its loss has no probabilities.
        """
        return self.probabilities(self.decision_function(X, offset=offset))

    def probabilities(self, z: np.ndarray) -> np.ndarray:
        """`predict_proba` from the linear predictors z, which are overwritten."""
        if self.classes is None or not loss_traits(self.loss).probabilistic:
            kind = "is no classification and has no" if self.classes is None else "gives scores, not"
            raise FastgdError(f"a model with the loss {_describe(self.loss)['name']!r} {kind} probabilities")
        means = self.means(z)
        if means.ndim == 1:
            return np.column_stack([1.0 - means, means])
        if self.classes.ndim == 2:
            return means
        return np.asarray(means / np.maximum(means.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to ``path``. If writing fails, an existing file stays as it was.

        The file is a zip of .npy arrays and a JSON header, and contains no code. A user-defined loss is saved by name
        only.
        """
        from ..data.writers.outputs import write_atomically

        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["loss"] = _describe(self.loss)
        fields["encoder"] = None if self.encoder is None else self.encoder.to_dict()
        arrays = {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}
        rest = {name: value for name, value in fields.items() if name not in arrays}
        header = {"format": f"{FORMAT_NAME} {FORMAT_VERSION}", "arrays": list(arrays), **rest}
        buffer = io.BytesIO()
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        # Zeros are compressed 1,000 times: beyond some size more than a reader of files takes for honest.
        save = np.savez if sum(array.nbytes for array in arrays.values()) > FREE_BYTES else np.savez_compressed
        save(buffer, header=text, **arrays, allow_pickle=False)
        write_atomically(path, buffer.getvalue())

    def means(self, z: np.ndarray) -> np.ndarray:
        """The means of y that the linear predictors z give; z is overwritten."""
        if isinstance(self.loss, str):
            message = f"the model file has only the name of its user-defined loss, {self.loss}"
            raise FastgdError(f"{message}: pass the loss to fastgd.load(path, loss=...)")
        from ..kernels.batch_gradient import apply_mean
        from ..kernels.outputs_gradient import apply_means

        with compile_error():
            (apply_mean if z.ndim == 1 else apply_means)(self.loss, z)
        return z


def output_names(result: Result) -> tuple[str, ...]:
    """The name of each output: the label of a class, or the name of a target."""
    if result.classes is not None and result.classes.ndim == 1:
        return tuple(label(value) for value in result.classes.tolist())
    if isinstance(result.target_name, tuple):
        return result.target_name
    return tuple(map(str, range(result.n_outputs)))


def load(path: str | PathLike[str], *, loss: Any = None) -> Result:
    """Read a model that `Result.save` wrote. Nothing in the file is executed.

    Parameters
    ----------
    loss : the loss term, for a model that was fitted with a user-defined loss.

    Raises
    ------
    DataError
        When the file is missing or damaged, is not a fastgd model, or was written by a newer version of fastgd.
    OptionError
        When ``loss`` is not a loss.
    """
    given = None if loss is None else LOSSES.resolve(loss)
    name = str(path)
    try:
        check_regular(name)
        with open(path, "rb") as file:
            return _read(name, file, given)
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{name}: the model cannot be read ({error.strerror or error})") from None
    except Exception as error:  # zipfile, zlib, numpy and json raise a dozen kinds of error for damaged files
        if "\0" in name:
            raise DataError(f"{name}: the model cannot be read ({error})") from None
        raise DataError(f"{name}: not a fastgd model, or damaged; write it again with fastgd run --save") from None


def _read(path: str, file: IO[bytes], loss: Any) -> Result:
    """The model in an open file; raises many kinds of error for a damaged one."""
    with ArrayArchive(path, file) as archive:
        header = json.loads(archive["header"].tobytes(), object_pairs_hook=unique_keys)
        _check_version(path, header.pop("format"))
        stored = header.pop("arrays")
        if not set(stored) <= set(ARRAYS) or archive.names != {"header", *stored} or len(set(stored)) < len(stored):
            raise ValueError
        arrays: dict[str, Any] = {name: archive[name] for name in stored}
    described = header.pop("loss")
    for name in ("remarks", "feature_names", "target_name"):  # JSON has no tuples
        header[name] = tuple(header[name]) if isinstance(header[name], list) else header[name]
    if header.get("encoder") is not None:
        header["encoder"] = Encoder.from_dict(header["encoder"])
    result = Result(**header, **arrays, loss=loss or _restore(described))
    check_model(result)
    return result


def _check_version(path: str | PathLike[str], file_format: str) -> None:
    """Raises `DataError` for a newer version than this one reads, `ValueError` if there is no version."""
    version = re.fullmatch(rf"{FORMAT_NAME} ([1-9]\d*)", file_format)
    if version is None:
        raise ValueError
    if int(version[1]) > FORMAT_VERSION:
        raise DataError(
            f"{path}: written by a newer version of fastgd (model format {version[1]}; this version reads up to "
            f"{FORMAT_VERSION}); upgrade with pip install --upgrade fastgd"
        )


def _describe(loss: Any) -> dict[str, Any]:
    """Name and settings of a loss, as JSON; no settings for a user-defined loss."""
    if isinstance(loss, str):  # a user-defined loss, loaded from a file that has only its name
        return {"name": loss, "settings": None}
    user_defined = type(loss) not in LOSSES.values()
    values = None if user_defined else {f.name: getattr(loss, f.name) for f in dataclasses.fields(loss)}
    return {"name": LOSSES.name_of(loss), "settings": values}


def _restore(described: dict[str, Any]) -> Any:
    """The loss that `_describe` described; for a user-defined loss only its name, which cannot predict."""
    name, settings = described["name"], described["settings"]
    if not isinstance(name, str):
        raise ValueError
    return name if settings is None else LOSSES[name](**settings)


def _equal(a: Any, b: Any) -> bool:
    """Equality by value, NaN equal to NaN, also within arrays, dictionaries, lists and tuples."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        if a.dtype.names:
            return all(_equal(a[name], b[name]) for name in a.dtype.names)
        return bool(((a == b) | ((a != a) & (b != b))).all())
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b or (a != a and b != b))
