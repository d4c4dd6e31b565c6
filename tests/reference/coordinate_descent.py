"""The elastic net by cyclic coordinate descent in plain Python, a part of `reference`; least squares only."""

from reference.penalties import soft_threshold


def elastic_net(X, y, l1, l2, weight=None, offset=None, factors=None, intercept=True, sweeps=5000):
    """(w, b) that minimise sum s (x.w + b + o - y)^2 / 2 / sum s + sum t (l1 |w_j| + l2 w_j^2 / 2).

    Source: Friedman, Hastie and Tibshirani, Regularization paths for generalized linear models (2010), equation 5.
    """
    X, y = [[float(v) for v in row] for row in X], [float(v) for v in y]
    n, d = len(X), len(X[0])
    s = [1.0] * n if weight is None else [float(v) for v in weight]
    s = [v / sum(s) for v in s]
    t = [1.0] * d if factors is None else [float(v) for v in factors]
    w, b = [0.0] * d, 0.0
    r = [y[i] - (0.0 if offset is None else float(offset[i])) for i in range(n)]
    squares = [sum(s[i] * X[i][j] ** 2 for i in range(n)) for j in range(d)]
    for _ in range(sweeps):
        moved = 0.0
        for j in range(d):
            if squares[j] == 0.0:
                continue
            rho = sum(s[i] * X[i][j] * r[i] for i in range(n)) + squares[j] * w[j]
            new = soft_threshold(rho, l1 * t[j]) / (squares[j] + l2 * t[j])
            for i in range(n):
                r[i] -= X[i][j] * (new - w[j])
            moved, w[j] = max(moved, abs(new - w[j])), new
        if intercept:
            by = sum(s[i] * r[i] for i in range(n))
            b += by
            r = [v - by for v in r]
            moved = max(moved, abs(by))
        if moved < 1e-14:
            break
    return w, b
