"""Checks before a loss is used: a user's loss against finite differences, the targets against its domain."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import pytest
from helpers.loss_cases import CASES, targets

from fastgd.compile.term import term
from fastgd.errors import DataError, OptionError
from fastgd.fitting import fit
from fastgd.losses import LOSSES, check_own_loss, check_targets, loss_traits

# --- Check of a user's loss ------------------------------------------------------------------------------------------


@term
class Asymmetric:
    """A correct loss with a kink: it rises twice as fast above the target as it falls below."""

    def value(self, y: float, z: float) -> float:
        return 2.0 * (z - y) if z > y else y - z

    def derivative(self, y: float, z: float) -> float:
        return 2.0 if z > y else -1.0


@term
class WrongSign(Asymmetric):
    def derivative(self, y: float, z: float) -> float:
        return -2.0 if z > y else 1.0


@term
class SlightlyWrong(Asymmetric):
    def derivative(self, y: float, z: float) -> float:
        return 2.02 if z > y else -1.01


@term
class WrongSecond(Asymmetric):
    def second_derivative(self, y: float, z: float) -> float:
        return 1.0


@term
class WrongPieces(Asymmetric):
    def pieces(self, y):
        return y, np.full_like(y, -1.0), np.full_like(y, 1.0)


@term
class FailingPieces(Asymmetric):
    def pieces(self, y):
        return y, -1.0


@term
class WrongMinimum(Asymmetric):
    convex: ClassVar[bool] = True

    def minimum(self, y: float) -> float:
        return 5.0


@term
class Nothing(Asymmetric):
    def value(self, y, z):
        pass


@term
class Fails(Asymmetric):
    def value(self, y: float, z: float) -> float:
        return math.sqrt(y - 100.0)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (WrongSign(), r"loss WrongSign: derivative\(2, 0.3\) is 1, but value changes there by -1 per unit of z"),
        (SlightlyWrong(), r"loss SlightlyWrong: derivative\(2, 0.3\) is -1.01, but value changes there by -1 per unit"),
        (WrongSecond(), r"loss WrongSecond: second_derivative\(2, 0.3\) is 1, but derivative changes there by 0 per"),
        (WrongPieces(), r"loss WrongPieces: pieces\(2\) sum up to 0.9 at z = 2.9, where value is 1.8; correct one"),
        (FailingPieces(), r"loss FailingPieces: pieces\(2\) fails with ValueError: not enough values to unpack"),
        (WrongMinimum(), r"loss WrongMinimum: minimum\(2\) is 5, but value\(2, 0.3\) is 1.7; correct one of the two"),
        (Nothing(), r"loss Nothing: value\(2, 0.3\) returns None, not a finite number"),
        (Fails(), r"loss Fails: value\(2, 0.3\) fails with ValueError: math domain error"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_error_names_the_wrong_method_of_a_users_loss(loss, message):
    with pytest.raises(OptionError, match="^" + message.replace("0.3", r"[-0-9.]+")):
        check_own_loss(loss, [2.0, -1.0])
    with pytest.raises(OptionError, match=f"^loss {type(loss).__name__}"):
        fit([[1.0], [2.0]], [1.0, 3.0], loss=loss, learning_rate=0.1)


def test_check_accepts_a_correct_user_loss_and_every_built_in_loss():
    check_own_loss(Asymmetric(), [2.0, -1.0])
    for text in CASES:
        loss = LOSSES.resolve(text)
        check_own_loss(loss, targets(loss))


# --- Targets ----------------------------------------------------------------------------------------------------------

DOMAINS = {
    "poisson": "0 or more",
    "gamma": "above 0",
    "tweedie": "0 or more",
    "tweedie:power=-1": "any number",
    "tweedie:power=0": "any number",
    "tweedie:power=1": "0 or more",
    "tweedie:power=1.9": "0 or more",
    "tweedie:power=2": "above 0",
    "tweedie:power=3": "above 0",
}
NUMBERS = np.array([-1e300, -2.0, -1e-300, 0.0, 1e-300, 2.0, 1e300])
ALLOWED = {"any number": NUMBERS == NUMBERS, "0 or more": NUMBERS >= 0, "above 0": NUMBERS > 0}


@pytest.mark.parametrize("text", CASES)
def test_allows_agrees_with_domain(text):
    loss = LOSSES.resolve(text)
    assert loss_traits(loss).checks_targets == hasattr(loss, "domain") == (text in DOMAINS)
    if text in DOMAINS:
        assert loss.domain() == DOMAINS[text]
        assert loss.allows(NUMBERS).tolist() == ALLOWED[loss.domain()].tolist()
        assert [bool(loss.allows(y)) for y in NUMBERS.tolist()] == ALLOWED[loss.domain()].tolist()
        assert not loss.allows(math.nan)


def test_error_names_the_domain_and_the_first_target_outside_it():
    message = (
        "y must be 0 or more for the loss poisson, but has 2 other values, the first in row 3: -2.5; "
        "remove those rows or use another loss"
    )
    with pytest.raises(DataError) as caught:
        check_targets(LOSSES["poisson"](), np.array([0.0, 4.0, -2.5, 1.0, -1.0]))
    assert str(caught.value) == message
    with pytest.raises(
        DataError, match=r"^y must be above 0 for the loss tweedie:power=3.0, but has 1 other value, the"
    ):
        check_targets(LOSSES["tweedie"](3.0), np.array([1.0, 0.0], dtype=np.float32))


def test_error_names_the_row_with_several_outputs():
    with pytest.raises(DataError, match="has 3 other values, the first in row 2: -7;"):
        check_targets(LOSSES["gamma"](), np.array([[1.0, 2.0], [3.0, -7.0], [-1.0, 0.0]]))


def test_targets_within_the_domain_are_accepted():
    check_targets(LOSSES["squared"](), np.array([-1.0]))
    check_targets(LOSSES["phase_retrieval"](), np.array([-1.0]))
    check_targets(LOSSES["poisson"](), np.array([0.0, 3.0]))
    check_targets(LOSSES["gamma"](), np.array([1e-300]))
    check_targets(LOSSES["tweedie"](0.0), np.array([-1.0]))


@term
class Share(Asymmetric):
    def allows(self, y: float) -> bool:
        return (y >= 0) & (y <= 1)

    def domain(self) -> str:
        return "between 0 and 1"


@term
class OneByOne(Share):
    def allows(self, y: float) -> bool:
        return 0 <= y <= 1


@term
class OnlyOnce(Share):
    def allows(self, y: float) -> bool:
        return True


@term
class Numbers(Share):
    def allows(self, y: float) -> float:
        return y


@term
class Wordless(Asymmetric):
    def allows(self, y: float) -> bool:
        return y > 0


def test_a_users_loss_may_restrict_its_targets():
    check_targets(Share(), np.array([0.0, 0.5, 1.0]))
    with pytest.raises(DataError, match=r"^y must be between 0 and 1 for the loss Share, but has 1 other value"):
        check_targets(Share(), np.array([0.0, 0.5, 1.5]))
    for wrong in (OneByOne(), OnlyOnce(), Numbers()):
        with pytest.raises(OptionError, match=r": allows\(y\) must return True or False for each element"):
            check_targets(wrong, np.array([0.0, 0.5, 1.5]))
    with pytest.raises(OptionError, match=r"^loss Wordless has allows\(y\), but no domain\(\)"):
        check_targets(Wordless(), np.array([1.0]))
