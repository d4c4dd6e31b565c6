"""Messages name options as flags at the command line, and as arguments in Python."""

from __future__ import annotations

import ast
import inspect
import re
import traceback
from pathlib import Path

import pytest
from helpers.command_line import fastgd

import fastgd as library
from fastgd.solvers import options as solver_options
from fastgd.terms.penalties import penalty_names
from fastgd.wording import option, speaking_in_flags

ARGUMENTS = [*inspect.signature(library.fit).parameters]
IN_FLAGS = {"max_epochs": "--epochs", "n_threads": "--threads"}
GROUPS = {"penalty": "group_lasso:alpha=0.1,groups=0/0/0/0/0/1/1/1/1/1"}
# Options that `fit` refuses, and the names that its message must have, as flags or as arguments.
REFUSED = [
    *[({name: -1.0}, [name]) for name in ("learning_rate", "max_seconds", "gap_tol", "clip_norm", "tol", "alpha")],
    *[
        ({name: -1}, [name])
        for name in ("batch_size", "max_epochs", "patience", "seed", "n_threads", "average", "shards")
    ],
    ({"method": "sgd", "batch_size": 8}, ["batch_size", "method"]),
    ({"method": "lbfgs", "batch_size": 8}, ["batch_size", "method"]),
    ({"method": "gd", "shards": 2}, ["shards"]),
    ({"method": "sgd", "shards": 2, "trace": "step"}, ["trace", "shards"]),
    ({"batch_size": 8, "shards": 2}, ["batch_size", "shards"]),
    ({"method": "newton", "rule": "adam"}, ["rule"]),
    ({"method": "newton", "clip_norm": 1.0}, ["clip_norm"]),
    ({"method": "newton", "loss": "absolute"}, []),
    ({"method": "newton", "penalty": "scad", "alpha": 0.1}, []),
    ({"method": "lbfgs", "penalty": "l1", "alpha": 0.1}, []),
    ({"method": "working_set", "loss": "softmax"}, []),
    ({"method": "interior_point"}, []),
    ({"method": "saga", "rule": "adam"}, ["rule"]),
    ({"method": "saga", "clip_norm": 1.0}, ["clip_norm", "method"]),
    ({"schedule": "pegasos", "alpha": 0.1, "learning_rate": 0.5}, ["learning_rate"]),
    ({"schedule": "pegasos", "alpha": 0.1, "on_divergence": "shrink"}, ["on_divergence"]),
    ({"schedule": "pegasos"}, ["alpha"]),
    ({"method": "gd", "average": 1}, ["average"]),
    ({"method": "sgd", "average": 1, "rule": "asgd"}, ["average"]),
    ({"method": "sgd", "shards": 2, "rule": "asgd"}, ["shards"]),
    ({**GROUPS, "method": "gd", "rule": "adam"}, []),
    ({**GROUPS, "method": "gd", "scale": True}, ["scale"]),
    ({**GROUPS, "penalty_weights": [2.0] * 10}, ["penalty_weights"]),
    ({"penalty": "box", "penalty_weights": [2.0] * 10}, ["penalty_weights"]),
    ({"l1_ratio": 0.5}, ["l1_ratio", "penalty"]),
    ({"penalty": "elasticnet", "l1_ratio": 1.5}, ["l1_ratio"]),
    ({"penalty": "none", "alpha": 0.1}, ["penalty", "alpha"]),
    ({"penalty": "l3"}, []),
    ({"penalty": "l2:alpha=1"}, ["alpha"]),
    ({"penalty": "mcp:alpha=1", "alpha": 0.1}, ["alpha"]),
    ({"penalty": "box", "alpha": 0.1}, ["alpha"]),
    ({"class_weight": "balanced"}, ["class_weight"]),
    ({"validation": 1.5}, ["validation"]),
    ({"start": [1.0, 2.0]}, ["start"]),
    ({"gap_tol": 1e-3, "loss": "phase_retrieval"}, ["gap_tol"]),
]
# Messages that no command reaches: click checks choices, and terms and callbacks cannot be typed.
ONLY_IN_PYTHON = {
    solver_options: ["unknown method", "option(name)} must be {shown}", "callbacks must be", "single features or on"],
    penalty_names: ["the penalty term has its own"],
}  # fmt: skip


