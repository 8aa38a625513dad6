"""How notebooks draw: one style, titles in English with a Chinese line, axes that hold zero, words where nothing is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

BLUE, ORANGE, GREY = "#1f6f8b", "#b45b1f", "#5f6b70"
_MARKS = ("o", "s", "^", "v", "D", "P", "X", "*")
_WITH_CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "PingFang SC",
)


def prepare() -> None:
    """Charts as SVG whose texts stay texts, in a font that has Chinese signs where the machine has one."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats("svg")  # type: ignore[no-untyped-call]
    known = {font.name for font in font_manager.fontManager.ttflist}
    fonts = [name for name in _WITH_CHINESE if name in known]
    mpl.rcParams |= {
        **{"font.family": ["DejaVu Sans", *fonts], "svg.fonttype": "none", "figure.dpi": 100},
        **{"axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left", "axes.titlesize": 11},
    }


def bars(values: pd.Series, en: str, zh: str, *, as_share: bool = False, colour: str = BLUE) -> None:
    """A bar for each entry, the first on top, with its value."""
    values = values.astype(float)
    axes = _axes(en, zh, height=0.8 + 0.34 * max(len(values), 1))
    if _is_nothing(values, axes):
        return
    labels = [_share(value) if as_share else _number(value) for value in values]
    held = axes.barh([_text(name) for name in values.index][::-1], values.fillna(0)[::-1], color=colour)
    axes.bar_label(held, labels[::-1], padding=4)
    axes.set_xlim(min(0, values.min() * 1.2), max(values.max() * 1.2, 0) or 1e-9)
    _scale(axes.xaxis, as_share=as_share)


def days(frame: pd.DataFrame, titles: Mapping[str, str], *, shares: tuple[str, ...] = ()) -> None:
    """A small chart over days for each column, one below the other."""
    figure, grid = plt.subplots(len(frame.columns), 1, figsize=(9, 1.9 * len(frame.columns)), sharex=True, squeeze=False)
    for axes, name in zip(grid[:, 0], frame.columns, strict=True):
        axes.set_title(titles[name])
        if not _is_nothing(frame[name], axes):
            axes.plot(frame.index, frame[name], color=BLUE)
            axes.set_ylim(_from(frame[name]), None)
            _scale(axes.yaxis, as_share=name in shares)
    figure.autofmt_xdate()
    figure.tight_layout()


def heatmap(frame: pd.DataFrame, en: str, zh: str, *, across: str, down: str) -> None:
    """Shares as colours with their values, rows and columns as the frame has them."""
    axes = _axes(en, zh, height=1.3 + 0.3 * max(len(frame), 1), width=min(14, 3 + 0.55 * max(len(frame.columns), 4)))
    if _is_nothing(frame, axes):
        return
    values = frame.astype(float).to_numpy()
    axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, of_row in enumerate(values):
        for column, value in enumerate(of_row):
            if not pd.isna(value):
                colour = "white" if value > 0.55 else "black"
                axes.text(column, row, f"{value:.0%}", ha="center", va="center", fontsize=7, color=colour)
    axes.set(xlabel=across, ylabel=down)
    axes.set_xticks(
        range(len(frame.columns)), [_text(name) for name in frame.columns], rotation=_slant(frame.columns), fontsize=8
    )
    axes.set_yticks(range(len(frame)), [_text(name) for name in frame.index], fontsize=8)


def curves(frame: pd.DataFrame, en: str, zh: str, *, across: str, down: str) -> None:
    """A line for each column, the later ones darker; each ends with its name."""
    axes = _axes(en, zh, height=3.6)
    if _is_nothing(frame, axes):
        return
    shades = mpl.colormaps["Blues"]
    for place, name in enumerate(frame.columns):
        line = frame[name].dropna()
        if len(line):
            colour = shades(0.35 + 0.6 * place / max(1, len(frame.columns) - 1))
            axes.plot(line.index, line.astype(float), color=colour, marker="o", markersize=3)
            axes.annotate(
                _text(name), (line.index[-1], float(line.iloc[-1])), xytext=(4, 0), textcoords="offset points", fontsize=7
            )
    axes.set(xlabel=across, ylabel=down, ylim=(_from(frame), None), xlim=(-0.3, max(frame.index[-1], 1) + 0.7))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _scale(axes.yaxis, as_share=False)


