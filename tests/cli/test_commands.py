"""The commands, run as from a shell."""

from __future__ import annotations

import csv
import dataclasses
import inspect
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from fastgd_cli.main import cli
from fastgd_cli.sections import SECTIONS
from helpers.command_line import fastgd

import fastgd as library
from fastgd.losses import LOSSES
from fastgd.penalties import PENALTY_NAMES
from fastgd.rules import RULES
from fastgd.schedules import SCHEDULES
from fastgd.solvers.options import METHODS

LESSON = ("run", "tutorial", "--learning-rate", "0.01", "--epochs", "100", "--start", "1.0", "--no-intercept")


@pytest.fixture
def houses(tmp_path):
    """A table whose target is named and is not the last column."""
    path = tmp_path / "houses.csv"
    rng = np.random.default_rng(0)
    size, rooms = rng.uniform(30, 200, 60), rng.integers(1, 7, 60)
    price = 1000 * size + 5000 * rooms + rng.normal(0, 1000, 60)
    rows = [f"{s:.2f},{p:.2f},{r}" for s, p, r in zip(size, price, rooms, strict=True)]
    path.write_text("\n".join(["size,price,rooms", *rows]) + "\n")
    return path


@pytest.fixture
def labelled(tmp_path):
    """A table of two classes labelled by words."""
    path = tmp_path / "labelled.csv"
    rng = np.random.default_rng(1)
    X = rng.standard_normal((200, 2))
    words = np.where(X[:, 0] - X[:, 1] + 0.5 * rng.standard_normal(200) > 0, "yes", "no")
    rows = [f"{a:.4f},{b:.4f},{word}" for (a, b), word in zip(X, words, strict=True)]
    path.write_text("\n".join(["a,b,bought", *rows]) + "\n")
    return path


class TestHelp:
    @pytest.mark.parametrize("command", ["", *sorted(cli.commands)])
    def test_every_command_has_help(self, command):
        ran = fastgd(*filter(None, [command]), "--help")
        assert ran.code == 0
        assert ran.out.startswith(f"Usage: fastgd {command}".rstrip())
        assert len(ran.out.splitlines()) > 6

    def test_examples_are_not_rewrapped(self):
        assert "\n  fastgd run houses.csv --target price  " in fastgd("run", "--help").out

    @pytest.mark.parametrize("word", [*METHODS, *LOSSES, *PENALTY_NAMES, *RULES, *SCHEDULES])
    def test_run_names_every_term(self, word):
        assert word in " ".join(fastgd("run", "--help").out.split())

    def test_every_option_of_fit_has_a_flag(self):
        flags = {flag.lstrip("-").replace("-", "_") for o in cli.commands["run"].params for flag in o.opts}
        listed = {"max_epochs": "epochs", "fit_intercept": "no_intercept", "n_threads": "threads"}
        # The data is the command's argument, and a function cannot be typed on a command line.
        options = set(inspect.signature(library.fit).parameters) - {"X", "y", "callbacks", "columns"}
        options |= {field.name for field in dataclasses.fields(library.Columns)}
        listed["interactions"] = "interact"
        assert {listed.get(option, option) for option in options} <= flags

    def test_every_option_of_fit_is_in_a_section_of_the_help(self):
        listed = [name for names in SECTIONS.values() for name in names]
        assert len(set(listed)) == len(listed)
        options = {option.name for option in cli.commands["run"].params}
        assert (options & set(inspect.signature(library.fit).parameters)) <= set(listed)
        out = fastgd("run", "--help").out
        places = [out.index(f"\n{title}:\n") for title in ("Data", "Model", "Descent", "Stopping", "Output", "Methods")]
        assert places == sorted(places)
        first = [out.index(f"\n  --{name} ") for name in ("target", "loss", "rule")]
        assert places[0] < first[0] < places[1] < first[1] < places[2] < first[2] < places[3]

    def test_every_option_has_a_help_text(self):
        for command in cli.commands.values():
            for option in command.params:
                assert option.param_type_name == "argument" or option.help, (command.name, option.name)

    def test_version(self):
        assert fastgd("--version").out == f"fastgd {library.__version__}\n"

    def test_help_imports_no_numba(self):
        check = (
            "import sys; import fastgd_cli.main; sys.exit(any(m in sys.modules for m in ('numba', 'numpy', 'rich')))"
        )
        assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


