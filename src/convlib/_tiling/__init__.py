"""Work on large images, tile by tile.

`windows` tells what outputs look at, along one axis and through several steps. `operators` and
`filters` tell it of each function, and on which grid its arithmetic repeats.
"""
