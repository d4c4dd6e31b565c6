"""The code of terms: the digest changes with the code, and the newest code runs, wherever it is defined."""

from __future__ import annotations

import json
import types
from textwrap import dedent, indent

import numpy as np
import pytest
from helpers.term_sources import Y, Z, loss_class, run, total

import fastgd
from fastgd.compile.term import term
from fastgd.compile.term_code import Code, digest
from fastgd.losses import Squared

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
def test_digest_changes_with_the_code(old, new):
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
def test_digest_does_not_change_otherwise(old, new):
    changed = [text.replace(old, new, 1) for text in (VALUE, BASE)]
    assert digest(loss_class(VALUE, before=BASE)) == digest(loss_class(changed[0], before=changed[1]))


def test_digest_ignores_docstrings_but_not_strings():
    docstrings = [digest(loss_class(f'"""{word}"""\nreturn y')) for word in ("one", "two")]
    words = [digest(loss_class(before=f"helper = njit(lambda: {word!r})", value="return helper()")) for word in "ab"]
    assert docstrings[0] == docstrings[1]
    assert words[0] != words[1]


def test_digest_includes_helpers_in_other_modules():
    def with_formula(formula: str) -> str:
        package, module = types.ModuleType("package"), types.ModuleType("package.module")
        package.module = module
        module.package = package  # a cycle
        exec(f"from numba import njit\n@njit\ndef helper(r):\n    return {formula}", vars(module))
        return digest(loss_class("return package.module.helper(z - y)", package=package))

    assert with_formula("r * r") == with_formula("r * r")
    assert with_formula("r * r") != with_formula("r * r * r")


@pytest.mark.parametrize("name", ["builtins", "signal", "code", None])
def test_digest_includes_modules_named_like_the_standard_library(name):
    """Scripts are called signal.py or code.py, and `exec` without a name makes classes of "builtins"."""

    def with_formula(formula: str) -> str:
        names = {"term": term} if name is None else {"term": term, "__name__": name}
        exec(f"@term\nclass Loss:\n    def value(self, y, z):\n        return {formula}", names)
        return digest(names["Loss"])

    assert with_formula("z - y") != with_formula("y - z")


def test_digest_of_recursive_helpers():
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


def test_digest_of_a_method_that_uses_its_class():
    assert digest(loss_class("return Loss().value(y, z)")) != digest(loss_class("return 2 * Loss().value(y, z)"))
    assert len(digest(loss_class("return super().value(y, z)"))) == 16


def test_digest_of_unknown_objects_differs_between_processes(monkeypatch):
    in_this_process = digest(loss_class(VALUE, before=BASE))
    cls = loss_class("return helper(z)", before="class Opaque:\n    pass\nhelper = Opaque()")
    known = digest(cls)
    assert digest(cls) == known
    monkeypatch.setitem(Code.__init__.__globals__, "PROCESS", "another")
    assert digest(cls) != known
    assert digest(loss_class(VALUE, before=BASE)) == in_this_process


def test_digest_is_equal_in_every_process(tmp_path):
    source = "from numba import njit\nimport math\nimport numpy as np\nfrom fastgd import term\n"
    source += dedent(BASE) + "@term\nclass Loss:\n    def value(self, y, z):" + indent(dedent(VALUE), " " * 8)
    (tmp_path / "mine.py").write_text(source)
    script = "from mine import Loss; from fastgd.compile.term_code import digest; print(digest(Loss))"
    assert run(["-c", script], tmp_path, PYTHONHASHSEED="1") == run(["-c", script], tmp_path, PYTHONHASHSEED="2")


# --- Helpers, and where terms are written ----------------------------------------------------------------------------


def test_helpers_may_be_plain_or_compiled_in_any_module():
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


MINE = """
    import fastgd


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
    from fastgd.compile.jit import CompileClock
    from fastgd.kernels.batch_gradient import batch_gradient
    from fastgd.kernels.row_targets import Targets

    X = np.random.default_rng(0).standard_normal((50, 3))
    y = X @ [1.0, 2.0, 3.0] + 0.5

    def fit(loss):
        with CompileClock().listening() as clock:
            result = fastgd.fit(X, y, loss=loss, method="gd", learning_rate=0.05, max_epochs=5)
        return result.objective, clock.count
"""


@pytest.fixture(scope="module")
def kernels(tmp_path_factory) -> dict[str, str]:
    """A kernel cache for the subprocesses of this file."""
    return {"NUMBA_CACHE_DIR": str(tmp_path_factory.mktemp("kernels"))}


def expected(factor: float) -> float:
    """The result of `FIT` with `MINE`; the gradient, and so the step, is proportional to the factor."""
    X = np.random.default_rng(0).standard_normal((50, 3))
    y = X @ [1.0, 2.0, 3.0] + 0.5
    loss = Squared()
    result = fastgd.fit(X, y, loss=loss, method="gd", learning_rate=0.05 * factor, max_epochs=5)
    return factor * result.objective


def test_loss_in_a_script_is_compiled_once(tmp_path, kernels):
    script = tmp_path / "script.py"
    tail = "print(json.dumps([*fit(Mine()), len(batch_gradient.serial.nopython_signatures), *fit(Mine(2.0))]))"
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
    assert compiled[2] == 2  # batch_gradient and curvatures (of the check for a minimum), and no other kernel
    assert compiled[3] == 0  # the first version is still cached


@pytest.mark.parametrize("way", ["-c", "-", "-i"])
def test_loss_without_a_source_file(way, tmp_path, kernels):
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


def test_rerun_notebook_cells_use_the_new_code(tmp_path, kernels):
    """A loss, a helper or a constant is redefined while the old ones still exist: the newest is used."""
    cells = [
        """
        import json
        import numpy as np
        from numba import njit
        import fastgd
        from fastgd.kernels.batch_gradient import mean_loss
        from fastgd.kernels.row_targets import Targets

        rows = np.ones((4, 1)), Targets(np.zeros(4)), np.ones(1)

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
    for _ in range(2):  # compiled, then loaded from disk
        assert json.loads(run(["-c", notebook], tmp_path, **kernels)) == answers
