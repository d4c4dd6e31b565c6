"""A pytest plugin: scikit-learn's own test files, with the classes of fastgd in place of theirs.

Loaded with ``-p``, it sets the classes in `sklearn.linear_model` before a test module is imported. What is listed in
``exceptions.toml`` may fail, with its reason.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
import sklearn.linear_model as theirs

import fastgd.sklearn as ours

NAMES = [name for name in ours.ESTIMATORS if hasattr(theirs, name)]
ORIGINALS = {name: getattr(theirs, name) for name in NAMES}
EXCEPTIONS = tomllib.loads((Path(__file__).parent / "exceptions.toml").read_text("utf-8"))


for place in (theirs, sys.modules["sklearn.linear_model._glm"]):
    for name in NAMES:
        if hasattr(place, name):
            setattr(place, name, getattr(ours, name))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    for module in {item.module for item in items}:
        # Files that import from private modules, such as sklearn.linear_model._ridge.
        for name in NAMES:
            if getattr(module, name, None) is ORIGINALS[name]:
                setattr(module, name, getattr(ours, name))
        under_test = [name for name in NAMES if hasattr(module, name)]
        assert under_test, module
        for name in under_test:  # a class, or a function that makes one from sklearn.linear_model
            used = getattr(module, name)
            assert (used if isinstance(used, type) else getattr(module.linear_model, name)) is getattr(ours, name)
    reasons = {
        (f"{file}.py", test): reason
        for file, part in EXCEPTIONS.items()
        for reason, tests in part.items()
        for test in tests
    }
    for item in items:
        reason = reasons.get((item.path.name, item.originalname))
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=f"exception: {reason}", strict=False))
