"""What planning needs to know of data: counts after rendering, which the prepared header has."""

from __future__ import annotations

import msgspec

from engine.spec.prepared import Layout, PreparedHeader
from engine.spec.runspec import DataRef


class DataFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A prepared dataset in numbers. `rows` to `longest` are of the training side; `prepared_length` is the length that
    it was cut to, and `prepared` the hash that names its folder.

    `layout` tells what rows are to each other: of `pairs`, two make one example. `good_share` is the share of answers
    to learn among `rated` ones. `assumed` says that no data was named, and the numbers are a stand-in.
    """

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
    layout: Layout = "rows"
    good_share: float = 0.5
    assumed: bool = False

    @property
    def examples(self) -> int:
        """What a batch counts: pairs, or rows."""
        return self.rows // 2 if self.layout == "pairs" else self.rows

    @property
    def validation_examples(self) -> int:
        """The same of the held-out side."""
        return self.validation_rows // 2 if self.layout == "pairs" else self.validation_rows

    @classmethod
    def from_header(cls, header: PreparedHeader, name: str, good_share: float = 0.5) -> DataFacts:
        """The facts in a prepared header; `name` is the dataset's, `good_share` that of its rated answers."""
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
            layout=header.layout,
            good_share=good_share,
        )

    @classmethod
    def stand_in(cls, length: int, rows: int = 1000, layout: Layout = "rows") -> DataFacts:
        """Facts for planning without data: so many rows, all of this length, every token learned from."""
        return cls(
            dataset="",
            name="no data named",
            hash="",
            prepared="",
            prepared_length=length,
            rows=rows,
            tokens=rows * length,
            trained_tokens=rows * length,
            longest=length,
            truncated=0,
            dropped=0,
            validation_rows=rows // 10,
            validation_tokens=rows // 10 * length,
            layout=layout,
            assumed=True,
        )

    def cut_to(self, length: int) -> DataFacts:
        """About the same data with texts of at most so many tokens: the totals shrink no more than they must."""
        if length >= self.longest:
            return self
        tokens = min(self.tokens, self.rows * length)
        share = tokens / max(1, self.tokens)
        return msgspec.structs.replace(
            self,
            tokens=tokens,
            trained_tokens=round(self.trained_tokens * share),
            longest=length,
            validation_tokens=round(self.validation_tokens * share),
        )

    def ref(self, prepared_path: str) -> DataRef:
        """How a run names it; `prepared_path` is the folder."""
        return DataRef(prepared=prepared_path, dataset=self.dataset, name=self.name, hash=self.hash)
