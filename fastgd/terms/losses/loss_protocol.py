"""The protocol of losses: the members that a loss must have, those that it may have, and the registry of losses."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Protocol

from ..registry import Members, Registry, cached_by_value, read_traits


class Loss(Protocol):
    """A scalar function of the target y and the linear predictor z; kernels call ``value``, ``derivative``, ``mean``.

    A loss must define ``value`` and ``derivative``. The other members are optional; below are their defaults.
    """

    convex: ClassVar[bool] = False  # in z
    classifies: ClassVar[bool] = False  # y is -1 or +1; with ``joint``, the number of a class
    probabilistic: ClassVar[bool] = False  # mean(z) is the probability of y = +1; with ``joint``, of each class
    joint: ClassVar[bool] = False  # z is an array with an element for each output, see `Softmax`
    kinked: ClassVar[bool] = False  # the derivative jumps, so second derivatives tell nothing about the loss
    random_start: ClassVar[bool] = False  # all gradients are 0 at zero coefficients, so training starts elsewhere

    def value(self, y: float, z: float) -> float:
        """The loss."""
        ...

    def derivative(self, y: float, z: float) -> float:
        """The derivative of the loss in z; at a kink, one of the subgradients."""
        ...

    def mean(self, z: float) -> float:
        """The prediction of y from z: the inverse link. For classes that are not ``probabilistic``, the score z."""
        return z

    def second_derivative(self, y: float, z: float) -> float:
        """The second derivative in z; finite differences of ``derivative`` stand in for a loss without it."""
        ...

    def curvature(self) -> float | None:
        """The largest second derivative in z, from which learning rates follow; None where there is no bound."""
        return None

    def constant(self, mean: float) -> float:
        """The best constant z where it depends on the targets only through their weighted mean; else leave it out."""
        ...

    def pieces(self, y: Any) -> tuple[Any, Any, Any]:
        """A piecewise-linear loss as a sum of pieces, max over u in [low, high] of u (z - t): arrays t, low and high.

        Each has the shape of the array y, (n_samples,), or (n_pieces, n_samples). Interior points need it.
        """
        ...

    def minimum(self, y: float) -> float:
        """The minimum of the loss over all z; duality gaps need it."""
        ...

    def allows(self, y: Any) -> Any:
        """Whether the loss is defined for each target in the array y, as an array of bool."""
        return y == y

    def domain(self) -> str:
        """The targets that ``allows`` accepts, in words, as in "y must be 0 or more"."""
        return "any number"


LOSSES = Registry("loss", Loss, required=("value", "derivative"), supplied=("mean",))


class LossTraits(NamedTuple):
    """The optional members of a loss; see `Loss`."""

    convex: bool
    classifies: bool
    probabilistic: bool
    joint: bool
    kinked: bool
    random_start: bool
    curvature: float | None
    has_constant: bool
    has_pieces: bool
    has_minimum: bool
    has_second_derivative: bool
    checks_targets: bool  # ``allows`` and ``domain`` are defined
    user_defined: bool  # not in `LOSSES`


@cached_by_value
def loss_traits(loss: Any) -> LossTraits:
    """The optional members of a loss, with the defaults of `Loss`."""
    return read_traits(
        loss,
        Loss,
        LossTraits,
        checks_targets=Members(loss, Loss).has("allows"),
        user_defined=type(loss) not in LOSSES.values(),
    )
