"""Graph convolutions as their papers write them: dense float64 matrices and plain loops."""

import numpy as np


def dense(adjacency):
    """Return the matrix of a sparse adjacency in float64; duplicates are summed."""
    coordinates = adjacency.tocoo()
    matrix = np.zeros(adjacency.shape)
    for row, column, weight in zip(coordinates.row, coordinates.col, coordinates.data,
                                   strict=True):
        matrix[row, column] += weight
    return matrix


def normalized(matrix, normalization="symmetric", self_loops="fill", direction="rows",
               signed=False):
    """Return the matrix that features are multiplied with."""
    size = len(matrix)
    matrix = matrix.copy()
    if direction == "columns":
        matrix = matrix.T.copy()
    elif direction == "both":
        count = (matrix != 0).astype(int) + (matrix.T != 0)
        matrix = np.divide(matrix + matrix.T, count, where=count > 0, out=np.zeros_like(matrix))
    for i in range(size):
        if self_loops == "add" or (self_loops == "fill" and matrix[i, i] == 0):
            matrix[i, i] += 1
        elif self_loops == "remove":
            matrix[i, i] = 0
    measured = abs(matrix) if signed else matrix
    rows, columns = measured.sum(axis=1), measured.sum(axis=0)
    result = np.zeros_like(matrix)
    for i in range(size):
        for j in range(size):
            divisor = {"symmetric": np.sqrt(rows[i]) * np.sqrt(rows[j]), "row": rows[i],
                       "column": columns[j], "none": 1}[normalization]
            if divisor != 0:
                result[i, j] = matrix[i, j] / divisor
    return result


def extremes(matrix, features, function):
    """Return the maxima or minima of neighbours, zeros where there are none."""
    result = np.zeros(features.shape)
    for i in range(len(matrix)):
        neighbours = np.flatnonzero(matrix[i])
        if len(neighbours):
            result[i] = function(features[neighbours].astype(np.float64), axis=0)
    return result


def attention(matrix, features, weight, sources, targets, slope=0.2, loops=True):
    """Return the outputs of the heads, side by side."""
    heads, n_outputs = sources.shape
    hidden = features.astype(np.float64) @ weight
    edges = matrix != 0
    if loops:
        np.fill_diagonal(edges, True)
    result = np.zeros((len(matrix), heads * n_outputs))
    for i in range(len(matrix)):
        neighbours = np.flatnonzero(edges[i])
        if len(neighbours) == 0:
            continue
        for head in range(heads):
            part = slice(head * n_outputs, (head + 1) * n_outputs)
            scores = hidden[neighbours, part] @ sources[head] + hidden[i, part] @ targets[head]
            scores = np.where(scores < 0, slope * scores, scores)
            shares = np.exp(scores - scores.max())
            result[i, part] = shares / shares.sum() @ hidden[neighbours, part]
    return result
