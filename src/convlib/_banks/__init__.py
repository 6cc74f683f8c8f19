"""The families of filter banks; banks.py lists what is public.

Each takes the textbook kernels of _taps.py, and the checks and taps of _filters, and makes arrays
of them (_arrays.py). table.py has the names that estimators know.
"""
