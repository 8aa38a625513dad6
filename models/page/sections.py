"""Sections of the page as HTML: a comparison with its charts, and a model card."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from models.intervals import Estimate
from models.page import charts
from models.page.cards import LIMITS, PROTOCOLS, Card
from models.page.findings import findings, slice_estimates
from models.page.reports import Comparison, Run


def comparison(found: Comparison) -> str:
    """All runs on one data set: quality, paired differences, time, coverage, slices, calibration, parameters."""
    metric = found.metric
    parts = [f"<section><h2>{escape(found.data_set)} <small>{found.protocol}</small></h2>", _facts(found.runs[0])]
    parts.append(f"<ul>{''.join(f'<li>{escape(told)}</li>' for told in findings(found))}</ul>")
    quality = charts.intervals([(run.name, run.estimate(metric)) for run in found.runs], f"{metric} of each model")
    parts.append(_figure(f"{metric}, mean over test rows with 95 % interval", quality))
    gains = found.gains()
    if gains:
        chart = charts.intervals(list(gains.items()), f"{metric} against {found.runs[0].name}", has_zero=True, signed=True)
        parts.append(_figure(f"{metric} of each model less that of {found.runs[0].name}, row by row", chart))
    training = [charts.Point(run.name, run.training_s, run.estimate(metric)) for run in found.runs]
    answers = [charts.Point(run.name, run.answer_ms, run.estimate(metric)) for run in found.runs]
    pair = [
        charts.scatter(training, "training time", "seconds to choose and fit", metric),
        charts.scatter(answers, "answer time", "ms to rank the catalogue for one row", metric),
    ]
    told = "Up and to the left is better. Seconds are wall time of one run on a shared machine: compare within a page only."
    parts.append(_figure("quality against time", f'<div class="pair">{"".join(pair)}</div>', told))
    parts += [_runs_table(found), _slices(found), _item_groups(found)]
    parts += [_calibration(run) for run in found.runs if run.report.get("calibration", {}).get("reliability")]
    return "".join([*parts, "</section>"])


def card(found: Card) -> str:
    """One model card."""
    name = " · ".join(escape(part) for part in (found.shop_id, found.placement, found.model) if part is not None)
    rows = [
        ("intended use", escape(found.intended)),
        ("release", f"{escape(found.version)}: {escape(found.verdict)}"),
        (
            "learnt from",
            f"{found.interactions:,} acts on {found.items:,} items, {_day(found.trained_on[0])} to {_day(found.trained_on[1])}",
        ),
        ("data and licence", f"{escape(found.source)}; {escape(found.licence)}"),
        (
            "judged on",
            f"{_day(found.window['test_from'])} to {_day(found.window['end'])}, learnt before {_day(found.window['cut'])}",
        ),
        (
            "parameters",
            f"<code>{escape(json.dumps(found.parameters, ensure_ascii=False)) if found.parameters else 'none'}</code>",
        ),
    ]
    facts = "".join(f"<tr><th>{label}</th><td>{value}</td></tr>" for label, value in rows)
    judged = "".join(_judged(found, protocol) for protocol in found.metrics)
    limits = "".join(f"<li>{escape(limit)}</li>" for limit in LIMITS)
    heads = _heads("judged on", "test persons", "NDCG@10", "Recall@20", "hit rate@10", "NDCG@10 over popularity", "coverage@20")
    return (
        f'<article class="card"><h3>{name}</h3><table class="facts">{facts}</table>'
        f"<table>{heads}<tbody>{judged}</tbody></table><details><summary>limits</summary><ul>{limits}</ul></details></article>"
    )


def _judged(found: Card, protocol: str) -> str:
    metrics, gain = found.metrics[protocol], found.gains[protocol].get("ndcg@10")
    if not metrics:
        return _row(PROTOCOLS.get(protocol, protocol), "0", *["–"] * 5)
    cells = [_with_interval(metrics[name]) for name in ("ndcg@10", "recall@20", "hit_rate@10")]
    over = "the baseline" if gain is None else _with_interval(gain, signed=True)
    persons, coverage = f"{found.persons[protocol]:,}", f"{found.coverage[protocol]:.1%}"
    return _row(PROTOCOLS.get(protocol, protocol), persons, *cells, over, coverage)


def _facts(run: Run) -> str:
    told = ", ".join(
        f"{name.replace('_', ' ')} {value:,}" for name, value in run.report["data"].items() if isinstance(value, int)
    )
    return f'<p class="soft">{escape(told)}</p>'


def _runs_table(found: Comparison) -> str:
    ks = [name for name in found.runs[0].report if name.startswith("coverage@")]
    rows = [
        _row(
            escape(run.name),
            *(_with_interval(run.estimate(metric)) for metric in (found.metric, found.second)),
            *(f"{run.report[name]:.1%}" for name in ks),
            f"{run.training_s:,.1f} s",
            f"{run.answer_ms:,.2f} ms",
            f"{run.report['machine']['peak_memory_mb']:,} MB",
            f"<code>{escape(json.dumps(_parameters(run), ensure_ascii=False))}</code>",
        )
        for run in found.runs
    ]
    heads = _heads(
        "model", found.metric, found.second, *ks, "train", "answer a row", "peak memory", "parameters given or chosen"
    )
    return f'<div class="wide"><table>{heads}<tbody>{"".join(rows)}</tbody></table></div>'


def _parameters(run: Run) -> Any:
    chosen = run.report["chosen"]
    return chosen.get("parts", chosen.get("parameters", {}))


def _slices(found: Comparison) -> str:
    shown = []
    for name, estimates in slice_estimates(found).items():
        part = next(run.report["slices"][name] for run in found.runs if name in run.report.get("slices", {}))
        counted, number = next(iter(part.items()))
        title = f"{name.replace('_', ' ')}: {number:,} {counted}"
        shown.append(_figure(title, charts.intervals(list(estimates.items()), f"{found.metric}, {title}")))
    return (
        f"<details{' open' if len(shown) > 1 else ''}><summary>slices, {found.metric}</summary>{''.join(shown)}</details>"
        if shown
        else ""
    )


def _item_groups(found: Comparison) -> str:
    """Means where only the items of a group are right, for reports that have them."""
    names = dict.fromkeys(name for run in found.runs for name in run.report.get("slices_by_item", {}))
    rows = []
    for name in names:
        parts = [run.report.get("slices_by_item", {}).get(name, {}) for run in found.runs]
        rows.append(_row(escape(name), *(f"{part[found.metric]:.4f}" if found.metric in part else "–" for part in parts)))
    heads = _heads(f"{found.metric} by items", *(run.name for run in found.runs))
    return f'<div class="wide"><table>{heads}<tbody>{"".join(rows)}</tbody></table></div>' if rows else ""


def _calibration(run: Run) -> str:
    found = run.report["calibration"]
    points = [(row["mean_chance"], row["share_of_hits"]) for row in found["reliability"]]
    told = f"Expected calibration error {found['expected_error']:.4f}." if "expected_error" in found else ""
    return _figure(f"calibration of {escape(run.name)}", charts.calibration(points, f"calibration of {run.name}"), told)


def _figure(caption: str, body: str, told: str = "") -> str:
    note = f'<p class="soft">{escape(told)}</p>' if told else ""
    return f"<figure><figcaption>{escape(caption)}</figcaption>{body}{note}</figure>"


def _heads(*names: str) -> str:
    return f"<thead><tr>{''.join(f'<th>{escape(name)}</th>' for name in names)}</tr></thead>"


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _with_interval(each: Estimate, *, signed: bool = False) -> str:
    mean = f"{each.mean:+.4f}" if signed else f"{each.mean:.4f}"
    return f'{mean} <span class="soft">[{each.low:.4f}, {each.high:.4f}]</span>'


def _day(instant: str) -> str:
    return escape(instant[:10])


def summary(found: Iterable[Comparison], cards: Sequence[Card]) -> str:
    """What is on the page, in a line each."""
    lines = [
        f"<li><b>{escape(each.data_set)}</b> ({each.protocol}): {escape(each.runs[0].name)} leads "
        f"{len(each.runs)} models with {each.metric} {each.runs[0].estimate(each.metric).mean:.4f}</li>"
        for each in found
    ]
    if cards:
        shops = sorted({card.shop_id for card in cards})
        lines.append(f"<li>{len(cards)} released models of {len(shops)} shops: {escape(', '.join(shops))}</li>")
    return f"<ul>{''.join(lines)}</ul>"
