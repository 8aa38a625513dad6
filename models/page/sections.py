"""Sections of the page as HTML: a comparison with its charts, and a model card."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from models.evaluation.intervals import Estimate
from models.page import charts
from models.page.cards import LIMITS, PROTOCOLS, Card
from models.page.findings import findings, slice_estimates
from models.page.reports import Comparison, ReportedRun


def comparison_section(group: Comparison) -> str:
    """All runs on one data set: quality, paired differences, time, coverage, slices, calibration, parameters."""
    metric = group.metric
    parts = [f"<section><h2>{escape(group.data_set)} <small>{group.protocol}</small></h2>", _facts(group.runs[0])]
    parts.append(f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in findings(group))}</ul>")
    quality = charts.intervals([(run.name, run.estimate(metric)) for run in group.runs], f"{metric} of each model")
    parts.append(_figure(f"{metric}, mean over test rows with 95 % interval", quality))
    gains = group.gains()
    if gains:
        chart = charts.intervals(list(gains.items()), f"{metric} against {group.runs[0].name}", has_zero=True, signed=True)
        parts.append(_figure(f"{metric} of each model less that of {group.runs[0].name}, row by row", chart))
    training = [charts.Point(run.name, run.training_s, run.estimate(metric)) for run in group.runs]
    answers = [charts.Point(run.name, run.answer_ms, run.estimate(metric)) for run in group.runs]
    pair = [
        charts.scatter(training, "training time", "seconds to choose and fit", metric),
        charts.scatter(answers, "answer time", "ms to rank the catalogue for one row", metric),
    ]
    sentence = "Up and to the left is better. Seconds are wall time of one run on a shared machine: compare within a page only."
    parts.append(_figure("quality against time", f'<div class="pair">{"".join(pair)}</div>', sentence))
    parts += [_runs_table(group), _slices(group), _item_groups(group)]
    parts += [_calibration(run) for run in group.runs if run.report.get("calibration", {}).get("reliability")]
    return "".join([*parts, "</section>"])


def card_section(card: Card) -> str:
    """One model card."""
    name = " · ".join(escape(part) for part in (card.shop_id, card.placement, card.model) if part is not None)
    rows = [
        ("intended use", escape(card.intended)),
        ("release", f"{escape(card.version)}: {escape(card.gate_sentence)}"),
        (
            "learnt from",
            f"{card.interactions:,} acts on {card.items:,} items, {_day(card.trained_on[0])} to {_day(card.trained_on[1])}",
        ),
        ("data and licence", f"{escape(card.source)}; {escape(card.licence)}"),
        (
            "judged on",
            f"{_day(card.window['test_from'])} to {_day(card.window['end'])}, learnt before {_day(card.window['cut'])}",
        ),
        (
            "parameters",
            f"<code>{escape(json.dumps(card.parameters, ensure_ascii=False)) if card.parameters else 'none'}</code>",
        ),
    ]
    facts = "".join(f"<tr><th>{label}</th><td>{value}</td></tr>" for label, value in rows)
    judged = "".join(_judged(card, protocol) for protocol in card.metrics)
    limits = "".join(f"<li>{escape(limit)}</li>" for limit in LIMITS)
    heads = _heads("judged on", "test persons", "NDCG@10", "Recall@20", "hit rate@10", "NDCG@10 over popularity", "coverage@20")
    return (
        f'<article class="card"><h3>{name}</h3><table class="facts">{facts}</table>'
        f"<table>{heads}<tbody>{judged}</tbody></table><details><summary>limits</summary><ul>{limits}</ul></details></article>"
    )


def _judged(card: Card, protocol: str) -> str:
    metrics, gain = card.metrics[protocol], card.gains[protocol].get("ndcg@10")
    if not metrics:
        return _row(PROTOCOLS.get(protocol, protocol), "0", *["–"] * 5)
    cells = [_with_interval(metrics[name]) if name in metrics else "–" for name in ("ndcg@10", "recall@20", "hr@10")]
    over = "the baseline" if gain is None else _with_interval(gain, signed=True)
    persons, coverage = f"{card.persons[protocol]:,}", f"{card.coverage[protocol]:.1%}"
    return _row(PROTOCOLS.get(protocol, protocol), persons, *cells, over, coverage)


def _facts(run: ReportedRun) -> str:
    text = ", ".join(
        f"{name.replace('_', ' ')} {value:,}" for name, value in run.report["data"].items() if isinstance(value, int)
    )
    return f'<p class="soft">{escape(text)}</p>'


def _runs_table(group: Comparison) -> str:
    ks = [name for name in group.runs[0].report if name.startswith("coverage@")]
    rows = [
        _row(
            escape(run.name),
            *(_with_interval(run.estimate(metric)) for metric in (group.metric, group.second)),
            *(f"{run.report[name]:.1%}" for name in ks),
            f"{run.training_s:,.1f} s",
            f"{run.answer_ms:,.2f} ms",
            f"{run.report['machine']['peak_memory_mb']:,} MB",
            f"<code>{escape(json.dumps(_parameters(run), ensure_ascii=False))}</code>",
        )
        for run in group.runs
    ]
    heads = _heads(
        "model", group.metric, group.second, *ks, "train", "answer a row", "peak memory", "parameters given or chosen"
    )
    return f'<div class="wide"><table>{heads}<tbody>{"".join(rows)}</tbody></table></div>'


def _parameters(run: ReportedRun) -> Any:
    chosen = run.report["chosen"]
    return chosen.get("parts", chosen.get("parameters", {}))


def _slices(group: Comparison) -> str:
    shown = []
    for name, estimates in slice_estimates(group).items():
        part = next(run.report["slices"][name] for run in group.runs if name in run.report.get("slices", {}))
        counted, number = next(iter(part.items()))
        title = f"{name.replace('_', ' ')}: {number:,} {counted}"
        shown.append(_figure(title, charts.intervals(list(estimates.items()), f"{group.metric}, {title}")))
    return (
        f"<details{' open' if len(shown) > 1 else ''}><summary>slices, {group.metric}</summary>{''.join(shown)}</details>"
        if shown
        else ""
    )


def _item_groups(group: Comparison) -> str:
    """Means where only the items of a group are right, for reports that have them."""
    names = dict.fromkeys(name for run in group.runs for name in run.report.get("slices_by_item", {}))
    rows = []
    for name in names:
        parts = [run.report.get("slices_by_item", {}).get(name, {}) for run in group.runs]
        rows.append(_row(escape(name), *(f"{part[group.metric]:.4f}" if group.metric in part else "–" for part in parts)))
    heads = _heads(f"{group.metric} by items", *(run.name for run in group.runs))
    return f'<div class="wide"><table>{heads}<tbody>{"".join(rows)}</tbody></table></div>' if rows else ""


def _calibration(run: ReportedRun) -> str:
    calibration = run.report["calibration"]
    points = [(row["mean_chance"], row["share_of_hits"]) for row in calibration["reliability"]]
    remark = f"Expected calibration error {calibration['expected_error']:.4f}." if "expected_error" in calibration else ""
    return _figure(f"calibration of {escape(run.name)}", charts.calibration(points, f"calibration of {run.name}"), remark)


def _figure(caption: str, body: str, remark: str = "") -> str:
    note = f'<p class="soft">{escape(remark)}</p>' if remark else ""
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


def summary(comparisons: Iterable[Comparison], cards: Sequence[Card]) -> str:
    """What is on the page, in a line each."""
    lines = [
        f"<li><b>{escape(each.data_set)}</b> ({each.protocol}): {escape(each.runs[0].name)} leads "
        f"{len(each.runs)} models with {each.metric} {each.runs[0].estimate(each.metric).mean:.4f}</li>"
        for each in comparisons
    ]
    if cards:
        shops = sorted({card.shop_id for card in cards})
        lines.append(f"<li>{len(cards)} released models of {len(shops)} shops: {escape(', '.join(shops))}</li>")
    return f"<ul>{''.join(lines)}</ul>"
