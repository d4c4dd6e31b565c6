"""Pictures, reports, and smoothed curves."""