class TestLesson:
    def test_predicts_four_before_training_and_eight_after(self):
        out = fastgd(*LESSON, "--method", "gd").out
        assert "predicts 4.0 before training, 7.99978 after it" in out

    @pytest.mark.parametrize(("method", "steps"), [("gd", 100), ("sgd", 300), ("minibatch", 200)])
    def test_every_update_is_in_the_step_trace(self, method, steps, tmp_path):
        batch = ("--batch-size", 2) if method == "minibatch" else ()
        path = tmp_path / "steps.csv"
        ran = fastgd(*LESSON, "--method", method, *batch, "--no-shuffle", "--trace", path, "--trace-steps")
        assert ran.code == 0
        with path.open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == steps
        w = 1.0
        for row in rows:  # each gradient, and the weight after it, is that of the lesson's formula
            if method == "sgd":
                x = float(row["row"]) + 1.0
                residual = x * w - 2 * x
                # The updates of the trace start each kernel call at the model's own weight, which may round otherwise.
                rounding = 8 * sys.float_info.epsilon * x
                expected = pytest.approx(residual**2, rel=1e-12, abs=2 * abs(residual) * rounding + rounding**2)
                assert float(row["loss"]) == expected
                assert float(row["gradient[x]"]) == pytest.approx(2 * x * residual, rel=1e-12, abs=2 * x * rounding)
            w -= 0.01 * float(row["gradient[x]"])
            assert float(row["weights[x]"]) == pytest.approx(w, abs=1e-12)

    def test_trace_has_a_row_for_the_start_and_one_for_each_epoch(self, tmp_path):
        path = tmp_path / "trace.csv"
        fastgd(*LESSON, "--method", "gd", "--trace", path)
        with path.open() as file:
            rows = list(csv.DictReader(file))
        assert [int(row["epoch"]) for row in rows] == list(range(101))
        w = 1.0
        for row in rows:
            assert float(row["weights[x]"]) == pytest.approx(w, abs=1e-12)
            assert float(row["objective"]) == pytest.approx(
                np.mean([(x * w - 2 * x) ** 2 for x in (1, 2, 3)]), abs=1e-12
            )
            w -= 0.01 * np.mean([2 * x * (x * w - 2 * x) for x in (1, 2, 3)])


class TestRun:
    def test_json_has_the_documented_keys(self):
        content = fastgd("run", "diabetes", "--json").json
        documented = {
            "data", "n_samples", "n_features", "method", "loss", "epochs", "objective", "converged", "stop_reason",
            "learning_rate", "coef", "intercept", "gap_bound", "metrics", "samples_per_second", "seconds",
        }  # fmt: skip
        assert documented <= set(content)
        assert set(content["seconds"]) == {"read", "compile", "fit"}
        assert (content["n_samples"], content["n_features"], len(content["coef"])) == (442, 10, 10)
        assert content["metrics"]["r2"] > 0.5

    def test_no_coefficients_in_json_from_65_columns_on(self, tmp_path):
        fastgd("generate", "linear", tmp_path / "wide.npy", "--rows", 80, "--features", 65)
        assert fastgd("run", tmp_path / "wide.npy", "--json", "--epochs", 2).json["coef"] is None

    def test_quiet_prints_only_the_result(self, houses):
        ran = fastgd("run", houses, "--target", "price", "--quiet", "--json")
        assert ran.err == ""
        assert ran.json["metrics"]["r2"] > 0.95

    def test_the_default_target_is_named(self):
        assert "'progression'" in fastgd("run", "diabetes").err

    def test_options_reach_the_fit(self, houses):
        words = ("--rule", "momentum:beta=0.5", "--schedule", "step:every=3,factor=0.1", "--penalty", "elasticnet")
        more = ("--alpha", 0.1, "--l1-ratio", 0.5, "--batch-size", 16, "--epochs", 7, "--learning-rate", 1e-6)
        content = fastgd("run", houses, "--target", "price", *words, *more, "--json", "--method", "minibatch").json
        assert content["rule"] == "momentum:beta=0.5"
        assert content["schedule"] == "step:every=3,factor=0.1"
        assert content["penalty"] == "elasticnet (l1 0.05, l2 0.05)"
        assert (content["batch_size"], content["epochs"], content["method"]) == (16, 7, "minibatch")

    def test_drop_leaves_a_column_out(self, houses):
        assert fastgd("run", houses, "--target", "price", "--drop", "rooms", "--json").json["n_features"] == 1

    def test_coefficients_are_those_of_the_library(self, houses):
        content = fastgd("run", houses, "--target", "price", "--method", "gd", "--json").json
        result = library.fit(library.open(houses, target="price"), method="gd")
        assert content["coef"] == result.coef.tolist()

    def test_a_first_compilation_is_announced(self, tmp_path):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        words = [sys.executable, "-m", "fastgd_cli", "run", "tutorial", "--method", "sgd", "--epochs", "2"]
        ran = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
        assert "compiling kernels" in ran.stderr
        assert "once on this machine" in ran.stdout
        again = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
        assert "compiling" not in again.stderr + again.stdout


