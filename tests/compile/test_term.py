"""Terms: their fields, error messages, pickling, and import without numba."""

from __future__ import annotations

import pickle
import sys
from importlib import import_module
from textwrap import dedent
from types import ModuleType

import numba
import numpy as np
import pytest
from helpers.term_sources import Y, Z, loss_class, run, total

import fastgd
from fastgd.compile.jit import COMPILE_OPTIONS, CompileClock
from fastgd.compile.term import term
from fastgd.compile.term_code import digest, is_term
from fastgd.errors import OptionError
from fastgd.losses import LOSSES, HalfSquared, Huber

# --- Fields ---------------------------------------------------------------------------------------------------------


@term
class Every:
    """A field of each kind."""

    scale: float = 1.0
    power: int = 2
    signed: bool = False
    table: np.ndarray = ()  # type: ignore[assignment]  # becomes an array

    def value(self, y, z):
        r = (z - y) ** self.power + np.sum(self.table)
        return -self.scale * r if self.signed else self.scale * r


def test_fields_are_run_time_values_of_compiled_code():
    settings = [
        Every(),
        Every(scale=3, power=3),
        Every(scale=np.float32(0.5), power=np.int64(1), signed=np.True_),
        Every(table=[1.0, 2.5]),
        Every(2.0, 2, True, np.arange(5)),
    ]
    total(settings[0], Y, Z)
    with CompileClock().listening() as clock:
        for loss in settings:
            expected = sum(map(loss.value, Y, Z))
            assert total(loss, Y, Z) == pytest.approx(expected, rel=1e-15)
    assert clock.count == 0
    assert len(total.signatures) == len({str(signature) for signature in total.signatures})


def test_fields_are_plain_python_values_of_their_kind():
    loss = Every(scale=np.float32(2), power=np.int8(3), signed=np.bool_(True))
    assert [type(value) for value in (loss.scale, loss.power, loss.signed)] == [float, int, bool]
    assert repr(Huber(delta=2)) == "Huber(delta=2.0)"


def test_array_field_is_a_read_only_copy():
    table = np.array([1.0, 2.0])
    loss = Every(table=table)
    table[0] = 7.0
    assert loss.table.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        loss.table[0] = 7.0
    with pytest.raises(AttributeError):
        loss.scale = 3.0


def test_launches_keep_the_reference_count_of_an_array_field():
    @numba.njit(**COMPILE_OPTIONS)
    def table_of(loss):
        return loss.table

    loss = Every(table=np.ones(3))
    counts = []
    for _ in range(3):
        assert total(loss, Y, Z) == pytest.approx(sum(map(loss.value, Y, Z)))
        assert table_of(loss).tolist() == [1.0, 1.0, 1.0]
        counts.append(sys.getrefcount(loss.table))
    assert len(set(counts)) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scale", "1"),
        ("scale", None),
        ("scale", True),
        ("scale", float("nan")),
        ("scale", 1j),
        ("scale", 10**400),
        ("scale", np.ones(1)),
        ("power", 2.0),
        ("power", True),
        ("power", "2"),
        ("power", 2**63),
        ("power", -(2**63) - 1),
        ("signed", 1),
        ("signed", "yes"),
        ("signed", None),
        ("table", "abc"),
        ("table", None),
        ("table", [1.0, "a"]),
        ("table", [1j]),
        ("table", [1.0, float("nan")]),
        ("table", [[1.0, 2.0], [3.0, 4.0]]),  # a two-dimensional array would overwrite the stack
    ],
)
def test_error_names_the_field(field, value):
    with pytest.raises(OptionError) as caught:
        Every(**{field: value})
    assert str(caught.value).startswith(f"Every: {field} must be ")
    assert "\n" not in str(caught.value)


def test_infinity_and_the_largest_integers_are_accepted():
    assert Every(scale=float("inf"), power=2**63 - 1).power == 2**63 - 1
    assert Every(power=-(2**63)).power == -(2**63)


