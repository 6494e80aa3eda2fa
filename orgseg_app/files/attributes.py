"""Small facts beside HDF5 groups and datasets: text and numbers.

Text is stored as fixed-length UTF-8. HDF5's variable-length text lies in a heap without checksums
(a damaged one can send HDF5 into an endless loop), so it is neither written nor read.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

MAX_BYTES = 16 * 2**20

_READABLE = (h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID, h5py.h5t.TypeEnumID)


def plain(text: str) -> str:
    """Text that HDF5 can hold: no zero characters, no half characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def write_text(item: Any, key: str, text: str) -> None:
    """Set a text attribute of a file, group or dataset."""
    data = plain(text).encode()
    item.attrs.create(key, np.bytes_(data), dtype=h5py.string_dtype("utf-8", max(1, len(data))))


def read_text(item: Any, key: str) -> str | None:
    """A text attribute, or None where there is none."""
    value = read_value(item, key)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None


def read_number(item: Any, key: str) -> float | None:
    """A single number, or None where there is none."""
    value = read_value(item, key)
    if isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)):
        return float(value)
    return None


def read_value(item: Any, key: str) -> Any:
    """An attribute's value, bytes for text; None when it is absent or not of our kinds."""
    if key not in item.attrs:
        return None
    attribute = item.attrs.get_id(key)
    if attribute.get_storage_size() > MAX_BYTES:
        return None
    kind = attribute.get_type()
    if isinstance(kind, h5py.h5t.TypeStringID):
        return None if kind.is_variable_str() else item.attrs[key]
    return item.attrs[key] if isinstance(kind, _READABLE) else None


def copy_attributes(source: Any, target: Any) -> None:
    """Copy all text and numbers from one file, group or dataset to another."""
    for key in source.attrs:
        value = read_value(source, key)
        if isinstance(value, bytes):
            write_text(target, key, value.decode("utf-8", "replace"))
        elif value is not None:
            target.attrs[key] = value
