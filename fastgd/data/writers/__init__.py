"""Writers of tables and columns to files, which replace a file completely or not at all."""
