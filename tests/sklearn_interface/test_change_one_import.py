"""The example of the README: one changed import gives the same model. Both timings are printed."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
OURS = "from fastgd.sklearn import LogisticRegression  # was: from sklearn.linear_model import LogisticRegression"


def test_example_gives_the_same_model_with_either_import():
    (example,) = re.findall(r"```py\n(from sklearn\.datasets.*?)```", README, flags=re.DOTALL)
    assert OURS in example
    models, seconds = {}, {}
    for name, line in {"fastgd": OURS, "scikit-learn": OURS.partition("was: ")[2]}.items():
        code = example.replace(OURS, line).replace(
            "LogisticRegression()", "LogisticRegression(C=0.01, tol=1e-7, max_iter=9999)"
        )
        code = code if name == "fastgd" else code.partition("model[-1]")[0]
        times = []
        for _ in range(2):  # the first compiles
            began, names = time.perf_counter(), {}
            exec(code, names)
            times.append(time.perf_counter() - began)
        models[name], seconds[name] = names, min(times)
    print({name: f"{value * 1000:.0f} ms" for name, value in seconds.items()})  # noqa: T201
    ours, theirs = (models[name]["model"] for name in ("fastgd", "scikit-learn"))
    X = models["fastgd"]["digits"].data
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
    np.testing.assert_allclose(ours[-1].coef_, theirs[-1].coef_, atol=1e-4)
