"""Other names for terms, such as mse and ridge: taken everywhere, shown nowhere in results."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.command_line import fastgd as run_fastgd

import fastgd
from fastgd import OptionError
from fastgd.losses import LOSSES
from fastgd.penalties import PENALTIES, PENALTY_NAMES, describe_penalty, resolve_penalty
from fastgd.rules import RULES
from fastgd.schedules import SCHEDULES

ALIASES = [(registry, alias) for registry in (LOSSES, PENALTIES, RULES, SCHEDULES) for alias in registry.aliases]


@pytest.mark.parametrize(("registry", "alias"), ALIASES, ids=[alias for _, alias in ALIASES])
def test_alias_names_one_registered_term(registry, alias):
    name = registry.aliases[alias]
    assert alias not in registry
    assert alias not in PENALTY_NAMES
    assert name in registry or name in PENALTY_NAMES
    assert alias in registry.aliases_of(name)


@pytest.mark.parametrize(
    ("alias", "name"),
    {
        "mse": "squared", "squared_error": "half_squared", "mae": "absolute", "absolute_error": "absolute",
        "log_loss": "logistic", "binary_cross_entropy": "logistic", "cross_entropy": "softmax",
        "pinball:quantile=0.9": "quantile:quantile=0.9",
    }.items(),
)  # fmt: skip
def test_loss_by_another_name(alias, name):
    assert LOSSES.resolve(alias) == LOSSES.resolve(name)
    assert LOSSES.describe(LOSSES.resolve(alias)) == name


@pytest.mark.parametrize(("alias", "name"), [("ridge", "l2"), ("lasso", "l1"), ("elastic_net", "elasticnet")])
def test_penalty_by_another_name(alias, name):
    assert resolve_penalty(alias, 0.5, None) == resolve_penalty(name, 0.5, None)
    assert "ridge" not in describe_penalty(resolve_penalty(alias, 0.5, None))
    if name != "elasticnet":
        with pytest.raises(OptionError, match="l1_ratio goes with penalty='elasticnet' only"):
            resolve_penalty(alias, 0.5, 0.5)
    else:
        assert resolve_penalty(alias, 0.5, 0.3) == resolve_penalty(name, 0.5, 0.3)


def test_rule_by_another_name():
    assert RULES.resolve("heavy_ball:beta=0.5") == RULES.resolve("momentum:beta=0.5")


def test_results_and_the_command_line_show_the_registered_names():
    X, y = [[1.0], [2.0], [3.0], [4.0]], [2.0, 3.0, 5.0, 4.0]
    by_alias = fastgd.fit(X, y, loss="mse", penalty="ridge", alpha=0.1)
    by_name = fastgd.fit(X, y, loss="squared", penalty="l2", alpha=0.1)
    np.testing.assert_array_equal(by_alias.coef, by_name.coef)
    assert (by_alias.loss, by_alias.settings) == (by_name.loss, by_name.settings)
    words = ("--loss", "mse", "--penalty", "lasso", "--alpha", 1)
    found = run_fastgd("run", "diabetes", *words, "--json").json
    assert (found["loss"], found["penalty"]) == ("squared", "l1 1")


def test_misspelt_alias_gets_a_hint():
    with pytest.raises(OptionError, match="unknown loss 'mze'; did you mean 'mse'"):
        LOSSES.resolve("mze")
    with pytest.raises(OptionError, match="unknown penalty 'lassso'; did you mean 'lasso'"):
        resolve_penalty("lassso", 1.0, None)


def test_info_lists_them():
    assert run_fastgd("info", "--json").json["aliases"]["losses"]["mse"] == "squared"
    assert "ridge = l2" in run_fastgd("info").out
