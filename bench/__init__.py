"""Benchmarks of fastgd, run by `fastgd bench`: one file per question, compared with memory bandwidth and peers."""

# The questions: each is a module with ``measure(scale) -> Table``. They run in this order, bandwidth first, since a
# process that has compiled and allocated much measures a lower bandwidth.
QUESTIONS = {
    "roofline": "memory bandwidth of this machine",
    "gradient": "batch gradient, compared with the bandwidth, NumPy and PyTorch",
    "threads": "batch gradient on all threads, compared with one",
    "sgd": "an epoch of SGD, compared with scikit-learn and Vowpal Wabbit",
    "sparse": "SGD and gradient on sparse rows, compared with scikit-learn and SciPy",
    "minibatch": "mini-batches of 32 rows, compared with PyTorch and NumPy",
    "command": "a complete `fastgd run` on a file, compared with a NumPy script",
    "startup": "seconds until a command has finished",
    "outputs": "several outputs or models at once, compared with NumPy and one by one",
    "own_loss": "a user-defined loss, compared with the same built-in loss",
    "time_to_accuracy": "seconds to the optimum, compared with all peers (30 minutes)",
    "accuracy": "seconds to a proved optimum on wide problems, compared with the fastest peer (5 minutes)",
    "ablation": "passes and seconds without each special case of the solvers (20 minutes)",
    "methods": "seconds to the optimum, method auto compared with the others (20 minutes)",
}
# The default questions: those with goals, and the roofline.
USUAL = ("roofline", "gradient", "threads", "sgd", "sparse", "minibatch", "command")
