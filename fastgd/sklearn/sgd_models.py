"""`SGDClassifier` and `SGDRegressor`: scikit-learn's classes with the kernels of fastgd; see `SGDAdapter`.

They are subclasses of scikit-learn's classes: parameters, checks, predictions and ``partial_fit`` are those of the
installed version, and the descent itself is replaced.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn import linear_model
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from .drop_in import WithoutArrayAPI
from .input_checks import refuse_array_api
from .sgd_adapter import Descent, SGDAdapter, loss_term, penalty_term
from .training import MOST_SEED, trained

ADDED: dict[str, Any] = {"method": [str], "batch_size": [int, str], "rule": "no_validation", "n_threads": [int, None]}
BY_STEPS = ("sgd", "minibatch")
PASSIVE_AGGRESSIVE = ("pa1", "pa2")


class SGDBase(WithoutArrayAPI):
    """What both classes share, beside a class of scikit-learn."""

    _descents: dict[int, Any]  # the state of each model's solver, from which partial_fit goes on
    loss_curve_: list[Any]

    def fit(self, X: Any, y: Any, coef_init: Any = None, intercept_init: Any = None, sample_weight: Any = None) -> Any:
        """Fit; shapes as in scikit-learn."""
        refuse_array_api(X)
        self._descents, self.loss_curve_ = {}, []
        return super().fit(X, y, coef_init, intercept_init, sample_weight)  # type: ignore[misc]

    def _get_learning_rate_type(self, learning_rate: str) -> Any:
        return None if learning_rate == "auto" else super()._get_learning_rate_type(learning_rate)  # type: ignore[misc]

    def _descend(
        self: Any, i: int, X: Any, y: np.ndarray, weight: np.ndarray, alpha: float, learning_rate: str, max_iter: int,
        seed: int, held_out: np.ndarray, score: Any,
    ) -> Any:  # fmt: skip
        """Train model ``i``; y holds numbers, or -1 and +1."""
        states = self.__dict__.setdefault("_descents", {})
        several = self.coef_.ndim == 2 and len(self.coef_) > 1
        coef = self.coef_[i] if several else self.coef_.ravel()
        intercept = float(self.intercept_[i if several else 0])
        if learning_rate == "auto" or self.method not in BY_STEPS:
            return self._optimise(X, y, weight, alpha, max_iter, seed, held_out, (coef, intercept))
        adapter = SGDAdapter(self, X, y, weight, alpha=alpha, learning_rate=learning_rate, seed=seed, held_out=held_out)
        done = adapter.descend(coef, intercept, states.get(i), self.t_, max_iter, score)
        states[i] = done.state
        return done

    def _optimise(
        self: Any, X: Any, y: np.ndarray, weight: np.ndarray, alpha: float, max_iter: int, seed: int,
        held_out: np.ndarray, start: tuple[np.ndarray, float],
    ) -> Any:  # fmt: skip
        """Train by `fastgd.fit`, with automatic rates."""
        if held_out.any():
            raise ValueError("early_stopping is for method='sgd' or 'minibatch' with a learning rate, not 'auto'")
        # Here weights are divided by their mean, so the penalty is as well.
        alpha = alpha / float(weight.mean())
        result = trained(
            X, y, loss=loss_term(self.loss, self.epsilon), penalty=penalty_term(self.penalty, alpha, self.l1_ratio),
            alpha=alpha, fit_intercept=self.fit_intercept, start=start if start[0].any() or start[1] else None,
            rows={"sample_weight": weight}, method=self.method, rule=self.rule, batch_size=self.batch_size,
            max_epochs=max_iter, shuffle=self.shuffle, average=self.average, seed=seed, n_threads=self.n_threads,
            patience=self.n_iter_no_change, tol=0.0 if self.tol is None else float(self.tol),
        )  # fmt: skip
        losses = result.trace["running_loss"][1:].tolist()
        return Descent(result.coef.astype(X.dtype), float(result.intercept), None, losses)

    def _by_scikit_learn(self: Any, learning_rate: str) -> bool:
        """Whether scikit-learn's own descent is taken: for the passive-aggressive rates."""
        return learning_rate in PASSIVE_AGGRESSIVE


