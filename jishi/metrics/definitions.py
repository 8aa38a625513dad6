"""What a metric is: name, meaning, formula, unit, grain and owner in both languages, from dbt's semantic manifest.

Formula and grain are taken from what MetricFlow computes, so that no text can say something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Bilingual:
    """The same text in English and Chinese."""

    en: str
    zh: str


UNITS = {
    "home_minor": Bilingual("minor units of the shop's currency", "店铺货币最小单位"),
    "orders": Bilingual("orders", "单"),
    "refunds": Bilingual("refunds", "笔退款"),
    "pieces": Bilingual("pieces", "件"),
    "persons": Bilingual("persons", "人"),
    "visits": Bilingual("visits", "次访问"),
    "views": Bilingual("views", "次浏览"),
    "impressions": Bilingual("impressions", "次曝光"),
    "clicks": Bilingual("clicks", "次点击"),
    "days": Bilingual("days", "天"),
    "models": Bilingual("models", "个模型"),
    "share": Bilingual("share of 1", "占比"),
    "multiple": Bilingual("times", "倍"),
}
# The shop's first day, or the first on which an act in its storefront is known: a till has none.
KNOWN_FROM = ("shop", "storefront")
_ADDITIVE = ("sum", "count", "sum_boolean")
_SHOWN_AGGREGATION = {"count_distinct": "count distinct", "sum_boolean": "count where"}


class MetricUndefined(ValueError):
    """A metric says too little of itself; the message names the metric and what to add to its YAML."""


@dataclass(frozen=True)
class Metric:
    """One number of the platform.

    ``formula`` names columns of a mart or other metrics; ``unit`` is a key of UNITS; ``inputs`` are the metrics that it is
    computed from, none for one over a mart. ``is_additive``: values of parts of a shop or of a period add up to the whole's.
    ``is_zero_without_rows``: where the mart has no row the number is 0, and not unknown; ``known_from`` says since when that is
    so, a key of KNOWN_FROM, None where nobody said.
    """

    name: str
    label: Bilingual
    meaning: Bilingual
    formula: str
    unit: str
    grain: Bilingual
    owner: Bilingual
    inputs: tuple[str, ...]
    is_additive: bool
    is_zero_without_rows: bool
    known_from: str | None

    def as_dict(self) -> dict[str, Any]:
        """All fields for JSON, the unit in words beside its key."""
        return asdict(self) | {"unit_label": asdict(UNITS[self.unit])}


def metrics_of(manifest: Manifest) -> dict[str, Metric]:
    """The metrics of a semantic manifest by name. Raises MetricUndefined."""
    raw = {metric["name"]: metric for metric in manifest["metrics"]}
    models = {model["name"]: model for model in manifest["semantic_models"]}
    return {name: _metric(name, raw, models) for name in sorted(raw)}


def dates_of(name: str, manifest: Manifest) -> set[str]:
    """The dimensions that are a metric's own time: by one of them is what by metric_time is."""
    raw = {metric["name"]: metric for metric in manifest["metrics"]}
    entities = {model["name"]: _primary(model) for model in manifest["semantic_models"]}
    parameters = [leaf["type_params"]["metric_aggregation_params"] for leaf in _leaves(name, raw)]
    return {f"{entities[each['semantic_model']]}__{each['agg_time_dimension']}" for each in parameters}


def _primary(model: Mapping[str, Any]) -> str:
    named = [entity["name"] for entity in model["entities"] if entity["type"] == "primary"]
    return str(model.get("primary_entity") or named[0])


def _metric(name: str, raw: Mapping[str, Any], models: Mapping[str, Any]) -> Metric:
    metric = raw[name]
    meta = _meta(metric)
    sources = sorted({_source(of_mart) for of_mart in _leaves(name, raw)})
    about = [_meta(models[source]) for source in sources]
    inputs = _inputs(metric)
    if meta.get("unit") not in UNITS:
        raise MetricUndefined(
            f"metric {name!r} has the unit {meta.get('unit')!r}; set config.meta.unit to one of {', '.join(UNITS)}"
        )
    return Metric(
        name=name,
        label=_bilingual(name, metric["label"], meta.get("label_zh"), "label"),
        meaning=_bilingual(name, metric["description"], meta.get("description_zh"), "description"),
        formula=_formula(metric),
        unit=meta["unit"],
        grain=_joined(name, about, "grain"),
        owner=_joined(name, about, "owner"),
        inputs=inputs,
        is_additive=is_additive(name, raw),
        is_zero_without_rows=is_zero_without_rows(name, raw),
        known_from=known_from(name, raw, models),
    )


def _meta(element: Mapping[str, Any]) -> dict[str, Any]:
    return dict((element.get("config") or {}).get("meta") or {})


