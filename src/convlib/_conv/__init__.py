"""Ways to compute a convolution, one a file; `convlib._algorithms` lists them.

Each file has `refuse`, `work`, `grid`, `layout`, `prepare` and `run`, as
`convlib._algorithms.Algorithm` describes them, and calls the kernel of the same name in `_native`.
"""
