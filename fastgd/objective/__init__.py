"""F and its derivatives over the rows of a data set."""
