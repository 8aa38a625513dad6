"""The rules of a shop that are in use, with what of them is the same for every request."""

from __future__ import annotations

from dataclasses import dataclass, field

from jishi.rules.rule_set import Boost, Bury, FrequencyCap, Hide, RuleSet
from jishi.rules.versions import RuleVersion, RuleVersions
from serving.item_filter import ItemFilter

OfItems = Boost | Bury | Hide


@dataclass
class ShopRules:
    """A rule set; ``version`` None for a draft."""

    rules: RuleSet
    version: int | None = None
    _filters: dict[str, ItemFilter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A filter for each rule about items."""
        self._filters = {rule.name: ItemFilter(rule.items) for rule in self.rules.rules if isinstance(rule, OfItems)}

    def filter_of(self, rule: OfItems) -> ItemFilter:
        """The items that the rule is about."""
        return self._filters[rule.name]


@dataclass
class RulesInUse:
    """The newest version of a shop's rules that could be read, and why a newer one could not."""

    in_use: ShopRules | None = None
    problem: str | None = None
    _seen: tuple[int, int, int] | None = None
    _read: RuleVersion | None = None

    @property
    def version(self) -> int | None:
        """The version in use."""
        return None if self.in_use is None else self.in_use.version

    @property
    def count_impressions(self) -> bool:
        """Whether a rule asks what a person was shown."""
        return self.in_use is not None and any(True for _ in self.in_use.rules.of_kind(FrequencyCap))

    def look(self, versions: RuleVersions) -> None:
        """Take over a newer version, if there is one; one that cannot be read leaves the last good one."""
        try:
            seen = versions.seen()
            if seen == self._seen:
                return
            read, self.problem = versions.in_use()
        except OSError as error:  # of this shop's folder: every other shop is looked at after it
            self._seen, self.problem = None, f"the folder of the rules cannot be read: {error}"
            return
        if read is not None and (self._read is None or read.facts.version > self._read.facts.version):
            self.in_use, self._read = ShopRules(read.rules, read.facts.version), read
        self._seen = seen
