"""The summary of a network: a row for each layer."""

from html import escape

from convlib._layers import chain
from convlib._layers.layer import checked_shape, first_field

HEAD = ("layer", "output", "parameters", "multiply-adds", "sees")


def rows(layers, input_shape):
    """Return the rows of the table, and the totals."""
    input_shape = checked_shape(input_shape)
    found = [("input", _product(input_shape), "", "", "")]
    totals = _add_rows(found, layers, input_shape, first_field(input_shape), 0)
    return found, ("total", "", f"{totals[0]:,}", f"{totals[1]:,}", "")


def _add_rows(found, layers, input_shape, field, depth):
    """Add a row for each layer, those of blocks indented, and return the totals."""
    totals = [0, 0]
    for _, layer, shape in chain.steps(layers, input_shape):
        parameters = layer.n_parameters(shape)
        macs = layer._n_macs(shape)
        before, field = field, layer._field(field, shape)
        totals = [totals[0] + parameters, totals[1] + macs]
        found.append(("  " * depth + type(layer).__name__, _product(layer._output_shape(shape)),
                      f"{parameters:,}", f"{macs:,}", _product(field.size)))
        for name, part, part_shape in layer._parts(shape):
            found.append(("  " * (depth + 1) + name, "", "", "", ""))
            _add_rows(found, part, part_shape, before, depth + 2)
    return totals


def _product(numbers):
    return " x ".join(map(str, numbers))


def as_text(layers, input_shape):
    """Return the table as lines of text."""
    found, total = rows(layers, input_shape)
    table = [HEAD, *found, total]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) if column < 2 else cell.rjust(width)
                       for column, (cell, width) in enumerate(zip(row, widths))).rstrip()
             for row in table]
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def as_html(layers, input_shape):
    """Return the table for notebooks."""
    found, total = rows(layers, input_shape)

    def line(row, tag):
        name = row[0].replace("  ", "\N{EM SPACE}")
        cells = "".join(
            f'<{tag} style="text-align: {"left" if column < 2 else "right"}; padding: 0 0.6em">'
            f"{escape(cell)}</{tag}>" for column, cell in enumerate([name, *row[1:]]))
        return f"<tr>{cells}</tr>"

    body = "".join(line(row, "td") for row in [*found, total])
    return f"<table><thead>{line(HEAD, 'th')}</thead><tbody>{body}</tbody></table>"
