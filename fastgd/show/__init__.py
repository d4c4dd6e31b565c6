"""Plots, HTML reports, and smoothing of curves."""
