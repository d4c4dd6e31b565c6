"""Help texts with the options in sections, and with lists of what a word on the command line may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from .file_checks import FileChecking

# The parameters of each section; all others are listed under "Output".
SECTIONS = {
    "Data": ("target", "drop", "sample_weight", "class_weight", "offset", "test_size", "validation"),
    "Columns": (
        "missing", "categorical", "reference", "min_frequency", "hash_bits", "interactions", "dates", "unknown",
    ),
    "Text files": (
        "separator", "decimal", "thousands", "quote", "comment", "encoding", "header", "na_values",
    ),
    "Model": ("loss", "penalty", "alpha", "l1_ratio", "penalty_weights", "no_intercept"),
    "Search": ("span", "cells", "rounds", "keep"),
    "Descent": (
        "method", "methods", "rule", "rules", "learning_rate", "rates", "schedule", "batch_size", "scale", "clip_norm",
        "average", "shards", "on_divergence", "start", "shuffle", "no_shuffle", "seed", "n_threads",
    ),
    "Stopping": ("max_epochs", "epochs", "max_seconds", "tol", "gap_tol", "patience"),
    "Measurement": ("goal", "repeats"),
}  # fmt: skip


class SectionedCommand(FileChecking):
    """A command whose help has its options in `SECTIONS`, and ``lists`` of words with their meanings by title."""

    def __init__(self, *args: Any, lists: Mapping[str, Mapping[str, str]] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.lists = lists or {}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        section_of = {name: section for section, names in SECTIONS.items() for name in names}
        rows: dict[str, list[tuple[str, str]]] = {section: [] for section in (*SECTIONS, "Output")}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)) is not None:
                rows[section_of.get(parameter.name or "", "Output")].append(record)
        for title, entries in [*rows.items(), *((title, [*words.items()]) for title, words in self.lists.items())]:
            if entries:
                with formatter.section(title):
                    formatter.write_dl(entries)
