"""Data sets: how rows of files, frames and memory become examples."""

from dspex.core.data.dataset import (
    Dataset,
    DuplicateRowWarning,
    Source,
    Split,
    load,
)

__all__ = ["Dataset", "DuplicateRowWarning", "Source", "Split", "load"]
