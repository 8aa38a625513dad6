"""Why a person is who it is in silver: the links behind it, the events that made them, and the acts that came with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jishi.identity import DEVICE, USER, LinkReason, plain_id
from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion


class PersonNotFound(LookupError):
    """Silver has no such person in the shop; the message says what was looked for."""


@dataclass(frozen=True)
class LinkEvidence:
    """One link of ``silver/identity``. ``events`` is how many carried both ids; ``acts_joined`` how many acts of the device
    without a user id are the user's because of it and the device's other links.
    """

    anonymous_id: str
    user_id: str
    reason: str
    valid_from: datetime
    valid_to: datetime
    known_at: datetime
    first_event_id: str
    events: int
    acts_joined: int

    @property
    def is_joined(self) -> bool:
        """Whether the link joins the device to the user, or is capped."""
        return self.reason == LinkReason.LOGIN.value


@dataclass(frozen=True)
class PersonEvidence:
    """A person of silver: its events by what they named (``user`` or ``device``), and the links of its user or device."""

    shop_id: str
    person_id: str
    events_with_user_id: int
    events_of_devices: int
    links: list[LinkEvidence]


_LINKS = """
with joined as (
    select anonymous_id, person_id, count(*) as acts from silver_events
    where shop_id = $shop and user_id is null and anonymous_id is not null group by all
)
select
    i.anonymous_id, i.user_id, i.reason, i.valid_from, i.valid_to, i.known_at, i.first_event_id, i.events, coalesce(j.acts, 0)
from silver_identity as i
left join joined as j on j.anonymous_id = i.anonymous_id and j.person_id = concat($user_prefix, i.user_id)
where i.shop_id = $shop and (($is_user and i.user_id = $id) or (not $is_user and i.anonymous_id = $id))
order by i.known_at, i.anonymous_id, i.user_id
"""
_EVENTS = """
select count(*) filter (user_id is not null), count(*) filter (user_id is null) from silver_events
where shop_id = $shop and person_id = $person
"""


def person_evidence(lake: LakeVersion, shop_id: str, person: str) -> PersonEvidence:
    """What made ``person`` (a person id; a plain id is taken for a user's) in a shop. Raises PersonNotFound."""
    person_id = person if person.startswith((USER, DEVICE)) else USER + person
    facts = {"shop": shop_id, "id": plain_id(person_id), "is_user": person_id.startswith(USER), "user_prefix": USER}
    with open_lake(lake) as connection:
        links = [LinkEvidence(*row) for row in connection.execute(_LINKS, facts).fetchall()]
        counts = connection.execute(_EVENTS, {"shop": shop_id, "person": person_id}).fetchone()
    with_user_id, of_devices = counts or (0, 0)
    if not links and not with_user_id + of_devices:
        raise PersonNotFound(
            f"silver of shop {shop_id!r} has no person {person_id!r}; a user is {USER}USER_ID, a device {DEVICE}ANONYMOUS_ID"
        )
    return PersonEvidence(shop_id, person_id, with_user_id, of_devices, links)
