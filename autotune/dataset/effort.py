"""How closely data are looked at: what bounds the time and the memory of a profile."""

from __future__ import annotations

from dataclasses import dataclass, replace

from autotune.errors import InputError

MAX_COLUMNS = 256
"""So many columns, counted with what is nested in them, have their values looked at."""

MAX_FOOTER_BYTES = 16 << 20
"""So many bytes of footers are read at most, except that 16 files always are looked into."""

MAX_VISITED_CHUNKS = 50_000
"""Statistics of so many column chunks (column × row group) are read, at about 4 µs each."""

MAX_DECODED_BYTES = 32 << 20
"""So much of the data is decoded at most, as footers count it and in memory."""

MAX_COUNTED_BYTES = 256 << 20
"""So much text, of all tables together, is read to its end to count its lines."""


@dataclass(frozen=True)
class Effort:
    """What one profile may spend; more of it makes estimates better and nothing else."""

    sample_rows: int = 100_000
    """Rows whose values are looked at."""
    max_files: int = 1000
    """Files that are looked into; all are listed."""
    columns: tuple[str, ...] = ()
    """The columns whose values are looked at; none named: the first ones."""
    counted_bytes: int = MAX_COUNTED_BYTES
    """Of text whose lines are counted."""

    def __post_init__(self) -> None:
        for name, least in (("sample_rows", 0), ("max_files", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")

    def share(self, files: int, all_files: int, *, sample: bool) -> Effort:
        """Return the part for a table of *files* among *all_files*, with or without a sample."""
        most = self.max_files
        if all_files > most:
            most = max(1, most * files // all_files)
        return replace(self, max_files=most, sample_rows=self.sample_rows if sample else 0)

    def files_of(self, footer_bytes: int) -> int:
        """Return how many files may be looked into whose footers have so many bytes."""
        return min(self.max_files, max(16, MAX_FOOTER_BYTES // max(footer_bytes, 1)))
