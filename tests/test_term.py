"""Terms: their fields, the digest of their code, and what becomes of them in kernels, scripts and notebooks."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import types
from textwrap import dedent, indent

import numpy as np
import pytest

import fastgd
from fastgd.errors import OptionError
from fastgd.jit import CompileClock, subroutine
from fastgd.losses import LOSSES, HalfSquared, Huber
from fastgd.term import digest, is_term, term


def run(arguments: list[str], cwd, script_input: str | None = None, **environment: str) -> str:
    """Run Python in ``cwd`` with this process's import path; return what it printed."""
    path = os.pathsep.join([str(cwd), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        input=script_input,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def kernels(tmp_path_factory) -> dict[str, str]:
    """A cache of compiled kernels for this file's subprocesses, so that the suite compiles in vain once at most."""
    return {"NUMBA_CACHE_DIR": str(tmp_path_factory.mktemp("kernels"))}


@subroutine
def total(loss, y, z):
    """What every kernel does with a loss."""
    value = 0.0
    for i in range(y.shape[0]):
        value += loss.value(y[i], z[i])
    return value


Y = np.array([1.0, 2.0, -3.0])
Z = np.array([0.5, 4.0, -3.5])


def loss_class(value: str = "return (z - y) ** 2", *, before: str = "", body: str = "", **names) -> type:
    """A loss made from source, in a module of its own; ``before`` stands above the class, ``body`` in it."""
    source = "\n".join(
        [
            "import math",
            dedent(before),
            "@term",
            "class Loss:",
            indent(dedent(body), "    "),
            "    def value(self, y, z):",
            indent(dedent(value), " " * 8),
            "    def derivative(self, y, z):",
            "        return z - y",
            "    def mean(self, z):",
            "        return z",
        ]
    )
    module = types.ModuleType("mine")
    vars(module).update(term=term, np=np, njit=__import__("numba").njit, **names)
    exec(compile(source, "mine.py", "exec", dont_inherit=True), vars(module))
    return module.Loss


# --- Fields ---------------------------------------------------------------------------------------------------------


@term
class Every:
    """A field of each kind."""

    scale: float = 1.0
    power: int = 2
    signed: bool = False
    table: np.ndarray = ()  # type: ignore[assignment]  # becomes an array

    def value(self, y, z):
        r = (z - y) ** self.power
        for k in range(self.table.shape[0]):
            r += self.table[k]
        return -self.scale * r if self.signed else self.scale * r


def test_fields_reach_machine_code_and_changing_them_compiles_nothing():
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


def test_an_array_field_is_a_copy_that_nobody_can_change():
    table = np.array([1.0, 2.0])
    loss = Every(table=table)
    table[0] = 7.0
    assert loss.table.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        loss.table[0] = 7.0
    with pytest.raises(AttributeError):
        loss.scale = 3.0


def test_an_array_field_is_not_leaked_by_launches():
    loss = Every(table=np.ones(3))
    total(loss, Y, Z)
    counts = []
    for _ in range(3):
        total(loss, Y, Z)
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
        ("table", [[1.0, 2.0], [3.0, 4.0]]),  # two dimensions in the place of one would overwrite the stack
    ],
)
def test_a_wrong_field_is_one_sentence(field, value):
    with pytest.raises(OptionError) as caught:
        Every(**{field: value})
    assert str(caught.value).startswith(f"Every: {field} is ")
    assert "\n" not in str(caught.value)


def test_infinity_and_the_widest_whole_numbers_are_numbers():
    assert Every(scale=float("inf"), power=2**63 - 1).power == 2**63 - 1
    assert Every(power=-(2**63)).power == -(2**63)


@pytest.mark.parametrize("annotation", ["str", "list", "np.float64", "float | None", "complex"])
def test_a_field_of_another_type_is_refused_where_the_class_is_made(annotation):
    with pytest.raises(OptionError, match=r"Loss\.q is annotated .*; a term's fields are float, int, bool or np\.nd"):
        loss_class(body=f"q: {annotation} = 1.0")


