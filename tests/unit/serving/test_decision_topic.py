"""The decision log on its way to Kafka: no line stops those of the other shops."""

from __future__ import annotations

from dataclasses import dataclass

from jishi import topics
from jishi.kafka import KafkaCluster
from serving.decision_topic import DecisionTopic


@dataclass
class Line:
    """A record of so many bytes."""

    size: int
    key: bytes = b"a|1"

    def line(self) -> bytes:
        return b"x" * self.size


def test_a_line_that_is_larger_than_a_record_may_be_is_lost_alone() -> None:
    """Rules of long names that all touch a page of a thousand items make one."""
    topic = DecisionTopic(KafkaCluster("127.0.0.1:1"))
    topic.send([Line(topics.MAX_RECORD_BYTES + 1), Line(3)])
    assert topic.lost == 1
    assert topic.problem is not None
    assert "too large" in topic.problem