@pytest.mark.parametrize("annotation", ["str", "list", "np.float64", "float | None", "complex"])
def test_error_for_an_unsupported_annotation(annotation):
    with pytest.raises(OptionError, match=r"Loss\.q is annotated .*; a term's fields are float, int, bool or np\.nd"):
        loss_class(body=f"q: {annotation} = 1.0")


def test_post_init_runs_after_the_field_checks():
    with pytest.raises(OptionError, match="delta must be a number"):
        Huber(delta="wide")
    with pytest.raises(OptionError, match="delta must be above 0"):
        Huber(delta=-1)


def test_subclass_of_a_term_is_a_term():
    class Doubled(HalfSquared):
        def value(self, y, z):
            return (z - y) * (z - y)

    assert digest(Doubled) != digest(HalfSquared)
    assert total(Doubled(), Y, Z) == 2 * total(HalfSquared(), Y, Z)


# --- Wrong terms ----------------------------------------------------------------------------------------------------


@term
class NoDerivative:
    def value(self, y, z):
        return z - y


@term
class Swapped(NoDerivative):
    def value(self, z, y):
        return z - y

    def derivative(self, y, z):
        return 1.0


class Plain(HalfSquared.__mro__[-1]):
    def value(self, y, z):
        return z - y


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (NoDerivative(), "loss NoDerivative has no method derivative(self, y, z)"),
        (Swapped(), "loss Swapped: the method must be value(self, y, z), not value(self, z, y)"),
        (Huber, "loss: pass an instance, Huber(), not the class itself"),
        (Plain(), "decorate its class with @fastgd.term"),
        (len, "decorate its class with @fastgd.term"),
        (None, "loss: None is neither a name"),
        ("hubre", "unknown loss 'hubre'; did you mean 'huber'?"),
    ],
    ids=lambda value: str(value).partition(" at 0x")[0],  # the same in every process
)
def test_error_for_what_is_not_a_loss(loss, sentence):
    for use in (LOSSES.resolve, lambda value: fastgd.fit([[1.0], [2.0]], [1.0, 2.0], loss=value)):
        with pytest.raises(OptionError) as caught:
            use(loss)
        assert sentence in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "before", "sentence"),
    [
        ("return undefined(z)", "", "Loss.value cannot be compiled: NameError: name 'undefined' is not defined"),
        ("return self.width * z", "", "Loss.value cannot be compiled: Unknown attribute 'width' of type mine.Loss"),
        ("return 'word' + z", "", "Loss.value cannot be compiled: numba has no add(Literal[str](word), float64)"),
        ("return np.nothing(z)", "", "module 'numpy' has no attribute 'nothing'"),
        ("import math\nreturn z", "", "unsupported opcode (IMPORT_NAME)"),
        ("return TABLE['a']", "TABLE = {'a': 1.0}", "Untyped global name 'TABLE'"),
        ("return helper(z)", "@njit\ndef helper(r):\n    return wrong(r)", "name 'wrong' is not defined"),
        ("return super().value(y, z)", "", " cannot be compiled: U"),  # Python 3.12 has an opcode for it
        ("return Loss().value(y, z)", "", "Loss.value cannot be compiled: "),
        ("return self.value(y, z)", "", "Loss.value cannot be compiled: "),
        ("return np.linalg.norm(z)", "", "Loss.value cannot be compiled: numba has no norm(float64)"),
        ("return z, y", "", "a term cannot be compiled: "),
    ],
)
def test_error_for_code_that_numba_cannot_compile(value, before, sentence, monkeypatch):
    # The check in plain Python would find most of these errors first.
    monkeypatch.setattr(import_module("fastgd.fitting"), "check_own_loss", lambda *_: None)
    loss = loss_class(value, before=before)()
    with pytest.raises(OptionError) as caught:
        fastgd.fit([[1.0], [2.0], [4.0]], [1.0, 2.0, 3.0], loss=loss, method="gd", learning_rate=0.1)
    message = str(caught.value)
    assert sentence in message
    assert message.endswith("; set NUMBA_DISABLE_JIT=1 to run it as plain Python")
    for leftover in ("\n", " at 0x", "resolve(", "nopython", "#"):
        assert leftover not in message


