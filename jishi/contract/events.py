"""The envelope, one model per event type, and their JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictInt, WithJsonSchema, create_model, model_validator

from jishi.contract.fields import EventPart, Id, Instant, ShopId, Text
from jishi.contract.properties import PROPERTIES, WITHOUT_PERSON

SCHEMA_VERSION = 1
# A whole number and nothing that merely equals 1, such as true.
SchemaVersion = Annotated[
    StrictInt, Field(ge=SCHEMA_VERSION, le=SCHEMA_VERSION), WithJsonSchema({"const": 1, "type": "integer"})
]


class Context(EventPart):
    """Where the event came from, as the storefront knows it."""

    channel: Text | None = None
    campaign: Text | None = None
    referrer: Text | None = None
    device: Text | None = None
    city: Text | None = None


class Event(EventPart):
    """What every event carries.

    ``occurred_at`` is the storefront's clock; where the device also said ``sent_at``, the collector corrects it and keeps what
    was said in ``device_occurred_at`` (jishi.contract.clock). ``received_at`` is when the log knew the event; a live event gets
    it from the log whatever it says, history brings its own (or ``occurred_at`` stands for it). ``collected_at`` is the
    collector's clock. A person is ``user_id`` after login, else ``anonymous_id``.
    """

    event_id: Id
    shop_id: ShopId
    type: str
    occurred_at: Instant
    sent_at: Instant | None = None
    device_occurred_at: Instant | None = None
    collected_at: Instant | None = None
    received_at: Instant | None = None
    anonymous_id: Id | None = None
    user_id: Id | None = None
    session_id: Id | None = None
    schema_version: SchemaVersion = SCHEMA_VERSION
    context: Context = Context()
    properties: Any

    @property
    def person_id(self) -> str | None:
        """The person that the event is about: ``user_id``, else ``anonymous_id``."""
        return self.user_id or self.anonymous_id


class PersonalEvent(Event):
    """An event of a person: at least one of ``user_id`` and ``anonymous_id`` is there."""

    model_config = ConfigDict(
        json_schema_extra={"not": {"properties": {"user_id": {"type": "null"}, "anonymous_id": {"type": "null"}}}}
    )

    @model_validator(mode="after")
    def has_person(self) -> PersonalEvent:
        """Refuse an event of nobody."""
        if self.user_id is None and self.anonymous_id is None:
            raise ValueError("needs user_id or anonymous_id")
        return self


def _event_model(name: str, properties: type[EventPart]) -> type[Event]:
    class_name = "".join(word.capitalize() for word in name.split("_")) + "Event"
    base = Event if name in WITHOUT_PERSON else PersonalEvent
    fields: dict[str, Any] = {"type": (Literal[name], ...), "properties": (properties, ...)}
    return create_model(class_name, __base__=base, __doc__=properties.__doc__, **fields)


EVENT_TYPES: dict[str, type[Event]] = {name: _event_model(name, props) for name, props in PROPERTIES.items()}


def event_json_schema(event_type: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one event type. Raises KeyError for a type that the contract does not have."""
    schema = EVENT_TYPES[event_type].model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": event_type}
