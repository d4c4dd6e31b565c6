"""Readers, which make a `Table` of a file, a data frame, built-in or generated data."""
