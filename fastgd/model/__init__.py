"""Results of fits: the fitted model and its file format, metrics of its predictions, landscapes."""
