"""Tables in: files, data frames, built-in and generated data."""
