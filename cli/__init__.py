"""The command line: each command parses, calls fastgd's public names, and prints."""