def _inputs(metric: Mapping[str, Any]) -> tuple[str, ...]:
    parameters = metric["type_params"]
    if metric["type"] == "ratio":
        return (parameters["numerator"]["name"], parameters["denominator"]["name"])
    return tuple(each["name"] for each in parameters["metrics"] or ())


def _leaves(name: str, raw: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The metrics over marts below a metric."""
    inputs = _inputs(raw[name])
    if not inputs:
        yield raw[name]
    for each in inputs:
        yield from _leaves(each, raw)


def _source(metric: Mapping[str, Any]) -> str:
    return str(metric["type_params"]["metric_aggregation_params"]["semantic_model"])


def _formula(metric: Mapping[str, Any]) -> str:
    parameters = metric["type_params"]
    if metric["type"] == "simple":
        aggregation = parameters["metric_aggregation_params"]
        shown = _SHOWN_AGGREGATION.get(aggregation["agg"], aggregation["agg"])
        limit = aggregation["non_additive_dimension"]
        last = f" of the last {limit['name']}" if limit else ""
        return f"{shown}({parameters['expr']}){last} in {aggregation['semantic_model']} by {aggregation['agg_time_dimension']}"
    if metric["type"] == "ratio":
        return " / ".join(_inputs(metric))
    return str(parameters["expr"])


def is_additive(name: str, raw: Mapping[str, Any]) -> bool:
    """Whether values add up: a count or sum, or a sum or difference of such; ``raw`` holds the manifest's metrics by name."""
    metric = raw[name]
    if metric["type"] == "derived":
        return not set(str(metric["type_params"]["expr"])) & set("/*%") and all(
            is_additive(each, raw) for each in _inputs(metric)
        )
    aggregation = metric["type_params"]["metric_aggregation_params"] or {}
    return aggregation.get("agg") in _ADDITIVE and not aggregation["non_additive_dimension"]


def is_zero_without_rows(name: str, raw: Mapping[str, Any]) -> bool:
    """Whether nothing is 0: of counts, sums and what adds them, unless ``config.meta.is_null_without_rows`` is set."""
    leaves = [*_leaves(name, raw)]
    if any(_meta(leaf).get("is_null_without_rows") for leaf in leaves):
        return False
    aggregation = raw[name]["type_params"]["metric_aggregation_params"] or {}
    return is_additive(name, raw) or aggregation.get("agg") == "count_distinct"


def known_from(name: str, raw: Mapping[str, Any], models: Mapping[str, Any]) -> str | None:
    """What the metrics below a metric say in ``config.meta.known_from``, or else their semantic models; the latest of all."""
    origins = [_meta(leaf).get("known_from") or _meta(models[_source(leaf)]).get("known_from") for leaf in _leaves(name, raw)]
    if None in origins:
        return None
    if unknown := set(map(str, origins)).difference(KNOWN_FROM):
        raise MetricUndefined(f"metric {name!r} is known from {min(unknown)!r}; set known_from to {' or '.join(KNOWN_FROM)}")
    return max(map(str, origins), key=KNOWN_FROM.index)


def amounts_of(name: str, raw: Mapping[str, Any]) -> set[tuple[str, str]]:
    """What the amounts below a metric are of: a count of all, and of those with an amount, as ``config.meta.amounts_of`` says.

    Where there are some and none has an amount, for want of a rate, the metric is unknown; a sum or difference of several such
    amounts where that is true of all together.
    """
    pairs = {tuple(_meta(leaf)["amounts_of"]) for leaf in _leaves(name, raw) if "amounts_of" in _meta(leaf)}
    for pair in pairs:
        if len(pair) != 2 or not all(each in raw and is_zero_without_rows(each, raw) for each in pair):
            raise MetricUndefined(
                f"metric {name!r} has amounts of {pair}; name two metrics that count: of all, and with an amount"
            )
    return {(of_all, priced) for of_all, priced in pairs}


def _bilingual(name: str, en: str | None, zh: str | None, field: str) -> Bilingual:
    if not en or not zh:
        missing = field if not en else f"config.meta.{field}_zh"
        raise MetricUndefined(f"metric {name!r} has no {missing}; people read it in English and Chinese")
    return Bilingual(en, zh)


def _joined(name: str, about: list[dict[str, Any]], field: str) -> Bilingual:
    """What the models below a metric say, each different answer once."""
    texts = {key: list(dict.fromkeys(str(meta.get(key) or "") for meta in about)) for key in (field, f"{field}_zh")}
    if "" in (texts[field] + texts[f"{field}_zh"]):
        raise MetricUndefined(f"metric {name!r} has no {field}; set config.meta.{field} and {field}_zh of its semantic model")
    return Bilingual("; ".join(texts[field]), "；".join(texts[f"{field}_zh"]))
