"""From the columns of a table to the arrays that are fitted."""
