"""Read tables from files and data frames, write tables to files, and check X and y for the kernels.

``readers`` and ``writers`` convert between files and a `Table`; ``encoding`` chooses the columns of a table and makes
arrays of them. None of the three imports numba. The modules beside them check what `fit` is given: X
(`feature_matrix`), y (`target`), weights and offsets (`sample_weights`) and the validation set (`validation_set`).
"""

from __future__ import annotations

from collections.abc import Mapping

# The built-in data sets and what they are, here so that listing them imports neither NumPy nor pyarrow.
BUILTINS: Mapping[str, str] = {
    "linear": "1,000,000 x 20 standard normal, a linear target with noise",
    "logistic": "500,000 x 20 standard normal, labels 0 and 1 from a logistic model",
    "tutorial": "the lesson's three points: x = 1, 2, 3 and y = 2 x",
    "saddle": "7 rows x 2, whose loss has a saddle point between its minima at (0, 1) and (0, -1)",
    "valleys": "4 rows x 2, whose loss has a wide valley and a narrower one that is deeper",
    "diabetes": "442 patients x 10 measurements, the progression of their disease (Efron et al. 2004)",
}
