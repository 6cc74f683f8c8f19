"""Classic filters, one family a file. Private: `convlib.filters` has the public names.

_image          what users pass in, as the one array that every engine gets, and the way back
_linear         weighted sums of neighbours: passes along the axes, or `conv`
linear          correlate, convolve
rank            median, maximum, minimum, percentile; _networks the networks that select them
smoothing       mean, gaussian, and what is made of them
"""