def as_flags(options):
    """The options as a person types them."""
    for name, value in options.items():
        if name == "trace":
            yield from ("--trace", "steps.csv", "--trace-steps")
        else:
            yield IN_FLAGS.get(name, "--" + name.replace("_", "-"))
            if value is not True:
                yield ",".join(map(str, value)) if isinstance(value, list) else value


def refused_by_fit(options):
    with pytest.raises(library.OptionError) as caught:
        library.fit(library.open("diabetes"), **options)
    return caught.value


@pytest.mark.parametrize(("options", "names"), REFUSED, ids=lambda value: str(value)[:60])
def test_flags_at_the_command_line_and_arguments_in_python(options, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    at_command_line = fastgd("run", "diabetes", "--quiet", *as_flags(options))
    assert at_command_line.code == 2
    in_python = str(refused_by_fit(options))
    for argument in ARGUMENTS:
        # Settings follow a colon or a comma, as in mcp:alpha=1, at the command line as well.
        assert not re.search(rf"(?<![\w:,-]){argument}=", at_command_line.err)
        assert "_" not in argument or argument not in at_command_line.err
    assert "--" not in in_python
    for name in names:
        assert IN_FLAGS.get(name, "--" + name.replace("_", "-")) in at_command_line.err
        assert re.search(rf"\b{name}\b", in_python)


@pytest.mark.parametrize("module", ONLY_IN_PYTHON, ids=lambda module: module.__name__)
def test_every_refusal_is_among_the_cases(module):
    source = Path(module.__file__).read_text()
    raised = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Raise) and node.exc is not None]
    wanted = {node.lineno: ast.get_source_segment(source, node) for node in raised}
    for options, _ in REFUSED:
        frames = traceback.extract_tb(refused_by_fit(options).__traceback__)
        for frame in frames:
            if frame.filename == module.__file__:
                wanted.pop(frame.lineno, None)
    left = [text for text in wanted.values() if not any(part in text for part in ONLY_IN_PYTHON[module])]
    assert not left


def test_remarks_speak_in_flags_too():
    words = ("run", "tutorial", "--method", "sgd", "--learning-rate", 0.01, "--epochs", 2)
    ran = fastgd(*words, "--average", 100, "--threads", 9999)
    assert "--average 100 is more than the 6 steps" in ran.out
    assert "--threads 9999 is more than" in ran.out
    fitted = library.fit(library.open("tutorial"), method="sgd", learning_rate=0.01, max_epochs=2, average=100)
    assert "average=100 is more than the 6 steps" in " ".join(fitted.remarks)


@pytest.mark.parametrize(
    ("name", "value", "argument", "flag"),
    [
        ("learning_rate", 6.7e-06, "learning_rate=6.7e-06", "--learning-rate 6.7e-06"),
        ("learning_rate", "auto", "learning_rate='auto'", "--learning-rate auto"),
        ("max_epochs", 1_000_000, "max_epochs=1000000", "--epochs 1000000"),
        ("n_threads", 2, "n_threads=2", "--threads 2"),
        ("fit_intercept", False, "fit_intercept=False", "--no-intercept"),
        ("scale", True, "scale=True", "--scale"),
        ("scale", False, "scale=False", "--no-scale"),
        ("trace", "step", "trace='step'", "--trace-steps"),
        ("drop", ["a b", "c"], "drop=['a b', 'c']", '--drop "a b,c"'),
        ("drop", ["$(reboot)", '"'], "drop=['$(reboot)', '\"']", """--drop '$(reboot),"'"""),
        ("drop", ["`it's`"], 'drop=["`it\'s`"]', """--drop '`it'"'"'s`'"""),
    ],
)
def test_spelling_of_a_value(name, value, argument, flag):
    assert option(name, value) == argument
    with speaking_in_flags():
        assert option(name, value) == flag
