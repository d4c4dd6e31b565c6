"""PyTorch, if it is installed: batch gradients, eager and compiled, and mini-batch steps."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np

from .machine import has


@functools.cache
def torch() -> Any:
    """The package, on as many threads as fastgd; None if it is not installed."""
    if not has("torch"):
        return None
    import torch as package

    from fastgd.compile.jit import thread_pool_size

    package.set_num_threads(thread_pool_size())
    return package


def loss_of(X: Any, y: Any, w: Any, loss: str) -> Any:
    """The mean loss; labels of the logistic loss are -1 and +1."""
    if loss == "logistic":
        return torch().nn.functional.softplus(-y * (X @ w)).mean()
    return 0.5 * ((X @ w - y) ** 2).mean()


def eager_gradient(X: np.ndarray, y: np.ndarray, loss: str) -> Callable[[], object] | None:
    """The gradient by autograd."""
    if torch() is None:
        return None
    X_, y_ = torch().from_numpy(X), torch().from_numpy(y.astype(X.dtype))
    w = torch().zeros(X.shape[1], dtype=X_.dtype, requires_grad=True)
    return lambda: torch().autograd.grad(loss_of(X_, y_, w, loss), w)


def compiled_gradient(X: np.ndarray, y: np.ndarray, loss: str) -> Callable[[], object] | None:
    """An explicit gradient, compiled by `torch.compile`; None without a C++ compiler."""
    if torch() is None or not (shutil.which("g++") or shutil.which("clang++")):
        return None
    X_, y_ = torch().from_numpy(X), torch().from_numpy(y.astype(X.dtype))
    w = torch().zeros(X.shape[1], dtype=X_.dtype)
    step = _compiled(loss)
    return lambda: step(X_, y_, w)


@functools.cache
def _compiled(loss: str) -> Any:
    def half_squared(X: Any, y: Any, w: Any) -> Any:
        return (X @ w - y) @ X / X.shape[0]

    def logistic(X: Any, y: Any, w: Any) -> Any:
        return (-y * (-y * (X @ w)).sigmoid()) @ X / X.shape[0]

    return torch().compile(logistic if loss == "logistic" else half_squared, dynamic=True)


def epochs_of_minibatches(X: np.ndarray, y: np.ndarray, batch: int, lr: float) -> Callable[[int], object] | None:
    """The training loop of the PyTorch tutorials: batch, loss, backward, optimizer step."""
    if torch() is None:
        return None
    X_, y_ = torch().from_numpy(X), torch().from_numpy(y)

    def run(epochs: int) -> object:
        w = torch().zeros(X.shape[1], dtype=X_.dtype, requires_grad=True)
        optimizer = torch().optim.SGD([w], lr=lr)
        for _ in range(epochs):
            order = torch().randperm(len(y_))
            for rows in order.split(batch):
                optimizer.zero_grad()
                loss_of(X_[rows], y_[rows], w, "half_squared").backward()
                optimizer.step()
        return w

    return run
