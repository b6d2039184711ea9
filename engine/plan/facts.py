"""What planning needs to know of data: counts after rendering, which the prepared header has."""

from __future__ import annotations

import msgspec

from engine.spec.prepared import PreparedHeader
from engine.spec.runspec import DataRef


class DataFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A prepared dataset in numbers. `rows` to `longest` are of the training side; `prepared_length` is the length that
    it was cut to, and `prepared` the hash that names its folder."""

    dataset: str
    name: str
    hash: str
    prepared: str
    prepared_length: int
    rows: int
    tokens: int
    trained_tokens: int
    longest: int
    truncated: int
    dropped: int
    validation_rows: int
    validation_tokens: int

    @classmethod
    def from_header(cls, header: PreparedHeader, name: str) -> DataFacts:
        """The facts in a prepared header; `name` is the dataset's."""
        train, held = header.splits["train"], header.splits["validation"]
        return cls(
            dataset=header.dataset,
            name=name,
            hash=header.dataset_hash,
            prepared=header.hash,
            prepared_length=header.max_length,
            rows=train.rows,
            tokens=train.tokens,
            trained_tokens=train.trained_tokens,
            longest=train.longest,
            truncated=train.truncated + held.truncated,
            dropped=train.dropped + held.dropped,
            validation_rows=held.rows,
            validation_tokens=held.tokens,
        )

    def ref(self, prepared_path: str) -> DataRef:
        """How a run names it; `prepared_path` is the folder."""
        return DataRef(prepared=prepared_path, dataset=self.dataset, name=self.name, hash=self.hash)
