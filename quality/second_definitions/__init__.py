"""Find a number that is defined twice: SQL, boards, notebooks and Python that compute what the metric layer already defines."""

from quality.second_definitions.findings import EXCEPTIONS, SecondDefinition, find_in, same_metrics
from quality.second_definitions.vocabulary import Vocabulary

__all__ = ["EXCEPTIONS", "SecondDefinition", "Vocabulary", "find_in", "same_metrics"]
