"""How fast fastgd is, beside the memory bus and beside its peers: a file for each question, asked by `fastgd bench`."""

# Each is a module with ``measure(scale) -> Table``. In the order in which they are asked: bandwidth first, since a
# process that has compiled and allocated much measures less of it.
QUESTIONS = {
    "roofline": "how fast this machine reads memory",
    "gradient": "the batch gradient, beside that and beside NumPy and PyTorch",
    "threads": "the batch gradient on all threads, beside one",
    "sgd": "an epoch of SGD, beside scikit-learn and Vowpal Wabbit",
    "sparse": "SGD and gradient on sparse rows, beside scikit-learn and SciPy",
    "minibatch": "mini-batches of 32 rows, beside PyTorch and NumPy",
    "command": "a whole `fastgd run` on a file, beside a NumPy script",
    "startup": "seconds until a command is done",
    "outputs": "several outputs or models at once, beside NumPy and beside one",
    "own_loss": "a loss of one's own, beside the same one built in",
    "time_to_accuracy": "seconds to an optimum, beside every peer (half an hour)",
    "methods": "seconds to an optimum, method auto beside each of the others (20 minutes)",
}
# Asked unless others are named: those of the table of goals.
USUAL = ("roofline", "gradient", "threads", "sgd", "sparse", "minibatch", "command")
