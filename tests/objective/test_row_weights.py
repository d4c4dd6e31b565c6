"""sample_weight, class_weight and offset match repeated rows, shifted targets, the reference and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from reference import outputs as reference_outputs
from reference.losses import Huber

import fastgd
from fastgd import DataError, OptionError

pytestmark = pytest.mark.plain_python

RANDOM = np.random.default_rng(8)
N, D = 40, 3
X = RANDOM.normal(size=(N, D)) * (RANDOM.random((N, D)) < 0.7)
SKEWED = X * [0.01, 1.0, 300.0] + [0.0, 5.0, 0.0]  # which an automatic fit scales and centres
TARGETS = X @ RANDOM.normal(size=(D, 3)) + RANDOM.normal(size=(N, 3))
Y = TARGETS[:, 0]
COUNTS = RANDOM.poisson(np.exp(np.clip(Y, -2, 2))).astype(float)
CLASSES = TARGETS.argmax(axis=1)
WEIGHT = RANDOM.integers(0, 4, N).astype(float)
OFFSET = RANDOM.normal(size=N)
del RANDOM  # tests draw from the fixture `rng`
HUBER = "huber:delta=1.5"

PROBLEMS = {
    HUBER: (Y, HUBER),
    "two classes": (Y > 0, "logistic"),
    "counts": (COUNTS, "poisson"),
    "targets": (TARGETS, HUBER),
    "one against the rest": (CLASSES, "logistic"),
    "softmax": (CLASSES, "softmax"),
}
METHODS = {"gd": {}, "sgd": {}, "minibatch": {"batch_size": 8}}
each_method = pytest.mark.parametrize("method", METHODS)


def fit(y=Y, loss=HUBER, X=X, **options):
    options = {"method": "gd", "learning_rate": 0.05, "max_epochs": 5, **options}
    return fastgd.fit(X, y, loss=loss, **METHODS[options["method"]] | options)


def weights(result):
    return np.column_stack([np.atleast_2d(result.coef), np.atleast_1d(result.intercept)])


def bits(result):
    """The bits of a fit, without its times."""
    return [weights(result).tobytes(), result.path.tobytes(), result.trace["objective"].tobytes()]


def close(result, other, tolerance):
    scale = np.abs(other.path).max()
    np.testing.assert_allclose(result.path, other.path, rtol=0, atol=tolerance * scale)
    np.testing.assert_allclose(result.trace["objective"], other.trace["objective"], rtol=tolerance)


# --- sample_weight ----------------------------------------------------------------------------------------------------


AUTOMATIC = {"learning_rate": "auto", "scale": True, "tol": 0, "max_epochs": 8}


# Only some problems: compilation takes most of the time.
FEW = [HUBER, "targets", "softmax"]
DENSE, SPARSE = [(name, np.asarray) for name in PROBLEMS], [(name, sp.csr_array) for name in FEW]


@pytest.mark.parametrize(("name", "form"), [*DENSE, *SPARSE])
@pytest.mark.parametrize("automatic", [False, True])
def test_weight_2_equals_the_row_twice(name, form, automatic):
    y, loss = PROBLEMS[name]
    # Automatic scales and rates are equal too.
    made, options = (form(SKEWED), AUTOMATIC) if automatic else (form(X), {"alpha": 0.1})
    rows = np.repeat(np.arange(N), WEIGHT.astype(int))
    weighted = fit(y, loss, made, sample_weight=WEIGHT, **options)
    repeated = fit(y[rows], loss, made[rows], **options)
    assert weighted.learning_rate == pytest.approx(repeated.learning_rate, rel=1e-12)
    close(weighted, repeated, 1e-12 if not automatic else 1e-10)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("y", [Y, TARGETS], ids=["one", "several"])
@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_sgd_with_weights_approaches_the_same_optimum(form, y, penalty):
    options = {"penalty": penalty, "alpha": 0.1, "sample_weight": WEIGHT}
    best = fit(y, X=form(X), learning_rate=0.3, max_epochs=1000, **options)
    # Batches of equal size: the rows of a short last batch would count for more.
    halves = {"method": "minibatch", "batch_size": np.count_nonzero(WEIGHT) // 2, "learning_rate": 0.3}
    for way in ({"method": "sgd", "learning_rate": 0.05}, halves):
        found = fit(y, X=form(X), schedule="cosine", max_epochs=600, **way, **options)
        assert found.objective == pytest.approx(best.objective, rel=1e-4)
        np.testing.assert_allclose(found.coef, best.coef, atol=0.02)


@pytest.mark.parametrize(
    ("name", "method"), [(name, method) for name in FEW for method in METHODS] + [("counts", "gd")]
)
def test_a_row_of_weight_0_is_left_out(name, method):
    y, loss = PROBLEMS[name]
    some = np.flatnonzero(WEIGHT)
    options = {"method": method, "alpha": 0.1, "learning_rate": "auto", "tol": 0}
    weighted = fit(y, loss, sample_weight=WEIGHT, **options)
    assert bits(weighted) == bits(fit(y[some], loss, X[some], sample_weight=WEIGHT[some], **options))
    assert weighted.n_samples == len(some) < N


@each_method
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("weight", [1.0, 0.3, 7.0])
def test_equal_weights_change_nothing(method, form, weight):
    for y in (Y, TARGETS):
        plain = fit(y, X=form(X), method=method)
        assert bits(fit(y, X=form(X), method=method, sample_weight=np.full(N, weight))) == bits(plain)
        some = fit(y, X=form(X), method=method, sample_weight=weight * (WEIGHT > 0))
        assert bits(some) == bits(fit(y[WEIGHT > 0], X=form(X)[WEIGHT > 0], method=method))


@each_method
@pytest.mark.parametrize("y", [Y, TARGETS], ids=["one", "several"])
def test_every_weighted_update_matches_the_reference(y, method):
    weight = WEIGHT + 0.5
    result = fit(y, method=method, sample_weight=weight, offset=OFFSET, alpha=0.1, shuffle=False, max_epochs=1,
                 start=0)  # fmt: skip
    targets = np.atleast_2d(y.T).T
    K = targets.shape[1]
    path, totals = reference_outputs.minibatch(
        X, targets.tolist(), Huber(1.5), rates=[0.05] * N, order=range(N), start=([[0.0] * D] * K, [0.0] * K),
        batch_size={"gd": N, "sgd": 1, "minibatch": 8}[method], l2=0.1, sample_weight=weight, offset=OFFSET,
    )  # fmt: skip
    np.testing.assert_allclose(weights(result), np.column_stack(path[-1]), rtol=0, atol=1e-13)
    assert result.trace["running_loss"][1] == pytest.approx(sum(totals) / N, rel=1e-12)
    expected = [reference_outputs.gradients(X, targets, W, B, Huber(1.5), None, weight, OFFSET) for W, B in path[::N]]
    norms = [0.05 * sum(v * v for row in W for v in row) for W, _ in path[::N]]
    assert result.trace["objective"][0] == pytest.approx(sum(expected[0][2]) + norms[0], rel=1e-12)


def test_errors_count_rows_as_in_the_data():
    result = fit(method="sgd", sample_weight=WEIGHT, shuffle=False, trace="step", max_epochs=1)
    assert result.steps["row"].tolist() == np.flatnonzero(WEIGHT).tolist()


def test_tables_hold_weights_and_offset(tmp_path):
    columns = np.column_stack([X, Y, WEIGHT, OFFSET])
    np.savetxt(tmp_path / "data.csv", columns, delimiter=",", header="a,b,c,y,w,o", comments="", fmt="%.17g")
    table = fastgd.open(tmp_path / "data.csv", target="y", weight="w", offset="o")
    result = fastgd.fit(table, loss=HUBER, method="gd", learning_rate=0.05, max_epochs=5)
    assert bits(result) == bits(fit(sample_weight=WEIGHT, offset=OFFSET))
    given = fastgd.fit(table, loss=HUBER, method="gd", learning_rate=0.05, max_epochs=5, sample_weight=WEIGHT + 1)
    assert bits(given) == bits(fit(sample_weight=WEIGHT + 1, offset=OFFSET))


# --- class_weight -----------------------------------------------------------------------------------------------------

WORDS = np.array(["ant", "bee", "cat"])
LABELS = {
    "words": (WORDS[CLASSES], {"ant": 2.0, "cat": 0.5}),
    "numbers": (CLASSES, {0: 2.0, 2: 0.5}),
    "numbers of numpy": (CLASSES, {np.int64(0): np.int64(2), np.int32(2): np.float32(0.5)}),
    "numbers read as floats": (CLASSES.astype(float), {0: 2, 2.0: 0.5}),
    "negative": (CLASSES - 1, {-1: 2.0, 1: 0.5}),
}


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
@pytest.mark.parametrize("kind", LABELS)
def test_class_weights_equal_row_weights(kind, loss):
    y, class_weight = LABELS[kind]
    explicit = np.array([2.0, 1.0, 0.5])[CLASSES]
    assert bits(fit(y, loss, class_weight=class_weight)) == bits(fit(CLASSES, loss, sample_weight=explicit))
    both = fit(y, loss, class_weight=class_weight, sample_weight=WEIGHT)
    assert bits(both) == bits(fit(CLASSES, loss, sample_weight=explicit * WEIGHT))


@pytest.mark.parametrize("class_weight", [{True: 3.0}, {False: 1, True: 3}, {True: 3.0, False: 1.0}])
def test_class_weights_of_booleans(class_weight):
    explicit = np.where(Y > 0, 3.0, 1.0)
    result = fit(Y > 0, "logistic", class_weight=class_weight)
    assert bits(result) == bits(fit(Y > 0, "logistic", sample_weight=explicit))


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
@pytest.mark.parametrize("y", [CLASSES, WORDS[CLASSES], Y > 0.5], ids=["numbers", "words", "booleans"])
def test_balanced_weights_match_scikit_learn(y, loss):
    compute = pytest.importorskip("sklearn.utils.class_weight").compute_sample_weight
    result = fit(y, loss, class_weight="balanced")
    close(result, fit(y, loss, sample_weight=compute("balanced", y)), 1e-13)
    assert np.abs(result.coef - fit(y, loss).coef).max() > 1e-4


# --- offset -----------------------------------------------------------------------------------------------------------


@each_method
@pytest.mark.parametrize("y", [Y, TARGETS], ids=["one", "several"])
def test_offset_equals_a_shifted_target_in_regression(y, method):
    moved = (y.T - OFFSET).T
    close(fit(y, method=method, offset=OFFSET, alpha=0.1), fit(moved, method=method, alpha=0.1), 1e-13)


@pytest.mark.parametrize("sample_weight", [None, WEIGHT])
def test_log_exposure_as_offset_models_rates(rng, sample_weight):
    """exp(z + log e) for counts y has the gradient of exp(z) for rates y / e that count e times."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    exposure, counts = rng.uniform(0.5, 3.0, N), 1.0 + COUNTS
    s = np.ones(N) if sample_weight is None else sample_weight
    result = fit(
        counts, "poisson", offset=np.log(exposure), sample_weight=sample_weight, learning_rate="auto",
        max_epochs=5000, tol=1e-9,
    )  # fmt: skip
    theirs = linear_model.PoissonRegressor(alpha=0, tol=1e-12, max_iter=1000)
    theirs.fit(X, counts / exposure, sample_weight=exposure * s)
    np.testing.assert_allclose(result.coef, theirs.coef_, atol=1e-5)
    assert result.intercept == pytest.approx(theirs.intercept_, abs=1e-5)
    np.testing.assert_allclose(result.predict(X), theirs.predict(X), rtol=1e-4)
    np.testing.assert_allclose(result.predict(X, offset=np.log(exposure)), exposure * theirs.predict(X), rtol=1e-4)