def test_a_terms_own_check_runs_after_ours():
    with pytest.raises(OptionError, match="delta is a number"):
        Huber(delta="wide")
    with pytest.raises(OptionError, match="delta must be above 0"):
        Huber(delta=-1)


def test_a_subclass_is_a_term_with_the_methods_it_has():
    class Doubled(HalfSquared):
        def value(self, y, z):
            return (z - y) * (z - y)

    assert digest(Doubled) != digest(HalfSquared)
    assert total(Doubled(), Y, Z) == 2 * total(HalfSquared(), Y, Z)


# --- Without numba --------------------------------------------------------------------------------------------------


def test_terms_are_there_without_numba_and_numpy(tmp_path):
    script = """
        import sys
        import fastgd, fastgd.losses, fastgd.penalties, fastgd.rules, fastgd.schedules, fastgd_cli.main
        from fastgd.term import digest, is_term
        loss = fastgd.losses.LOSSES.resolve("huber:delta=2")
        assert fastgd.losses.LOSSES.resolve(loss) is loss and is_term(loss) and digest(type(loss))
        print([name for name in ("numba", "numpy", "scipy", "pyarrow") if name in sys.modules])
    """
    assert run(["-c", dedent(script)], tmp_path).strip() == "[]"


# --- The digest -----------------------------------------------------------------------------------------------------

