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
def rank_bytes(
    images,
    out,
    is_signed: bool,
    k: int,
    form,
    planes,
    constant,
    scratch,
) -> None: ...
