"""How a message reaches people outside of the portal: by e-mail, or through the webhook of a group chat."""

from dashboard.delivery.message import KINDS, Destination, Kind, Message, NotDelivered
from dashboard.delivery.sending import deliver

__all__ = ["KINDS", "Destination", "Kind", "Message", "NotDelivered", "deliver"]
