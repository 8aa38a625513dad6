"use strict";
// Charts, the dialog that explains a number, live numbers, and the notice when the server does not answer. Everything else works without it.

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const language = () => document.documentElement.lang;
const shown = (value, unit) => value === null || value === undefined ? "–"
  : value.toLocaleString(language(), { maximumFractionDigits: 2 }) + (unit ? " " + unit : "");

const isKnown = (value) => value !== null && value !== undefined;
const lonely = (values) => [...values.keys()].filter((at) => isKnown(values[at]) && !isKnown(values[at - 1]) && !isKnown(values[at + 1]));

function draw(figure) {
  const plot = figure.querySelector(".plot");
  const chart = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  const scale = chart.is_share ? 100 : 1;
  const lines = [...chart.series, ...(chart.compared ?? [])];
  const values = lines.map((line) => line.values.map((value) => value === null ? null : value * scale));
  const marks = [colour("--mark"), colour("--mark-2")];
  const compact = new Intl.NumberFormat(language(), { notation: "compact", maximumFractionDigits: 1 });
  const day = new Intl.DateTimeFormat(language(), { timeZone: "UTC", month: "numeric", day: "numeric" });
  const font = "12px system-ui, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif";
  const axis = { stroke: colour("--text-soft"), font, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  // A day that is not over is reached by a dashed line: its hours are missing.
  const open = chart.open_from ?? chart.days.length;
  const whole = uPlot.paths.linear();
  const drawOpen = (plot, place) => {
    for (let at = Math.max(open, 1); at < chart.days.length; at++) {
      const ends = [at - 1, at].map((each) => [chart.days[each], plot.data[place][each]]);
      if (!ends.every(([, value]) => isKnown(value))) continue;
      const { ctx } = plot, [from, to] = ends.map(([day, value]) => [plot.valToPos(day, "x", true), plot.valToPos(value, "y", true)]);
      ctx.save();
      ctx.strokeStyle = marks[(place - 1) % 2]; ctx.lineWidth = 2 * devicePixelRatio; ctx.setLineDash([2, 4].map((length) => length * devicePixelRatio));
      ctx.beginPath(); ctx.moveTo(...from); ctx.lineTo(...to); ctx.stroke();
      ctx.restore();
    }
  };
  figure.drawn?.destroy();
  figure.drawn = new uPlot({
    width: plot.clientWidth, height: 220, cursor: { drag: { x: false } }, tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"),
    // Amounts and counts begin at zero, so that twice as much is twice as high.
    scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, space: 56, size: 28, values: (_, ticks) => ticks.map((at) => day.format(at * 1000)), incrs: [1, 2, 7, 14, 28, 91].map((days) => days * 86400) },
      { ...axis, size: 56, space: 36, values: (_, ticks) => ticks.map((value) => compact.format(value)) },
    ],
    series: [
      { label: chart.day_label, value: (_, at) => at === null ? "–" : new Date(at * 1000).toISOString().slice(0, 10) + (at >= chart.days[open] ? ` · ${chart.open_text}` : "") },
      ...lines.map((line, place) => ({
        label: line.label, stroke: marks[place % 2], width: 2, dash: place ? [6, 3] : undefined, spanGaps: false,
        paths: (plot, place, from, to) => whole(plot, place, from, Math.min(to, open - 1)),
        // A value between two gaps is on no line, and is drawn as a point.
        points: { show: true, size: 5, filter: (plot, place) => lonely(plot.data[place]) }, value: (_, value) => shown(value, chart.unit),
      })),
    ],
    hooks: { drawSeries: [drawOpen] },
  }, [chart.days, ...values], plot);
}

const drawAll = () => document.querySelectorAll(".chart").forEach(draw);

// Live numbers come as the page's own parts: each takes the place of its like, so that focus and dialogs stay.
let stream = null;
function follow(wait = 1000) {
  const page = document.querySelector("[data-stream]");
  if (stream && stream.page !== page) { stream.source.close(); stream = null; }
  if (!page || stream) return;
  const source = new EventSource(page.dataset.stream);
  stream = { page, source };
  const lost = page.querySelector("[data-lost]");
  source.onmessage = (event) => {
    const came = document.createElement("template");
    came.innerHTML = event.data;
    for (const part of came.content.querySelectorAll("[id]")) {
      const there = document.getElementById(part.id);
      if (there && there.innerHTML !== part.innerHTML) there.innerHTML = part.innerHTML;
    }
    lost.hidden = true;
    wait = 1000;
  };
  source.onerror = () => {
    lost.hidden = false;
    if (source.readyState !== EventSource.CLOSED || stream?.source !== source) return;
    // A browser gives up after any answer that is no stream, such as a proxy's 502 while the portal starts anew.
    setTimeout(() => { if (stream?.source === source) { stream = null; follow(Math.min(2 * wait, 60000)); } }, wait * (1 + Math.random()));
  };
  source.addEventListener("ended", () => { source.close(); location.reload(); });
  source.addEventListener("replaced", () => { source.close(); page.querySelector("[data-replaced]").hidden = false; });
}

let width = 0;
const redraw = () => { if (window.innerWidth !== width) { width = window.innerWidth; drawAll(); } };

document.addEventListener("DOMContentLoaded", () => {
  redraw();
  follow();
  window.addEventListener("resize", () => requestAnimationFrame(redraw));
  // Paper has colours of its own.
  for (const media of ["(prefers-color-scheme: dark)", "print"]) window.matchMedia(media).addEventListener("change", drawAll);
  document.body.addEventListener("htmx:afterSettle", (event) => {
    const dialog = document.getElementById("meaning");
    if (event.detail.target === dialog) { if (!dialog.open) dialog.showModal(); } else { drawAll(); follow(); }
  });
  const offline = document.getElementById("offline");
  document.body.addEventListener("htmx:sendError", () => { offline.hidden = false; });
  document.body.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) offline.hidden = true; });
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") for (const menu of document.querySelectorAll("details.menu[open]")) { menu.open = false; menu.querySelector("summary").focus(); }
  });
});