def intervals(frame: pd.DataFrame, en: str, zh: str, *, across: str, beside: str | None = None) -> None:
    """A dot with its interval for each row (columns ``value``, ``low``, ``high``), and a ring for the column ``beside``."""
    axes = _axes(en, zh, height=1 + 0.34 * max(len(frame), 1))
    if _is_nothing(frame, axes):
        return
    places, names = range(len(frame))[::-1], [_text(name) for name in frame.index]
    shown = frame.astype(float)
    axes.hlines(places, shown["low"], shown["high"], color=BLUE, linewidth=2)
    axes.plot(shown["value"], places, "o", color=BLUE, label="expected 预期")
    if beside is not None:
        axes.plot(shown[beside], places, "o", markerfacecolor="none", color=ORANGE, label=f"{beside} 实际")
        axes.legend(frameon=False, fontsize=8)
    axes.set_yticks(places, names)
    axes.set(xlabel=across, xlim=(_from(shown), None))
    _scale(axes.xaxis, as_share=False)


def dots(frame: pd.DataFrame, en: str, zh: str, *, across: str) -> None:
    """A dot for each column on the line of each row, so that columns that differ stand apart."""
    axes = _axes(en, zh, height=1.2 + 0.36 * max(len(frame), 1))
    if _is_nothing(frame, axes):
        return
    ordered = frame.astype(float).sort_values(frame.columns[0])
    colours = mpl.colormaps["tab10"]
    for place, name in enumerate(ordered.columns):
        axes.plot(
            ordered[name], range(len(ordered)), _MARKS[place % len(_MARKS)], color=colours(place), alpha=0.8, label=_text(name)
        )
    axes.set_yticks(range(len(ordered)), [_text(name) for name in ordered.index])
    axes.grid(axis="y", color="#ddd")
    axes.set(xlabel=across, xlim=(_from(ordered), None))
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    _scale(axes.xaxis, as_share=False)


def scatter(x: pd.Series, share: pd.Series, size: pd.Series, en: str, zh: str, *, across: str) -> None:
    """A dot for each row at a number and a share, the larger the greater its size."""
    axes = _axes(en, zh, height=3.4)
    if not _is_nothing(share, axes):
        axes.scatter(
            x.astype(float), share.astype(float), s=8 + size.fillna(0).astype(float), color=BLUE, alpha=0.5, linewidths=0
        )
        axes.set(xlabel=across, xlim=(0, None), ylim=(0, None))
        _scale(axes.xaxis, as_share=False)
        _scale(axes.yaxis, as_share=True)


def histogram(values: pd.Series, en: str, zh: str, *, across: str) -> None:
    """How many rows have a value about so great."""
    axes = _axes(en, zh, height=2.6)
    if not _is_nothing(values, axes):
        axes.hist(values.dropna().astype(float), bins=30, color=BLUE)
        axes.set(xlabel=across, ylabel="customers 人数")
        _scale(axes.xaxis, as_share=False)


def table(frame: pd.DataFrame, titles: Mapping[str, str] | None = None, *, shares: tuple[str, ...] = ()) -> Any:
    """Rows as they are read by people: thousands apart, shares in per cent, a dash where nothing is known."""
    formats = {
        name: _share if name in shares else _number for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])
    }
    formats |= {name: _text for name in frame.select_dtypes(["datetime", "datetimetz"]).columns}
    known = titles or {}
    headings = {name: known.get(name, name.rpartition("__")[2].replace("_", " ")) for name in frame.columns}
    plain = frame.rename(columns=headings).astype(object)
    return plain.style.format({headings[name]: shown for name, shown in formats.items()}, na_rep="–").hide()


def _from(values: pd.Series | pd.DataFrame) -> float:
    """Where an axis begins: at zero, or below the least value, such as a day on which more came back than was sold."""
    least = float(values.astype(float).to_numpy()[~values.isna().to_numpy()].min())
    return min(0.0, least * 1.05)


def _axes(en: str, zh: str, *, height: float, width: float = 9) -> Axes:
    axes = plt.subplots(figsize=(width, height), layout="constrained")[1]
    axes.set_title(f"{en}\n{zh}")
    return axes


def _is_nothing(values: pd.Series | pd.DataFrame, axes: Axes) -> bool:
    """Whether there is no value to draw; the chart then says so."""
    is_nothing = bool(values.isna().to_numpy().all())
    if is_nothing:
        axes.text(0.5, 0.5, "nothing yet 暂无数据", ha="center", va="center", transform=axes.transAxes, color=GREY)
        axes.set(xticks=[], yticks=[])
    return is_nothing


def _scale(axis: Any, *, as_share: bool) -> None:
    axis.set_major_formatter(PercentFormatter(1) if as_share else FuncFormatter(lambda value, _: f"{value:,.10g}"))


def _number(value: Any) -> str:
    if pd.isna(value):
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def _share(value: Any) -> str:
    return "–" if pd.isna(value) else f"{value:.1%}"


def _text(name: Any) -> str:
    if isinstance(name, tuple):
        return " ".join(_text(part) for part in name)
    if isinstance(name, pd.Timestamp):
        return str(name.date())
    return "unknown 未知" if pd.isna(name) else str(name)


def _slant(names: pd.Index) -> int:
    return 45 if any(len(_text(name)) > 3 for name in names) else 0
