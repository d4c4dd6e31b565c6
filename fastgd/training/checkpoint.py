"""Checkpoints: the states of solver and loop as bytes, from which a fit continues in another process."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any, NamedTuple

import numpy as np

from ..certificate import certificate
from ..certificate.certificate import CertificateState
from ..errors import DataError
from ..kernels import averaging
from ..objective import evaluation, factored_hessian, scaled_objective
from ..objective.objective import Objective
from ..solvers import (
    adaptive_gd,
    curvature_models,
    gd,
    interior_point,
    lazy_mean,
    minibatch,
    quasi_newton,
    sgd,
    sharded_sgd,
    step_size,
    variance_reduced,
    working_set,
)  # fmt: skip
from ..solvers.options import Options
from ..solvers.step_size import StepSizeState
from . import convergence, early_stopping, trace
from .convergence import ConvergenceState
from .early_stopping import ValidationState
from .trace import TraceState

# The modules that define the named tuples in a state.
STATE_MODULES = (
    adaptive_gd, averaging, certificate, convergence, curvature_models, early_stopping, evaluation, factored_hessian,
    gd, interior_point, lazy_mean, minibatch, quasi_newton, scaled_objective, sgd, sharded_sgd, step_size, trace,
    variance_reduced, working_set,
)  # fmt: skip
FORMAT = "fastgd checkpoint 1"


class LoopState(NamedTuple):
    """The state of the loop and its observers at the end of an epoch."""

    epoch: int
    passes: tuple[float, float, float]  # for training, monitoring and trials
    step_size: StepSizeState
    trace: TraceState
    convergence: ConvergenceState
    validation: ValidationState | None
    certificate: CertificateState


class Checkpoint(NamedTuple):
    """Training at the end of an epoch. ``fingerprint`` identifies its data and options."""

    fingerprint: str
    solver: Any
    loop: Any

    def to_bytes(self) -> bytes:
        """A zip of .npy arrays and a JSON description, without code."""
        arrays: list[np.ndarray] = []
        described = {"format": FORMAT, "content": _describe(tuple(self), arrays)}
        text = np.frombuffer(json.dumps(described).encode(), np.uint8)
        buffer = io.BytesIO()
        named: dict[str, Any] = {f"array_{k}": array for k, array in enumerate(arrays)}
        np.savez(buffer, description=text, **named)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Checkpoint:
        """Read what `to_bytes` wrote.

        Raises
        ------
        DataError
            If it is damaged, or was written by another version of the format.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                described = json.loads(stored["description"].tobytes())
                if described["format"] != FORMAT:
                    raise DataError(
                        f"a checkpoint of the format {described['format']!r}; this version reads {FORMAT!r}"
                    )
                arrays = [stored[f"array_{k}"] for k in range(len(stored.files) - 1)]
            return cls(*_rebuild(described["content"], arrays, _state_classes()))
        except DataError:
            raise
        except Exception:  # zipfile, numpy and json raise many kinds of errors for damaged files
            raise DataError("not a fastgd checkpoint, or a damaged one") from None


def fingerprint(objective: Objective, options: Options) -> str:
    """A digest of the data's shape and targets and of the options, without limits, threads and callbacks."""
    kept = {
        name: value
        for name, value in vars(options).items()
        if name not in ("max_epochs", "max_seconds", "n_threads", "callbacks")
    }
    digest = hashlib.sha256(repr((sorted(kept.items()), objective.loss, objective.penalty)).encode())
    digest.update(repr((objective.n_samples, objective.n_features, objective.n_outputs, objective.dtype)).encode())
    for part in objective.targets[:3]:
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]


def copied(value: Any) -> Any:
    """A copy of a state, arrays included."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, tuple):
        parts = map(copied, value)
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def _describe(value: Any, arrays: list[np.ndarray]) -> Any:
    """A value as JSON; arrays are appended to the list and named by their index."""
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, tuple):
        kind = type(value).__name__ if hasattr(value, "_fields") else "tuple"
        return {"kind": kind, "parts": [_describe(part, arrays) for part in value]}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a state holds arrays and numbers, not {type(value).__name__}")


def _rebuild(described: Any, arrays: list[np.ndarray], classes: dict[str, type]) -> Any:
    if not isinstance(described, dict):
        return described
    if "array" in described:
        return arrays[described["array"]]
    parts = [_rebuild(part, arrays, classes) for part in described["parts"]]
    return tuple(parts) if described["kind"] == "tuple" else classes[described["kind"]](*parts)


def _state_classes() -> dict[str, type]:
    """The classes of named tuples in a state, by name."""
    found = {name: value for module in STATE_MODULES for name, value in vars(module).items()}
    return {name: value for name, value in found.items() if hasattr(value, "_fields")} | {"LoopState": LoopState}