BASE = """
    from enum import Enum
    DELTA = 1.5
    POINTS = np.array([1.0, 2.0])
    PAIR = (1.0, (2.0, 3.0))
    class Mode(Enum):
        SOFT = 1
        HARD = 2
    @njit(fastmath={"nsz", "arcp"})
    def deepest(r):
        return r + 1.0
    @njit
    def deeper(r):
        return deepest(r) * DELTA
    @njit
    def helper(r, by=2.0):
        return deeper(r) * by
    def outer(factor, inner):
        @njit
        def enclosed(r):
            return r * factor + inner
        return enclosed
    enclosed = outer(3.0, 4.0)
"""
VALUE = """
    if y in {1.0, 2.0, 3.0}:
        return helper(z - y)
    return enclosed(z) + POINTS[0] + PAIR[1][0] + Mode.SOFT.value + math.exp(z)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("z - y", "y - z"),
        ("3.0}", "4.0}"),
        ("by=2.0", "by=3.0"),
        ("DELTA = 1.5", "DELTA = 2.5"),
        ("DELTA = 1.5", "DELTA = np.float32(1.5)"),
        ("[1.0, 2.0]", "[1.0, 2.5]"),
        ("(2.0, 3.0)", "(2.0, 3.5)"),
        ("(1.0, (2.0, 3.0))", "((1.0, 2.0), 3.0)"),
        ("SOFT = 1", "SOFT = 3"),
        ("r + 1.0", "r + 2.0"),
        ("deepest(r) * DELTA", "deepest(r) / DELTA"),
        ('"arcp"', '"contract"'),
        ("@njit\n    def deeper", "@njit(error_model='numpy')\n    def deeper"),
        ("outer(3.0, 4.0)", "outer(3.5, 4.0)"),
        ("outer(3.0, 4.0)", "outer(4.0, 3.0)"),
        ("r * factor", "r / factor"),
        ("math.exp", "math.cosh"),
    ],
)
def test_the_digest_changes_with_whatever_machine_code_is_made_from(old, new):
    changed = [text.replace(old, new) for text in (VALUE, BASE)]
    assert changed != [VALUE, BASE]
    assert digest(loss_class(VALUE, before=BASE)) != digest(loss_class(changed[0], before=changed[1]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("if y in", '"""One line of explanation."""\n    if y in'),
        ("if y in", "# Why this is so.\n\n\n    if y in"),
        ("def deepest(r):", 'def deepest(r):\n        """Another."""'),
        ("DELTA = 1.5", "UNUSED = 9.5\n    DELTA = 1.5"),
        (
            "class Mode",
            "@term\n    class Another:\n        def value(self, y, z):\n            return y\n    class Mode",
        ),
    ],
)
def test_the_digest_does_not_change_with_anything_else(old, new):
    changed = [text.replace(old, new, 1) for text in (VALUE, BASE)]
    assert digest(loss_class(VALUE, before=BASE)) == digest(loss_class(changed[0], before=changed[1]))


def test_a_docstring_may_change_but_a_word_that_is_used_may_not():
    docstrings = [digest(loss_class(f'"""{word}"""\nreturn y')) for word in ("one", "two")]
    words = [digest(loss_class(before=f"helper = njit(lambda: {word!r})", value="return helper()")) for word in "ab"]
    assert docstrings[0] == docstrings[1]
    assert words[0] != words[1]


def test_the_digest_follows_helpers_into_other_modules():
    def with_formula(formula: str) -> str:
        package, module = types.ModuleType("package"), types.ModuleType("package.module")
        package.module = module
        module.package = package  # and back again, which must not go round for ever
        exec(f"from numba import njit\n@njit\ndef helper(r):\n    return {formula}", vars(module))
        return digest(loss_class("return package.module.helper(z - y)", package=package))

    assert with_formula("r * r") == with_formula("r * r")
    assert with_formula("r * r") != with_formula("r * r * r")


@pytest.mark.parametrize("name", ["builtins", "signal", "code", None])
def test_the_digest_reads_the_code_of_modules_named_like_the_standard_library(name):
    """Scripts are called signal.py or code.py, and `exec` without a name makes classes of "builtins"."""

    def with_formula(formula: str) -> str:
        names = {"term": term} if name is None else {"term": term, "__name__": name}
        exec(f"@term\nclass Loss:\n    def value(self, y, z):\n        return {formula}", names)
        return digest(names["Loss"])

    assert with_formula("z - y") != with_formula("y - z")


def test_helpers_that_call_each_other_end():
    before = """
        @njit
        def even(r):
            return True if r < 1.0 else odd(r - 1.0)
        @njit
        def odd(r):
            return {}if r < 1.0 else even(r - 1.0)
    """
    digests = {digest(loss_class("return even(z)", before=before.format(word))) for word in ("False ", "True ")}
    assert len(digests) == 2


def test_a_method_that_names_its_own_class_ends():
    assert digest(loss_class("return Loss().value(y, z)")) != digest(loss_class("return 2 * Loss().value(y, z)"))
    assert len(digest(loss_class("return super().value(y, z)"))) == 16


def test_what_the_digest_cannot_read_is_compiled_anew_in_each_process(monkeypatch):
    in_this_process = digest(loss_class(VALUE, before=BASE))
    cls = loss_class("return helper(z)", before="class Opaque:\n    pass\nhelper = Opaque()")
    known = digest(cls)
    assert digest(cls) == known
    monkeypatch.setattr("fastgd.term.PROCESS", "another")
    assert digest(cls) != known
    assert digest(loss_class(VALUE, before=BASE)) == in_this_process


def test_the_digest_is_the_same_in_every_process(tmp_path):
    source = "from numba import njit\nimport math\nimport numpy as np\nfrom fastgd import term\n"
    source += dedent(BASE) + "@term\nclass Loss:\n    def value(self, y, z):" + indent(dedent(VALUE), " " * 8)
    (tmp_path / "mine.py").write_text(source)
    script = "from mine import Loss; from fastgd.term import digest; print(digest(Loss))"
    assert run(["-c", script], tmp_path, PYTHONHASHSEED="1") == run(["-c", script], tmp_path, PYTHONHASHSEED="2")


# --- Wrong terms ----------------------------------------------------------------------------------------------------


@term
class NoMean:
    def value(self, y, z):
        return z - y

    def derivative(self, y, z):
        return 1.0


@term
class Swapped(NoMean):
    def value(self, z, y):
        return z - y

    def mean(self, z):
        return z


class Plain(HalfSquared.__mro__[-1]):
    def value(self, y, z):
        return z - y


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (NoMean(), "loss NoMean has no method mean(self, z)"),
        (Swapped(), "loss Swapped: the method must be value(self, y, z), not value(self, z, y)"),
        (Huber, "loss: pass an instance, Huber(), not the class itself"),
        (Plain(), "decorate its class with @fastgd.term"),
        (len, "decorate its class with @fastgd.term"),
        (None, "loss: None is neither a name"),
        ("hubre", "unknown loss 'hubre'; did you mean 'huber'?"),
    ],
    ids=str,
)
def test_a_term_of_the_wrong_shape_is_one_sentence(loss, sentence):
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
        ("return super().value(y, z)", "", "Loss.value cannot be compiled: Untyped global name 'super'"),
        ("return Loss().value(y, z)", "", "Loss.value cannot be compiled: "),
        ("return self.value(y, z)", "", "Loss.value cannot be compiled: "),
        ("return np.linalg.norm(z)", "", "Loss.value cannot be compiled: numba has no norm(float64)"),
        ("return z, y", "", "a term cannot be compiled: "),
    ],
)
def test_code_that_numba_cannot_compile_is_one_sentence(value, before, sentence):
    loss = loss_class(value, before=before)()
    with pytest.raises(OptionError) as caught:
        fastgd.fit([[1.0], [2.0], [4.0]], [1.0, 2.0, 3.0], loss=loss, method="gd", learning_rate=0.1)
    message = str(caught.value)
    assert sentence in message
    assert message.endswith("; set NUMBA_DISABLE_JIT=1 to run it as plain Python")
    for leftover in ("\n", " at 0x", "resolve(", "nopython", "#"):
        assert leftover not in message


def test_helpers_may_be_plain_python_or_compiled_and_in_other_modules():
    before = """
        def plain(r, by=2.0):
            return by * deeper(r)
        def deeper(r):
            return r * FACTOR
        def outer(inner):
            def enclosed(r):
                return r + inner
            return enclosed
        enclosed = outer(4.0)
        FACTOR = 3.0
    """
    module = types.ModuleType("module")
    exec("import numba\n@numba.njit\ndef cube(r):\n    return r**3\ndef shifted(r):\n    return r + 1", vars(module))
    value = "return plain(z - y) + enclosed(z) + module.cube(y) + module.shifted(z)"
    loss = loss_class(value, before=before, module=module)()
    assert total(loss, Y, Z) == pytest.approx(sum(map(loss.value, Y, Z)), rel=1e-15)


def test_a_callbacks_own_failure_to_compile_is_left_alone():
    import numba

    @numba.njit
    def broken(r):
        return undefined(r)  # noqa: F821

    with pytest.raises(numba.core.errors.NumbaError):
        fastgd.fit(
            [[1.0], [2.0]], [1.0, 2.0], method="gd", learning_rate=0.1, callbacks=[lambda state: broken(state.epoch)]
        )


# --- Pickles --------------------------------------------------------------------------------------------------------


def test_a_term_pickles():
    loss = Every(scale=2.5, table=[1.0, 2.0])
    again = pickle.loads(pickle.dumps(loss))
    assert is_term(again)
    assert (again.scale, again.power, again.table.tolist()) == (2.5, 2, [1.0, 2.0])
    assert total(again, Y, Z) == total(loss, Y, Z)
    assert pickle.loads(pickle.dumps(Huber(2.0))) == Huber(2.0)


def test_a_numba_type_pickles_by_name():
    from numba import typeof, types

    typ = typeof(Huber())
    assert pickle.loads(pickle.dumps(typ)) is typ
    stored = pickle.dumps(typ).replace(b"fastgd.losses", b"fastgd.lasses")
    assert isinstance(pickle.loads(stored), types.Opaque)


# --- Where terms are written ----------------------------------------------------------------------------------------

MINE = """
    from numba import njit

    import fastgd


    @njit
    def square(r):
        return {factor} * r * r


    @fastgd.term
    class Mine:
        width: float = 1.0

        def value(self, y, z):
            return square(z - y) * self.width

        def derivative(self, y, z):
            return 2.0 * {factor} * (z - y) * self.width

        def mean(self, z):
            return z
