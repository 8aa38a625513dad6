"""Event contract v1: what a storefront may say, and what the platform makes of it."""

from jishi.contract.events import EVENT_TYPES, Event, event_json_schema
from jishi.contract.record import Record, known_since_ms, record_of
from jishi.contract.validation import Refusal, check_event

__all__ = ["EVENT_TYPES", "Event", "Record", "Refusal", "check_event", "event_json_schema", "known_since_ms", "record_of"]
