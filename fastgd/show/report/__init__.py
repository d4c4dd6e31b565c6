"""A report of runs: one HTML page that needs nothing but itself, with charts by plotly."""

from .page import check_report, write_report
from .report_model import Report

__all__ = ["Report", "check_report", "write_report"]
