"""By what the acts of a shop came: the channel and device of each one's event, and the place of the person.

A request says the same of itself (``serving.request.VisitContext``), so a ranker may learn from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.data.sequences import Mask, Numbers

CONTEXT = ("channel", "device", "place")
UNKNOWN = -1
# The place is the region of delivery where the shop's orders have one, as a request's ``region`` is; else the city.
CONTEXT_OF_ACTS = """
    select a.*, e.channel, e.device,
        case when (select count(delivery_region) from silver_orders where shop_id = $shop) > 0
            then o.delivery_region else e.city end as place
    from ({acts}) as a
    left join (select event_id, channel, device, city from silver_events where shop_id = $shop) as e on a.event_id = e.event_id
    left join (
        select event_id, any_value(delivery_region) as delivery_region from silver_orders where shop_id = $shop group by 1
    ) as o on a.event_id = o.event_id
"""


def plain_text(text: str | None) -> str | None:
    """A channel, device or place as it is compared; None for nothing."""
    return None if text is None else " ".join(text.split()).casefold() or None


@dataclass(frozen=True)
class ActContexts:
    """``values`` are plain texts; ``numbers`` (acts, ``CONTEXT``) point into them, −1 for what is not known."""

    values: tuple[str, ...]
    numbers: npt.NDArray[np.int32]

    @classmethod
    def of(cls, columns: Sequence[pa.ChunkedArray]) -> Self:
        """From the texts of all acts, one column for each of ``CONTEXT``."""
        number_of: dict[str, int] = {}
        numbers = []
        for column in columns:
            encoded = column.combine_chunks().dictionary_encode()
            texts = [plain_text(text) for text in encoded.dictionary.to_pylist()]
            known = [UNKNOWN if text is None else number_of.setdefault(text, len(number_of)) for text in texts]
            codes = encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
            numbers.append(np.array([*known, UNKNOWN], dtype=np.int32)[codes])
        return cls(tuple(number_of), np.column_stack(numbers))

    def where(self, kept: Mask | Numbers) -> ActContexts:
        """Those of some acts."""
        return ActContexts(self.values, self.numbers[kept])