class SGDClassifier(SGDBase, linear_model.SGDClassifier):  # type: ignore[misc]
    """Linear classifiers by stochastic gradient descent, with the parameters and attributes of scikit-learn's class.

    Parameters
    ----------
    method : "sgd" (a step for each row), "minibatch", or a method of `fastgd.fit` that ends at the optimum.
    batch_size, rule, n_threads : as in `fastgd.fit`; a rule such as "adam" takes batches.
    learning_rate : one of scikit-learn's, or "auto": computed from the data, as in `fastgd.fit`.

    All other parameters are those of `sklearn.linear_model.SGDClassifier`; see `SGDAdapter` for what differs.

    Attributes
    ----------
    loss_curve_ : the mean loss of the rows in each epoch, before their own steps; for more than two classes a list for
        each class.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **linear_model.SGDClassifier._parameter_constraints, **ADDED, "learning_rate": [str],
    }  # fmt: skip

    def __init__(
        self, loss: str = "hinge", *, penalty: str | None = "l2", alpha: float = 0.0001, l1_ratio: float = 0.15,
        fit_intercept: bool = True, max_iter: int = 1000, tol: float | None = 1e-3, shuffle: bool = True,
        verbose: int = 0, epsilon: float = 0.1, n_jobs: int | None = None, random_state: Any = None,
        learning_rate: str = "optimal", eta0: float = 0.01, power_t: float = 0.5, early_stopping: bool = False,
        validation_fraction: float = 0.1, n_iter_no_change: int = 5, class_weight: Any = None, warm_start: bool
        = False, average: Any = False, method: str = "sgd", batch_size: Any = "auto", rule: Any = "sgd",
        n_threads: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            loss=loss, penalty=penalty, alpha=alpha, l1_ratio=l1_ratio, fit_intercept=fit_intercept,
            max_iter=max_iter, tol=tol, shuffle=shuffle, verbose=verbose, epsilon=epsilon, n_jobs=n_jobs,
            random_state=random_state, learning_rate=learning_rate, eta0=eta0, power_t=power_t,
            early_stopping=early_stopping, validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change, class_weight=class_weight, warm_start=warm_start,
            average=average,
        )  # fmt: skip
        self.method, self.batch_size, self.rule, self.n_threads = method, batch_size, rule, n_threads

    def _fit_binary(self, X: Any, y: Any, **given: Any) -> None:
        if self._by_scikit_learn(given["learning_rate"]):
            super()._fit_binary(X, y, **given)
            return
        random = check_random_state(self.random_state)
        done = self._one_against_rest(1, X, y, int(random.randint(MOST_SEED - 1)), None, given)
        self.loss_curve_ = [*getattr(self, "loss_curve_", []), *done.losses]
        self._finish(done.coef[None, :], np.array([done.intercept], X.dtype), [done], X)

    def _fit_multiclass(self, X: Any, y: Any, **given: Any) -> None:
        if self._by_scikit_learn(given["learning_rate"]):
            super()._fit_multiclass(X, y, **given)
            return
        held_out = self._make_validation_split(y, sample_mask=given["sample_weight"] > 0)
        random = check_random_state(self.random_state)
        seeds = random.randint(MOST_SEED - 1, size=len(self.classes_))
        models = Parallel(n_jobs=self.n_jobs, require="sharedmem")(
            delayed(self._one_against_rest)(i, X, y, int(seed), held_out, given) for i, seed in enumerate(seeds)
        )
        earlier = getattr(self, "loss_curve_", []) or [[] for _ in models]
        self.loss_curve_ = [[*before, *done.losses] for before, done in zip(earlier, models, strict=True)]
        coef, intercept = (np.array([one[part] for one in models], X.dtype) for part in (0, 1))
        self._finish(coef, intercept, models, X)

    def _one_against_rest(
        self, i: int, X: Any, y: Any, seed: int, held_out: np.ndarray | None, given: dict[str, Any]
    ) -> Any:
        """Class ``i`` against the rest; class 1 of two."""
        signs = np.where(y == self.classes_[i], 1.0, -1.0)
        negative = self._expanded_class_weight[0] if len(self.classes_) == 2 else 1.0
        weights = given["sample_weight"] * np.where(signs > 0, self._expanded_class_weight[i], negative)
        coded = signs.astype(X.dtype)
        if held_out is None:
            held_out = self._make_validation_split(coded, sample_mask=given["sample_weight"] > 0)
        score = self._make_validation_score_cb(
            held_out, X, coded, given["sample_weight"], classes=np.array([-1, 1], dtype=X.dtype)
        )
        return self._descend(
            i, X, signs, weights, given["alpha"], given["learning_rate"], given["max_iter"], seed, held_out, score
        )

    def _finish(self, coef: np.ndarray, intercept: np.ndarray, models: list[Descent], X: Any) -> None:
        self.coef_, self.intercept_ = coef, intercept
        self.n_iter_ = max(len(one.losses) for one in models)
        self.t_ += self.n_iter_ * X.shape[0]


class SGDRegressor(SGDBase, linear_model.SGDRegressor):  # type: ignore[misc]
    """Linear regression by stochastic gradient descent, with the parameters and attributes of scikit-learn's class.

    See `SGDClassifier` for what is added, and `SGDAdapter` for what differs.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **linear_model.SGDRegressor._parameter_constraints, **ADDED, "learning_rate": [str],
    }  # fmt: skip

    def __init__(
        self, loss: str = "squared_error", *, penalty: str | None = "l2", alpha: float = 0.0001, l1_ratio: float =
        0.15, fit_intercept: bool = True, max_iter: int = 1000, tol: float | None = 1e-3, shuffle: bool = True,
        verbose: int = 0, epsilon: float = 0.1, random_state: Any = None, learning_rate: str = "invscaling",
        eta0: float = 0.01, power_t: float = 0.25, early_stopping: bool = False, validation_fraction: float =
        0.1, n_iter_no_change: int = 5, warm_start: bool = False, average: Any = False, method: str = "sgd",
        batch_size: Any = "auto", rule: Any = "sgd", n_threads: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            loss=loss, penalty=penalty, alpha=alpha, l1_ratio=l1_ratio, fit_intercept=fit_intercept,
            max_iter=max_iter, tol=tol, shuffle=shuffle, verbose=verbose, epsilon=epsilon,
            random_state=random_state, learning_rate=learning_rate, eta0=eta0, power_t=power_t,
            early_stopping=early_stopping, validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change, warm_start=warm_start, average=average,
        )  # fmt: skip
        self.method, self.batch_size, self.rule, self.n_threads = method, batch_size, rule, n_threads

    def _fit_regressor(self, X: Any, y: Any, alpha: float, *given: Any) -> None:
        _, learning_rate, weights, max_iter = given[-4:]  # before 1.8 also C
        if self._by_scikit_learn(learning_rate):
            super()._fit_regressor(X, y, alpha, *given)
            return
        if not hasattr(self, "t_"):
            self.t_ = 1.0
        held_out = self._make_validation_split(y, sample_mask=weights > 0)
        score = self._make_validation_score_cb(held_out, X, y, weights)
        seed = int(check_random_state(self.random_state).randint(MOST_SEED - 1))
        done = self._descend(0, X, y, weights, alpha, learning_rate, max_iter, seed, held_out, score)
        self.loss_curve_ = [*getattr(self, "loss_curve_", []), *done.losses]
        self.coef_, self.intercept_, self.n_iter_ = done.coef, np.array([done.intercept], X.dtype), len(done.losses)
        self.t_ += self.n_iter_ * X.shape[0]
