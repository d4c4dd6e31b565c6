"""`Quality`: the metrics of a model on some rows, as a value that prints itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..wording import label, plural, table_lines

METRIC_NAMES = {
    "r2": "R2",
    "d2": "D2",
    "deviance": "mean deviance",
    "pinball": "pinball loss",
    "rmse": "RMSE",
    "mae": "MAE",
    "accuracy": "accuracy",
    "subset_accuracy": "subset accuracy",
    "hamming_loss": "Hamming loss",
    "log_loss": "log loss",
    "brier": "Brier score",
    "auc": "AUC",
}
CLASSES_SHOWN = 10


@dataclass(frozen=True, eq=False, repr=False)
class Quality(Mapping[str, float]):
    """The metrics of a model on some rows; see `evaluate`. It is a mapping of their names to their values.

    Attributes
    ----------
    metrics : the metrics by name.
    n_samples : number of rows, without those of weight 0.
    classes : the labels of a classification of one target, as in `Result.classes`; else None.
    confusion : (n_classes, n_classes), the number of rows (with weights, the sum of their weights) of each true class,
        by row, and predicted class, by column; else None.
    """

    metrics: Mapping[str, float]
    n_samples: int
    classes: np.ndarray | None = None
    confusion: np.ndarray | None = None

    @property
    def precision(self) -> np.ndarray | None:
        """Of the rows predicted as each class, the share that is of it; NaN for a class that is never predicted."""
        return None if self.confusion is None else _shares(self.confusion, axis=0)

    @property
    def recall(self) -> np.ndarray | None:
        """Of the rows of each class, the share that is predicted as it; NaN for a class without rows."""
        return None if self.confusion is None else _shares(self.confusion, axis=1)

    def __getitem__(self, name: str) -> float:
        return self.metrics[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.metrics)

    def __len__(self) -> int:
        return len(self.metrics)

    def __repr__(self) -> str:
        return "\n".join([plural(self.n_samples, "row"), *table_lines(self.named_metrics()), *self.class_lines()])

    def named_metrics(self, digits: int = 6) -> list[tuple[str, str]]:
        """The metrics in words, with their values as text."""
        return [(METRIC_NAMES[name], f"{value:.{digits}g}") for name, value in self.metrics.items()]

    def class_lines(self) -> list[str]:
        """Lines of text: the confusion matrix with recall and precision; of many classes, only the last two."""
        if self.classes is None or self.confusion is None:
            return []
        names = [label(value) for value in self.classes.tolist()]
        recalls, precisions = (_in_words(_shares(self.confusion, axis)) for axis in (1, 0))
        counts = self.confusion.sum(axis=1)
        if len(names) > CLASSES_SHOWN:
            most = np.sort(np.argsort(-counts, kind="stable")[:CLASSES_SHOWN])
            rows = [(names[k], precisions[k], recalls[k], f"{counts[k]:g}") for k in most]
            more = f"and {plural(len(names) - CLASSES_SHOWN, 'class', 'classes')} with fewer rows"
            return ["", *table_lines([("class", "precision", "recall", "rows"), *rows]), more]
        matrix = [
            (name, *(f"{count:g}" for count in line), recall)
            for name, line, recall in zip(names, self.confusion, recalls, strict=True)
        ]
        header = ("actual \\ predicted", *names, "recall")
        return ["", *table_lines([header, *matrix, ("precision", *precisions, "")])]

    def as_dict(self) -> dict[str, Any]:
        """Everything as numbers and lists, for JSON."""
        return {
            "n_samples": self.n_samples, "metrics": dict(self.metrics), "classes": self.classes,
            "confusion": self.confusion, "precision": self.precision, "recall": self.recall,
        }  # fmt: skip


def _shares(confusion: np.ndarray, axis: int) -> np.ndarray:
    """The diagonal divided by the sums along an axis; NaN where a sum is 0."""
    totals = confusion.sum(axis=axis)
    shares = np.full(len(confusion), np.nan)
    np.divide(np.diag(confusion), totals, out=shares, where=totals > 0)
    return shares


def _in_words(shares: np.ndarray) -> list[str]:
    return ["-" if np.isnan(share) else f"{share:.3g}" for share in shares]