def test_predictions_include_the_offset():
    result = fit(Y > 0, "logistic", offset=OFFSET)
    z = X @ result.coef + result.intercept
    np.testing.assert_allclose(result.decision_function(X, offset=OFFSET), z + OFFSET, rtol=1e-12)
    assert result.predict(X, offset=OFFSET).tolist() == (z + OFFSET > 0).tolist()
    probability = 1 / (1 + np.exp(-z - OFFSET))
    np.testing.assert_allclose(result.predict_proba(X, offset=OFFSET)[:, 1], probability, rtol=1e-12)


# --- Errors -----------------------------------------------------------------------------------------------------------

BAD = {
    "negative": ({"sample_weight": np.where(np.arange(N) < 4, 1.0, -0.5)}, DataError, "36 negative .*row 5 .-0.5.;"),
    "NaN": ({"sample_weight": [np.nan, *WEIGHT[1:]]}, DataError, "sample_weight has 1 NaN .*first in row 1"),
    "infinite": ({"sample_weight": [*WEIGHT[1:], np.inf]}, DataError, "sample_weight has 1 NaN .*first in row 40"),
    "all zero": ({"sample_weight": np.zeros(N)}, DataError, "sample_weight is 0 in every row"),
    "too few": ({"sample_weight": WEIGHT[1:]}, DataError, "each of the 40 rows, not have the shape"),
    "a number": ({"sample_weight": 2.0}, DataError, "sample_weight must hold a number for each of the 40 rows"),
    "words": ({"sample_weight": ["a"] * N}, DataError, "sample_weight must hold a number for each"),
    "a column": ({"sample_weight": WEIGHT[:, None]}, DataError, r"not have the shape \(40, 1\)"),
    "one class left": (
        {"y": Y > 0, "loss": "logistic", "sample_weight": (Y > 0).astype(float)}, DataError, "is True in every row",
    ),
    "unknown class": (
        {"y": WORDS[CLASSES], "loss": "softmax", "class_weight": {"bea": 1.0}}, OptionError, "'bea', .*mean 'bee'",
    ),
    "class weight 0": ({"y": CLASSES, "loss": "softmax", "class_weight": {0: 0}}, OptionError, "above 0, not 0"),
    "class weight '2'": ({"y": CLASSES, "loss": "softmax", "class_weight": {0: "2"}}, OptionError, "above 0, not '2'"),
    "class weight True": ({"y": CLASSES, "loss": "softmax", "class_weight": {0: True}}, OptionError, "not True"),
    "a list": ({"y": CLASSES, "loss": "softmax", "class_weight": [1, 2, 3]}, OptionError, "'balanced' or a dict"),
    "another word": ({"y": CLASSES, "loss": "softmax", "class_weight": "equal"}, OptionError, "'balanced' or a dict"),
    "a regression": ({"class_weight": "balanced"}, OptionError, "class_weight needs a classification of one"),
    "several targets": (
        {"y": TARGETS > 0, "loss": "logistic", "class_weight": "balanced"}, OptionError, "classification of one target",
    ),
    "offset of softmax": ({"y": CLASSES, "loss": "softmax", "offset": OFFSET}, OptionError, "makes no difference"),
    "offset, NaN": ({"offset": [*OFFSET[1:], np.nan]}, DataError, "offset has 1 NaN .*row 40"),
    "offset, too long": ({"offset": np.zeros(N + 1)}, DataError, "offset must hold a number for each of the 40 rows"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_error_names_the_argument_and_the_row(what):
    options, error, message = BAD[what]
    with pytest.raises(error, match=message):
        fit(**options)
    with pytest.raises(DataError, match="offset must hold a number for each of the 40 rows"):
        fit().predict(X, offset=OFFSET[1:])


@pytest.mark.parametrize(
    ("labels", "spelled"),
    [([False, True], "true"), ([False, True], "True"), ([False, True], True), ([1, 2], "2.0"), ([1, 2], 2.0),
     ([1, 2], "2"), ([1.0, 2.0], "2"), ([1.0, 2.0], 2), ([2**53 + 1, 2**53 + 3], str(2**53 + 3))],
)  # fmt: skip
def test_class_weight_names_labels_of_any_type(labels, spelled):
    from fastgd.data.sample_weights import class_factors
    from fastgd.data.target import as_target
    from fastgd.losses import Logistic

    target = as_target([np.array(labels * 3)], Logistic())
    assert class_factors({spelled: 5.0}, target).tolist() == [1.0, 5.0]
