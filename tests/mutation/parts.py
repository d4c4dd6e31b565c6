"""Which sources are mutated, and which tests run against each: those that are quick as plain Python.

The tests of a part are groups, each a command line of pytest: a mutant that survives one group meets the next.
"""

# Takes most of the time of its folder and says nothing about plain Python, which has one thread.
THREADS = "--deselect=tests/certificate/test_certificate.py::test_gap_has_the_same_bits_on_any_number_of_threads"
# These ask for compiled code.
COMPILATIONS = "--deselect=tests/training/test_stopping.py::test_reporters_get_compilations"
COMPILED = "--deselect=tests/terms/test_penalties.py::test_compiled_methods_allocate_nothing_but_group_sums"
# Fits 150,000 rows.
MANY_ROWS = "-k not among_many_rows"

Tests = tuple[tuple[str, ...], ...]

STOPPING = (
    "tests/training/test_stopping.py",
    "tests/training/test_early_stopping.py",
    "tests/training/test_on_divergence.py",
    COMPILATIONS,
)

PARTS: tuple[tuple[tuple[str, ...], Tests], ...] = (
    (
        ("fastgd/certificate/*.py",),
        (("tests/certificate/test_remaining_gain.py",), ("tests/certificate", THREADS)),
    ),
    (
        (
            "fastgd/training/stop_rules.py",
            "fastgd/training/convergence.py",
            "fastgd/training/early_stopping.py",
            "fastgd/training/divergence*.py",
        ),
        (
            ("tests/training/test_stop_rules.py",),
            STOPPING,
            ("tests/training/test_divergence.py", "-k", "texts or columns or single_column"),
        ),
    ),
    (
        ("fastgd/data/feature_matrix.py",),
        (("tests/data/test_feature_matrix.py",), ("tests/data/test_sparse.py",)),
    ),
    (("fastgd/data/sparse_checks.py",), (("tests/data/test_sparse_checks.py",),)),
    (("fastgd/data/masked_arrays.py",), (("tests/data/test_masked_arrays.py",),)),
    (("fastgd/data/magnitudes.py",), (("tests/data/test_magnitudes.py", MANY_ROWS),)),
    (
        ("fastgd/data/sample_weights.py", "fastgd/data/target.py"),
        (
            ("tests/test_fit_inputs.py", "tests/data/test_target.py"),
            (
                "tests/model/test_label_types.py",
                "-m",
                "plain_python",
            ),
        ),
    ),
    (("fastgd/data/validation_set.py",), (("tests/data/test_validation_set.py",),)),
    (("fastgd/model/model_checks.py",), (("tests/model/test_model_checks.py",), ("tests/model/test_model_files.py",))),
    (
        ("fastgd/terms/losses/*.py",),
        (
            (
                "tests/terms/test_loss_traits.py",
                "tests/terms/test_losses_in_many_digits.py",
                "tests/terms/test_protocols.py",
                "tests/terms/test_losses.py",
                "tests/terms/test_loss_properties.py",
                "tests/terms/test_user_loss.py",
            ),
            ("tests/terms/test_losses_against_sklearn.py", "tests/objective/test_evaluation.py"),
        ),
    ),
    (
        ("fastgd/terms/penalties/*.py",),
        (
            (
                "tests/terms/test_penalties.py",
                "tests/terms/test_penalty_conjugates.py",
                "tests/terms/test_penalty_names.py",
                COMPILED,
            ),
        ),
    ),
    (("fastgd/terms/update_rules.py", "fastgd/terms/rule_protocol.py"), (("tests/terms/test_update_rules.py",),)),
    (
        ("fastgd/terms/rate_schedules.py", "fastgd/terms/schedule_protocol.py"),
        (("tests/terms/test_rate_schedules.py",),),
    ),
)