def test_compile_error_of_a_callback_is_raised_unchanged():
    @numba.njit
    def broken(r):
        return undefined(r)  # noqa: F821

    with pytest.raises(numba.core.errors.NumbaError):
        fastgd.fit(
            [[1.0], [2.0]], [1.0, 2.0], method="gd", learning_rate=0.1, callbacks=[lambda state: broken(state.epoch)]
        )


# --- Pickles --------------------------------------------------------------------------------------------------------


def test_term_can_be_pickled():
    loss = Every(scale=2.5, table=[1.0, 2.0])
    again = pickle.loads(pickle.dumps(loss))
    assert is_term(again)
    assert (again.scale, again.power, again.table.tolist()) == (2.5, 2, [1.0, 2.0])
    assert total(again, Y, Z) == total(loss, Y, Z)
    assert pickle.loads(pickle.dumps(Huber(2.0))) == Huber(2.0)


def test_numba_type_is_pickled_by_name():
    typ = numba.typeof(Huber())
    assert pickle.loads(pickle.dumps(typ)) is typ
    stored = pickle.dumps(typ).replace(b"terms.losses", b"terms.lasses")
    assert isinstance(pickle.loads(stored), numba.types.Opaque)


CAUCHY = """
    import fastgd
    import numpy as np
    from numba import cloudpickle

    @fastgd.term
    class Cauchy:
        scale: float = 1.0

        def value(self, y, z):
            return np.log1p(((z - y) / self.scale) ** 2)

        def derivative(self, y, z):
            r = (z - y) / self.scale
            return 2.0 * r / (1.0 + r * r) / self.scale

    def fitted(X, y, loss):
        return fastgd.fit(X, y, loss=loss, method="gd", max_epochs=3, learning_rate=0.1).coef.tolist()

    X = np.random.default_rng(0).normal(size=(30, 3))
    y = X @ [1.0, 2.0, 3.0]
    with open("stored", "wb") as file:
        file.write(cloudpickle.dumps((fitted, Cauchy, Cauchy(3.0), fastgd)))
    print(fitted(X, y, Cauchy(3.0)))
"""
READ_CAUCHY = """
    import pickle
    import numpy as np

    with open("stored", "rb") as file:
        fitted, Cauchy, loss, fastgd = pickle.load(file)
    X = np.random.default_rng(0).normal(size=(30, 3))
    assert loss == Cauchy(3.0) and fastgd.fit
    print(fitted(X, X @ [1.0, 2.0, 3.0], loss))
"""


def test_functions_and_classes_that_name_fastgd_are_cloudpickled(tmp_path):
    """A loss of a script and a function that uses the package, pickled by value, as joblib pickles them."""
    assert type(fastgd) is ModuleType
    # In plain Python, since nothing here depends on compilation.
    first, second = (run(["-c", dedent(script)], tmp_path, NUMBA_DISABLE_JIT="1") for script in (CAUCHY, READ_CAUCHY))
    assert first == second
    assert len(first.split()) == 3


# --- Without numba --------------------------------------------------------------------------------------------------


def test_terms_do_not_import_numba_or_numpy(tmp_path):
    script = """
        import sys
        import fastgd, fastgd.losses, fastgd.penalties, fastgd.rules, fastgd.schedules, fastgd_cli.main
        from fastgd.compile.term_code import digest, is_term
        loss = fastgd.losses.LOSSES.resolve("huber:delta=2")
        assert fastgd.losses.LOSSES.resolve(loss) is loss and is_term(loss) and digest(type(loss))
        print([name for name in ("numba", "numpy", "scipy", "pyarrow") if name in sys.modules])
    """
    assert run(["-c", dedent(script)], tmp_path).strip() == "[]"
