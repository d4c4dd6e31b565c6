"""Writes docs/vocabulary.md from the registries: `python docs/make_vocabulary.py`; with --check it only compares."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from itertools import product
from pathlib import Path
from typing import Any

from fastgd.losses import LOSSES, loss_traits
from fastgd.penalties import NAMED, PENALTIES, Penalty
from fastgd.rules import RULES, rule_traits
from fastgd.schedules import SCHEDULES, bind_schedule
from fastgd.terms.registry import Registry

FILE = Path(__file__).with_name("vocabulary.md")

# Methods whose steps use a single gradient; tests of their own compare the others with plain Python.
STEPPING = ("gd", "sgd", "minibatch")
WAYS = list(product(STEPPING, ["dense", "CSR"], ["float32", "float64"]))
# What the last table marks, and what tests/test_vocabulary_table.py fits: (loss, method, layout, dtype).
CELLS = [(loss, *way) for loss in LOSSES for way in WAYS]

SENTENCE_END = re.compile(r"(?<!\.)\.(?:\s|$)")  # not the dots in mu_1 ... mu_t
MARKUP = re.compile(r"[|*]|<(?=[a-z/])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")

L1_RATIO = 0.15  # where none is given

PAGE = """\
# Vocabulary

Use every name here in `fastgd.fit` and `fastgd run`, with settings after a colon where it has some, as in
`loss="huber:delta=2"` and `--schedule step:every=30,factor=0.1`. The formulas are the first sentences of the classes'
docstrings, which say more: `help(fastgd.losses.Huber)`. The names under "also" are taken too; results show the first
name. This page is written by `python docs/make_vocabulary.py`.

## Losses

`y` is the target, `z` = x . w + b the linear predictor. Of two labels the larger one is +1, the other -1; for more than
two labels there is one model of each class against the rest, or one model of all classes at once. The curvature is the
largest second derivative in `z`, from which automatic learning rates follow; for losses without one they are found by
trial. Targets and curvatures are for the default settings.

{losses}

## Penalties

`w` are the coefficients; the intercept is never penalised. These names mean `l1 |w|_1 + l2/2 |w|_2^2`, with the
strengths that follow from `alpha` and `l1_ratio`, here for `alpha=1` and `l1_ratio={l1_ratio}`, the default:

{named}

These are classes; give a name with settings, or a term such as `fastgd.penalties.MCP(alpha=0.1)`. A penalty that is not
separable is a penalty of groups of coefficients, and cannot be combined with adaptive rules.

{penalties}

## Update rules

`g` is the gradient, `lr` the learning rate, `t` the number of the update, from 1. The default rate is what
`learning_rate="auto"` takes.

{rules}

## Schedules

`lr` is the learning rate, `t` the number of updates done, `epoch` the passes over the rows done, with a fraction.

{schedules}

## Losses, methods, layouts and precisions

A test fits every marked cell and compares each update with plain Python. svrg and saga accept every loss too; newton,
lbfgs and working_set accept losses without kinks: all but absolute, quantile, epsilon_insensitive, hinge and
perceptron; working_set not softmax.

{cells}
"""


def table(rows: Iterable[Mapping[str, str]]) -> str:
    """A Markdown table of rows with the same keys."""
    rows = list(rows)
    lines = [rows[0].keys(), ["---"] * len(rows[0]), *(map(escaped, row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """Text without Markdown markup; text in backquotes does not change."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part[:1] == "`" else MARKUP.sub(r"\\\g<0>", part) for part in parts)


def docstring(cls: type) -> str:
    return " ".join((inspect.getdoc(cls) or "").replace("``", "`").split())


def formula(cls: type) -> str:
    """The first sentence of the docstring."""
    return SENTENCE_END.split(docstring(cls), maxsplit=1)[0]


def source(cls: type) -> str:
    _, _, cited = docstring(cls).partition("Source: ")
    return SENTENCE_END.split(cited, maxsplit=1)[0]


def settings(cls: type, from_the_fit: Iterable[str] = ()) -> str:
    """Names and defaults of the settings."""

    def described(field: Any) -> str:
        if field.default is MISSING:
            return f"`{field.name}`"
        return f"`{field.name}` of the fit" if field.name in from_the_fit else f"`{field.name}={field.default}`"

    return ", ".join(map(described, fields(cls)))


def also(registry: Registry, name: str) -> str:
    """The aliases of a name."""
    return ", ".join(f"`{alias}`" for alias in registry.aliases_of(name))


def yes(condition: Any) -> str:
    return "yes" if condition else ""


def loss_row(name: str, cls: Any) -> dict[str, str]:
    traits = loss_traits(cls())
    targets = f"numbers, {cls().domain()}" if traits.checks_targets else "numbers"
    if traits.classifies:
        targets = "labels, all at once" if traits.joint else "labels"
    return {
        "loss": f"`{name}`",
        "also": also(LOSSES, name),
        "formula": formula(cls),
        "settings": settings(cls),
        "targets": targets,
        "curvature": "none" if traits.curvature is None else f"{traits.curvature:g}",
        "source": source(cls),
    }


def named_row(name: str) -> dict[str, str]:
    net = NAMED[name](1.0, L1_RATIO)
    return {"penalty": f"`{name}`", "also": also(PENALTIES, name), "l1": f"{net.l1:g}", "l2": f"{net.l2:g}"}


def penalty_row(name: str, cls: Any) -> dict[str, str]:
    return {
        "penalty": f"`{name}`",
        "formula": formula(cls),
        "settings": settings(cls),
        "convex": yes(cls.__dict__.get("convex", Penalty.convex)),
        "separable": yes(cls.__dict__.get("separable", Penalty.separable)),
        "source": source(cls),
    }


def rule_row(name: str, cls: Any) -> dict[str, str]:
    traits = rule_traits(cls())
    return {
        "rule": f"`{name}`",
        "also": also(RULES, name),
        "formula": formula(cls),
        "settings": settings(cls),
        "default rate": "from the data" if traits.default_rate is None else f"{traits.default_rate:g}",
        "adaptive": yes(traits.adaptive),
        "source": source(cls),
    }


def schedule_row(name: str, cls: Any) -> dict[str, str]:
    term = cls()
    bound = bind_schedule(term, max_epochs=7.0, alpha=0.7, loss=LOSSES.resolve("logistic"))
    from_the_fit = {field.name for field in fields(cls) if getattr(term, field.name) != getattr(bound, field.name)}
    return {
        "schedule": f"`{name}`",
        "formula": formula(cls),
        "settings": settings(cls, from_the_fit),
        "source": source(cls),
    }


def cell_row(loss: str) -> dict[str, str]:
    return {"loss": f"`{loss}`", **{", ".join(way): "x" if (loss, *way) in CELLS else "" for way in WAYS}}


def page() -> str:
    return PAGE.format(
        l1_ratio=L1_RATIO,
        losses=table(loss_row(*item) for item in LOSSES.items()),
        named=table(map(named_row, NAMED)),
        penalties=table(penalty_row(*item) for item in PENALTIES.items()),
        rules=table(rule_row(*item) for item in RULES.items()),
        schedules=table(schedule_row(*item) for item in SCHEDULES.items()),
        cells=table(map(cell_row, LOSSES)),
    )


def main(arguments: list[str]) -> None:
    if arguments == ["--check"]:
        if not FILE.exists() or FILE.read_text(encoding="utf-8") != page():
            sys.exit(f"{FILE} differs from what the registries say: run python docs/{Path(__file__).name}")
    elif arguments:
        sys.exit(f"python docs/{Path(__file__).name} takes --check or nothing, not {' '.join(arguments)}")
    else:
        FILE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
