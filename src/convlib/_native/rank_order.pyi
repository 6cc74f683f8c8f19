def rank_order(
    images,
    out,
    pixel_type: int,
    k: int,
    form,
    planes,
    constant,
    taps,
    leaving,
    entering,
    n_values: int,
    scratch,
) -> None: ...
