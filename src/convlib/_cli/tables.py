"""Tables of features, written some rows at a time: parquet, csv and npz."""

import zipfile

import numpy as np


def needed(path):
    """Check that a table of that name can be written; return the function that does it."""
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise ValueError(f"a table must end in one of {', '.join(WRITERS)}; got {path.name!r}")
    if suffix != ".npz":
        packages()
    return WRITERS[suffix]


def write_table(path, names, chunks, n_rows, has_labels):
    """Write a table with the columns file, label if there are some, and features.

    `chunks` yields pictures and their rows. Broken off half-way, nothing is left under that name.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        needed(path)(part, names, chunks, n_rows, has_labels)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def packages():
    """Return pandas, pyarrow and its parquet."""
    try:
        import pandas
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ImportError(
            f"tables in parquet and csv need {error.name}: pip install 'convlib[tables]'; .npz "
            "needs nothing") from error
    return pandas, pyarrow, parquet


def _described(pictures, has_labels):
    """Return the columns beside the features."""
    columns = {"file": [picture.name for picture in pictures]}
    return columns | {"label": [p.label for p in pictures]} if has_labels else columns


def _write_parquet(path, names, chunks, n_rows, has_labels):
    _, arrow, parquet = packages()
    writer = None
    try:
        for pictures, rows in chunks:
            columns = _described(pictures, has_labels) | dict(zip(names, np.asarray(rows.T)))
            table = arrow.table(columns)
            writer = writer or parquet.ParquetWriter(path, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _write_csv(path, names, chunks, n_rows, has_labels):
    pandas, _, _ = packages()
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, (pictures, rows) in enumerate(chunks):
            frame = pandas.concat([pandas.DataFrame(_described(pictures, has_labels)),
                                   pandas.DataFrame(rows, columns=names)], axis=1)
            frame.to_csv(file, index=False, header=number == 0)


def _write_npz(path, names, chunks, n_rows, has_labels):
    """Write arrays as numpy.savez does, but the features some rows at a time."""
    described = {}
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        with archive.open("features.npy", "w", force_zip64=True) as file:
            for number, (pictures, rows) in enumerate(chunks):
                if number == 0:
                    np.lib.format.write_array_header_2_0(file, {
                        "descr": rows.dtype.str, "fortran_order": False,
                        "shape": (n_rows, rows.shape[1])})
                file.write(np.ascontiguousarray(rows).data)
                for name, values in _described(pictures, has_labels).items():
                    described.setdefault(name + "s", []).extend(values)
        for name, values in {**described, "feature_names": list(names)}.items():
            with archive.open(name + ".npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.array(values, str), allow_pickle=False)


WRITERS = {".parquet": _write_parquet, ".csv": _write_csv, ".npz": _write_npz}