class TestModels:
    def test_predict_finds_columns_by_name_in_any_order(self, houses, tmp_path):
        model, out = tmp_path / "m.fastgd", tmp_path / "p.csv"
        assert fastgd("run", houses, "--target", "price", "--save", model).code == 0
        shuffled = tmp_path / "shuffled.csv"
        shuffled.write_text("owner,rooms,size\n1,3,100\n2,1,50\n")
        assert fastgd("predict", model, shuffled, "-o", out).code == 0
        with out.open() as file:
            predictions = [float(row["prediction"]) for row in csv.DictReader(file)]
        expected = library.load(model).predict(np.array([[100.0, 3.0], [50.0, 1.0]]))
        assert predictions == pytest.approx(expected.tolist(), rel=1e-15)
        assert 100_000 < predictions[0] < 130_000

    def test_predict_writes_to_standard_output(self, labelled, tmp_path):
        model = tmp_path / "m.fastgd"
        fastgd("run", labelled, "--loss", "logistic", "--save", model)
        lines = fastgd("predict", model, labelled).out.splitlines()
        assert lines[0] == "prediction,probability_no,probability_yes"
        assert len(lines) == 201
        word, _, probability = next(csv.reader(lines[1:]))
        assert word == ("yes" if float(probability) > 0.5 else "no")

    def test_evaluate_matches_the_library(self, labelled, tmp_path):
        model = tmp_path / "m.fastgd"
        fastgd("run", labelled, "--loss", "logistic", "--save", model)
        metrics = fastgd("evaluate", model, labelled, "--json").json["metrics"]
        assert metrics["auc"] > 0.9
        assert metrics["accuracy"] > 0.8
        text = fastgd("evaluate", model, labelled).out
        assert f"{metrics['auc']:.6g}" in text

    @pytest.mark.parametrize("method", ["gd", "sgd", "minibatch"])
    def test_trains_on_a_table_without_a_header(self, method, tmp_path):
        path = tmp_path / "plain.tsv"
        rng = np.random.default_rng(2)
        X = rng.standard_normal((300, 3))
        y = (X @ [1.0, -2.0, 0.5] > 0).astype(int)
        np.savetxt(path, np.column_stack([y, X]), delimiter="\t", fmt="%.5f")
        model = tmp_path / "m.fastgd"
        words = ("--target", 0, "--loss", "logistic", "--method", method, "--save", model)
        assert fastgd("run", path, *words).code == 0
        assert fastgd("evaluate", model, path, "--json").json["metrics"]["auc"] > 0.95


class TestGenerate:
    @pytest.mark.parametrize(
        "suffix", [".csv", ".tsv", ".csv.gz", ".parquet", ".feather", ".arrow", ".npy", ".npz", ".svm.gz"]
    )
    @pytest.mark.parametrize("kind", ["linear", "logistic"])
    def test_run_trains_on_the_written_file(self, kind, suffix, tmp_path):
        path = tmp_path / f"made{suffix}"
        assert fastgd("generate", kind, path, "--rows", 50, "--features", 3).code == 0
        loss = "logistic" if kind == "logistic" else "squared"
        content = fastgd("run", path, "--loss", loss, "--epochs", 3, "--method", "gd", "--json").json
        assert (content["n_samples"], content["n_features"]) == (50, 3)

    def test_equal_seeds_give_equal_files(self, tmp_path):
        for name in ("a", "b"):
            fastgd("generate", "linear", tmp_path / f"{name}.csv", "--rows", 20, "--seed", 3)
        assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_info_has_versions_and_threads():
    content = fastgd("info", "--json").json
    assert content["fastgd"] == library.__version__
    assert content["threads"] >= 1
    assert {"numba", "numpy"} <= set(content["packages"])
    assert content["packages"]["numba"] in fastgd("info").out


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a POSIX signal")
def test_ctrl_c_stops_saves_the_model_and_says_so(tmp_path):
    model = tmp_path / "m.fastgd"
    words = ["run", "linear", "--method", "sgd", "--learning-rate", "1e-9", "--epochs", "1000000", "--save", str(model)]
    assert fastgd(*words[:-3], 1).code == 0  # compiled here, so that the process gets to work at once
    process = subprocess.Popen([sys.executable, "-m", "fastgd_cli", *words], stderr=subprocess.PIPE, text=True)
    trace_of_life = time.monotonic() + 60
    while time.monotonic() < trace_of_life and process.poll() is None:
        time.sleep(0.5)
        with open(f"/proc/{process.pid}/stat") as stat:  # wait until it has worked for some seconds
            fields = stat.read().rsplit(")", 1)[1].split()
        if (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") > 4:
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"kept in {model}" in err
    assert "Traceback" not in err
    assert np.isfinite(library.load(model).coef).all()


def test_a_closed_pipe_is_not_an_error(tmp_path):
    words = f"{sys.executable} -m fastgd_cli run tutorial --json | head -c 1"
    ran = subprocess.run(words, shell=True, capture_output=True, text=True, check=True)
    assert ran.stdout == "{"
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("module", ["fitting", "compile.term", "data.table", "model.result"])
def test_public_names_are_functions_after_their_modules_are_imported(module):
    check = f"import fastgd.{module}, fastgd; assert all(callable(f) for f in (fastgd.fit, fastgd.term, fastgd.open))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
