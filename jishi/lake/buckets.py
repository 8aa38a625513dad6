"""Which shops share the files of a bucket (``jishi.tables.schema.BY_SHOP``)."""

from __future__ import annotations

from collections.abc import Iterable

from jishi.tables.schema import BUCKETS


def by_bucket(shop_ids: Iterable[str]) -> list[str]:
    """The ids so that those of one bucket follow each other.

    Groups of neighbours then have few buckets each: a job of a group neither reads nor writes anew the files of all other
    shops, which would cost more with each group that there is.
    """
    from pyiceberg.transforms import BucketTransform  # takes half a second
    from pyiceberg.types import StringType

    bucket = BucketTransform(BUCKETS).transform(StringType())
    return sorted(shop_ids, key=lambda shop_id: (bucket(shop_id), shop_id))
