"""HTML reports of runs: one self-contained page with plotly charts."""

from .page import check_report, write_report
from .report_model import Report

__all__ = ["Report", "check_report", "write_report"]
