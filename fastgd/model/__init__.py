"""What a fit gives back: the fitted model, its file, and metrics of its predictions."""
