"""A report of runs: one HTML page that needs nothing but itself, with charts by plotly."""

from .model import Report
from .page import check_report, write_report

__all__ = ["Report", "check_report", "write_report"]
