"""The loop that drives every solver: trace, stopping, divergence, validation, progress."""
