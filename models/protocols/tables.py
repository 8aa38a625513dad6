"""Read a Parquet table of unknown origin; an error names file, column and fix in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


class BadTable(ValueError):
    """A file cannot be used; the message names the file, the column and what to do."""


def read_table(file: Path, required: Sequence[str], optional: Sequence[str] = ()) -> pa.Table:
    """The named columns of a Parquet file with at least one row. Raises BadTable."""
    if not file.exists():
        raise BadTable(f"{file} does not exist")
    try:
        parquet = pq.ParquetFile(file)
        present = parquet.schema_arrow.names
        missing = [name for name in required if name not in present]
        if missing:
            there = ", ".join(present) or "none"
            raise BadTable(f"{file} has no column {missing[0]!r} (it has {there}); rename or add the column")
        table = parquet.read([*required, *(name for name in optional if name in present)])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise BadTable(f"{file} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    if table.num_rows == 0:
        raise BadTable(f"{file} has no rows; give a file with at least one")
    for name in required:
        empty = table.column(name).null_count
        if empty:
            raise BadTable(f"{file}: column {name!r} is empty in {empty} of {table.num_rows} rows; fill or drop those rows")
    return table


def ids(table: pa.Table, column: str, file: Path) -> pa.Array:
    """A column of ids as text or 64-bit integers (whole floats count as integers). Raises BadTable for any other type."""
    return plain_ids(one_array(table, column), column, file)


def one_array(table: pa.Table, column: str) -> pa.Array:
    """A column in one piece."""
    chunked = table.column(column).combine_chunks()
    return pa.concat_arrays(chunked.chunks) if isinstance(chunked, pa.ChunkedArray) else chunked


def text(table: pa.Table, column: str, file: Path) -> pa.Array:
    """A column as text, empty text where there is nothing. Raises BadTable for lists and the like."""
    values = one_array(table, column)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    try:
        return pc.fill_null(values.cast(pa.large_string()), "")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise BadTable(f"{file}: column {column!r} is of type {values.type}; it must hold text or numbers") from error


def plain_ids(values: pa.Array, column: str, file: Path) -> pa.Array:
    """Ids as ``string`` or ``int64``; integers beyond 64 signed bits and decimals become text. Raises BadTable."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return values.cast(pa.large_string())
    try:
        if pa.types.is_floating(kind):
            return values.cast(pa.int64(), safe=True)
        if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
            fits = pa.types.is_integer(kind) and (kind != pa.uint64() or _fits_signed(values))
            return values.cast(pa.int64()) if fits else values.cast(pa.large_string())
    except pa.ArrowInvalid as error:
        raise BadTable(f"{file}: column {column!r} holds fractions; ids must be text or whole numbers") from error
    raise BadTable(f"{file}: column {column!r} is of type {kind}; ids must be text or whole numbers")


def _fits_signed(values: pa.Array) -> bool:
    most = pc.max(values).as_py()
    return most is None or most < 2**63


def same_kind(train: pa.Array, test: pa.Array, column: str, files: tuple[Path, Path]) -> tuple[pa.Array, pa.Array]:
    """Both columns as one type. Raises BadTable when one holds text that the other's numbers could never equal."""
    if train.type == test.type:
        return train, test
    as_text = train.cast(pa.large_string()), test.cast(pa.large_string())
    text = train if pa.types.is_large_string(train.type) else test
    numeric = pc.all(pc.match_substring_regex(text, r"^-?[0-9]+$")).as_py() if len(text) else True
    if not numeric:
        raise BadTable(
            f"column {column!r} is text in one of {files[0]} and {files[1]} and numbers in the other; make them alike"
        )
    return as_text


def as_kind(values: pa.Array, known: pa.Array, column: str, file: Path) -> pa.Array:
    """Ids as the type of ``known``. Raises BadTable when text cannot be one of its numbers."""
    if values.type == known.type or pa.types.is_large_string(known.type):
        return values.cast(known.type)
    try:
        return values.cast(known.type)
    except pa.ArrowInvalid as error:
        raise BadTable(f"{file}: column {column!r} is text where the training ids are numbers; make them alike") from error


def lists(table: pa.Table, column: str, file: Path) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """A column of lists of ids, as all ids in a row and the start of each list, and the end of the last. Raises BadTable."""
    values = one_array(table, column)
    kind = values.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        raise BadTable(f"{file}: column {column!r} is of type {kind}; each row must be a list of ids")
    flat = values.flatten()
    if flat.null_count:
        raise BadTable(f"{file}: a list of column {column!r} has an empty place; fill or drop those items")
    lengths = pc.list_value_length(values).to_numpy(zero_copy_only=False)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if pa.types.is_null(flat.type):  # nothing but empty lists
        return pa.array([], pa.int64()), starts
    return plain_ids(flat, column, file), starts


def number(train: pa.Array, test: pa.Array) -> tuple[pa.Array, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Sorted distinct ids of ``train``, the number of each training row, and of each test row (−1 if unknown)."""
    known = pc.unique(train)
    known = known.take(pc.array_sort_indices(known))
    return known, numbers_of(train, known), numbers_of(test, known)


def numbers_of(values: pa.Array, known: pa.Array) -> npt.NDArray[np.int64]:
    """Place of each value in ``known``, −1 where it is not there."""
    codes = pc.fill_null(pc.index_in(values, value_set=known), -1)
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)


def numbers(table: pa.Table, column: str, file: Path, *, least: float | None = None) -> npt.NDArray[np.float64]:
    """A column of finite numbers, not below ``least``. Raises BadTable telling how many rows are not."""
    values = one_array(table, column)
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_decimal(values.type)):
        raise BadTable(f"{file}: column {column!r} is of type {values.type}; it must hold numbers")
    parsed = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    odd = int((~np.isfinite(parsed)).sum())
    if odd:
        raise BadTable(
            f"{file}: column {column!r} is empty, NaN or infinite in {odd} of {len(parsed)} rows; fill or drop those rows"
        )
    low = int((parsed < least).sum()) if least is not None else 0
    if low:
        raise BadTable(f"{file}: column {column!r} is below {least:g} in {low} of {len(parsed)} rows; drop or raise those rows")
    return np.asarray(parsed, dtype=np.float64)


def instants(table: pa.Table, column: str, file: Path) -> npt.NDArray[np.float64]:
    """A column of times as numbers that grow with time; timestamps, dates and plain numbers (any unit) are all fine."""
    values = one_array(table, column)
    kind = values.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        if values.null_count:
            raise BadTable(
                f"{file}: column {column!r} is empty in {values.null_count} of {len(values)} rows; fill or drop them"
            )
        return (
            np.asarray(
                values.cast(pa.timestamp("us"), safe=False).cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.float64
            )
            / 1e6
        )
    return numbers(table, column, file)