"""
FIT = """
    import json
    import numpy as np
    from fastgd.jit import CompileClock
    from fastgd.kernels.gradient import mean_loss

    X = np.random.default_rng(0).standard_normal((50, 3))
    y = X @ [1.0, 2.0, 3.0] + 0.5

    def fit(loss):
        with CompileClock().listening() as clock:
            result = fastgd.fit(X, y, loss=loss, method="gd", learning_rate=0.05, max_epochs=5)
        return result.objective, clock.count
"""


def expected(factor: float) -> float:
    """What `FIT` gives with `MINE`; the gradient, and so the step, is in proportion to the factor."""
    X = np.random.default_rng(0).standard_normal((50, 3))
    y = X @ [1.0, 2.0, 3.0] + 0.5
    loss = fastgd.losses.Squared()
    result = fastgd.fit(X, y, loss=loss, method="gd", learning_rate=0.05 * factor, max_epochs=5)
    return factor * result.objective


def test_a_loss_in_a_script_is_compiled_once_and_for_all(tmp_path, kernels):
    script = tmp_path / "script.py"
    tail = "print(json.dumps([*fit(Mine()), len(mean_loss.serial.nopython_signatures), *fit(Mine(2.0))]))"
    answers = []
    for factor in (1.0, 1.0, 3.0, 1.0):
        script.write_text("\n".join(map(dedent, [MINE.format(factor=factor), FIT, tail])))
        answers.append(json.loads(run(["script.py"], tmp_path, **kernels)))
    objectives, compiled, native, doubled, more = zip(*answers, strict=True)
    assert objectives == pytest.approx([expected(1.0), expected(1.0), expected(3.0), expected(1.0)], rel=1e-12)
    assert doubled[:2] == pytest.approx([expected(2.0)] * 2, rel=1e-12)
    assert native == (1, 1, 1, 1)
    assert more == (0, 0, 0, 0)
    assert compiled[0] > 0
    assert compiled[1] == 0
    assert compiled[2] == 2  # mean_loss and batch_gradient, and nothing else
    assert compiled[3] == 0  # the first version is still there


@pytest.mark.parametrize("way", ["-c", "-", "-i"])
def test_a_loss_without_a_source_file(way, tmp_path, kernels):
    """``python -c``, a script on standard input, and statement by statement at the prompt."""
    source = "\n".join(map(dedent, [MINE.format(factor=1.0), FIT, "print(json.dumps(fit(Mine())))"]))
    if way == "-c":
        printed = run(["-c", source], tmp_path, **kernels)
    elif way == "-":
        printed = run(["-"], tmp_path, source, **kernels)
    else:  # the prompt ends a block at an empty line, and must not find one within
        statements = f"exec({source!r}, globals())\n"
        printed = run(["-i", "-q"], tmp_path, statements, **kernels)
    assert json.loads(printed)[0] == pytest.approx(expected(1.0), rel=1e-12)


def test_cells_of_a_notebook_that_are_run_again(tmp_path, kernels):
    """A loss, a helper or a constant is bound anew, with the old ones still about: the newest counts."""
    cells = [
        """
        import json
        import numpy as np
        from numba import njit
        import fastgd
        from fastgd.kernels.gradient import mean_loss

        rows = np.ones((4, 1)), np.zeros(4), np.ones(1)

        def ask(loss):
            answers.append(mean_loss.serial(*rows, 1.0, loss, np.zeros((1, 2))))

        answers = []
        FACTOR = 1.0
        """,
        MINE.format(factor="FACTOR") + "\n    first = Mine()\n    ask(first)",
        MINE.format(factor="10.0 * FACTOR") + "\n    ask(Mine())",
        "FACTOR = 3.0\nask(Mine())",
        "@njit\ndef square(r):\n    return r * r + FACTOR\nask(Mine())",
        MINE.format(factor="FACTOR") + "\n    ask(Mine(2.0))\n    ask(first)",
        "print(json.dumps(answers))",
    ]
    notebook = (
        f"for cell in {[dedent(cell) for cell in cells]!r}:\n    exec(compile(cell, '<cell>', 'exec'), globals())"
    )
    answers = [4.0, 40.0, 120.0, 7.0, 24.0, 12.0]  # (1 + 1 - 0)^2 times the factors, or plus the one
    for _ in range(2):  # compiled, then from the disk, where nothing wrong may have been left
        assert json.loads(run(["-c", notebook], tmp_path, **kernels)) == answers
