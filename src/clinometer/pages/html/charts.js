"use strict";
// Draws uPlot charts from the data blocks of figures, in the place of their SVG, with choices of arm, seed, layer, axis.
// Without this script, and on paper, the SVG is what one sees.

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const tint = (colour) => css("--k" + colour.slice(1)) || colour;
const charts = new Set(); // every uPlot that is shown

const SIGNS = new Map([[null, NaN], ["+", Infinity], ["-", -Infinity]]); // what JSON has no numbers for
const decode = (values) => values.map((value) => SIGNS.get(value) ?? value);

/** The panels of a data block, with numbers as numbers, and the mean and range of seeds where they are not said. */
function read(block) {
  const { panels } = JSON.parse(block.textContent);
  for (const panel of panels.filter(Boolean)) {
    panel.xs = panel.xs.map(decode);
    if (panel.walk) for (const name of ["sizes", "losses"]) panel.walk[name] = panel.walk[name].map(decode);
    for (const series of panel.series) {
      for (const name of ["y", "low", "high"]) if (series[name]) series[name] = decode(series[name]);
      if (!series.each) continue;
      series.each = series.each.map(decode);
      if (series.y || series.low) continue;
      const across = (of) => series.each[0].map((_, at) => of(series.each.map((values) => values[at])));
      series.y = across((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
      series.low = across((values) => Math.min(...values));
      series.high = across((values) => Math.max(...values));
    }
  }
  return panels;
}

/** An element with properties and children; a property with a dash is an attribute. */
function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

function short(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : value > 0 ? "∞" : "−∞";
  const rounded = Number(value.toPrecision(4));
  const size = Math.abs(rounded);
  const text = size && (size >= 1e5 || size < 1e-3) ? rounded.toExponential() : String(rounded);
  return text.replace("e+", "e").replaceAll("-", "−");
}

/** A tick's number; on a logarithmic axis powers of ten far from 1 are written as such. */
function tick(value, log) {
  if (value === null || value === undefined) return "";
  const power = Math.round(Math.log10(Math.abs(value)));
  if (log && value > 0 && (power > 3 || power < -2) && Math.abs(value / 10 ** power - 1) < 1e-6) {
    return "10" + String(power).replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]);
  }
  return short(value);
}

/** Where a logarithmic axis has ticks: at powers of ten, between them where it spans few, evenly where it spans none. */
function logTicks(low, high) {
  const decades = Math.log10(high / low);
  if (decades < 0.4) return [0.1, 0.35, 0.6, 0.85].map((at) => Number((low + at * (high - low)).toPrecision(2)));
  const within = decades < 1.3 ? [1, 2, 3, 5] : decades < 2.6 ? [1, 3] : [1];
  const stride = Math.ceil(decades / 6);
  const found = [];
  for (let power = stride * Math.floor(Math.log10(low) / stride); 10 ** power <= high; power += stride) {
    for (const by of within) found.push(Number(`${by}e${power}`));
  }
  return found.filter((value) => value >= low && value <= high);
}

/** The lines of a panel under the present choices; `shown` says which entries of the legend are on. */
function linesOf(panel, choice, shown) {
  const lines = [];
  for (const series of panel.series.filter((each) => shown(each.label))) {
    const { alpha } = series;
    const line = (y, more) => lines.push({ series, y, alpha, width: 1.6, ...more });
    if (series.each && choice.seeds === "each") {
      series.each.forEach((y) => line(y, { width: 1, alpha: 0.6 * alpha }));
    } else if (series.each && choice.seeds !== "all") {
      const at = series.seeds.indexOf(Number(choice.seeds));
      if (at >= 0) line(series.each[at]);
    } else {
      if (series.low && series.high) {
        line(series.high, { width: 0 });
        line(series.low, { width: 0, closes: true });
      }
      if (series.y) line(series.y);
    }
  }
  return lines;
}

function isLog(panel, choice) {
  const values = panel.series.flatMap((s) => [s.y, s.low, s.high, ...(s.each || [])]).concat(panel.walk?.losses || []);
  const numbers = values.filter(Boolean).flat().filter(Number.isFinite);
  const fits = numbers.some((value) => value > 0) && numbers.every((value) => value >= 0);
  return fits && (choice.axis === "drawn" ? panel.yscale : choice.axis) === "log";
}

/** Limits of an axis around the values that it shows. */
function limits(low, high, log, room) {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return log ? [0.1, 1] : [0, 1];
  if (log) return low === high ? [low / 2, high * 2] : [low / (high / low) ** room, high * (high / low) ** room];
  const apart = high - low || Math.abs(high) || 1;
  return [low - room * apart, high + room * apart];
}

/** uPlot's options and data for the lines of a panel. */
function plotOf(panel, lines, log, size, key) {
  const xlog = panel.xscale === "log";
  const fits = (value) => (Number.isFinite(value) && !(log && value <= 0) ? value : null);
  const tables = lines.map(({ series, y, x }) => {
    const xs = x || panel.xs[series.x];
    const kept = xs.map((_, at) => at).filter((at) => !xlog || xs[at] > 0);
    return [kept.map((at) => xs[at]), kept.map((at) => fits(y[at]))];
  });
  const data = tables.length ? uPlot.join(tables) : [[], []];
  const stroke = (line) => () => withAlpha(tint(line.series.colour), line.alpha);
  const few = data[0].length <= 24;
  const series = lines.map((line) => ({
    stroke: line.width ? stroke(line) : undefined,
    width: line.width,
    dash: line.series.dashes,
    spanGaps: false,
    points: { show: few && line.width > 0 && !line.series.shape && !line.series.dashes.length, size: 4, fill: stroke(line) },
  }));
  const bands = lines.flatMap((line, at) =>
    line.closes
      ? [{ series: [at, at + 1], fill: () => withAlpha(tint(line.series.colour), 0.25 * line.alpha) }]
      : [],
  );
  const axis = (label, more) => ({
    label,
    labelSize: label ? 22 : 0,
    font: "11px system-ui",
    labelFont: "12px system-ui",
    stroke: () => css("--soft"),
    grid: { stroke: () => css("--grid"), width: 1 },
    ticks: { stroke: () => css("--line"), width: 1, size: 4 },
    ...more,
  });
  const wide = (u, values) => 12 + 6.5 * Math.max(2, ...(values || []).map((value) => String(value).length));
  const ticks = (log) => ({
    values: (u, splits) => splits.map((value) => tick(value, log)),
    ...(log ? { splits: (u, at, low, high) => logTicks(low, high), filter: (u, splits) => splits } : {}),
  });
  return [
    {
      ...size,
      series: [{}, ...series],
      bands,
      legend: { show: false },
      padding: [8, 20, 0, 0],
      scales: {
        x: {
          time: false,
          distr: xlog ? 3 : panel.xscale === "asinh" ? 4 : 1,
          asinh: panel.within,
          range: (u, low, high) => limits(low, high, xlog, low === high ? 0.5 : 0.01),
        },
        y: {
          distr: log ? 3 : 1,
          range: (u, low, high) => (panel.ylim && !log ? panel.ylim : limits(low, high, log, 0.06)),
        },
      },
      axes: [
        axis(panel.x, { size: 30, ...ticks(xlog), ...(panel.xticks.length ? { splits: () => panel.xticks } : {}) }),
        axis(panel.y, { size: wide, ...ticks(log) }),
      ],
      cursor: { sync: { key, scales: ["x", null] }, points: { size: 7 }, drag: { x: true, y: false, dist: 8 } },
      hooks: { draw: [(u) => marks(u, panel, lines)] },
    },
    data,
  ];
}

function withAlpha(colour, alpha) {
  const digits = Math.round(255 * Math.min(alpha, 1)).toString(16).padStart(2, "0");
  return /^#[0-9a-f]{6}$/i.test(colour) ? colour + digits : colour;
}

/** What is not a line: verticals, and infinite values as triangles at the frame. */
function marks(u, panel, lines) {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  const unit = devicePixelRatio || 1;
  ctx.save();
  if (lines.length && lines.every(({ y }) => y.every(Number.isNaN))) {
    [ctx.fillStyle, ctx.font, ctx.textAlign] = [css("--soft"), `${12 * unit}px system-ui`, "center"];
    ctx.fillText("no value is known", left + width / 2, top + height / 2);
  }
  ctx.beginPath();
  ctx.rect(left - 5 * unit, top - 5 * unit, width + 10 * unit, height + 10 * unit);
  ctx.clip();
  for (const line of panel.verticals) {
    const x = Math.round(u.valToPos(line.x, "x", true));
    ctx.strokeStyle = tint(line.colour);
    ctx.lineWidth = 1.2 * unit;
    ctx.setLineDash([5 * unit, 3 * unit]);
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
    ctx.stroke();
  }
  ctx.setLineDash([]);
  for (const { series, y, x, width: thick } of lines) {
    const xs = x || panel.xs[series.x];
    ctx.fillStyle = tint(series.colour);
    if (series.shape && thick > 1) shapes(u, series, xs, y, unit);
    y.forEach((value, at) => {
      if (Number.isFinite(value) || Number.isNaN(value)) return;
      const middle = u.valToPos(xs[at], "x", true);
      const [tip, foot] = value > 0 ? [top, top + 7 * unit] : [top + height, top + height - 7 * unit];
      ctx.beginPath();
      ctx.moveTo(middle, tip);
      ctx.lineTo(middle - 4.5 * unit, foot);
      ctx.lineTo(middle + 4.5 * unit, foot);
      ctx.fill();
    });
  }
  ctx.restore();
}

/** A line's own mark on a few of its points, so that it is not told by its colour alone. */
function shapes(u, series, xs, y, unit) {
  const [corners, turn, inner] = series.shape;
  const count = inner === 1 ? corners : 2 * corners;
  const shown = xs.map((_, at) => at).filter((at) => Number.isFinite(y[at]) && xs[at] >= u.scales.x.min && xs[at] <= u.scales.x.max);
  const every = Math.max(1, Math.round(shown.length / 6));
  u.ctx.strokeStyle = css("--paper");
  u.ctx.lineWidth = 0.8 * unit;
  for (let place = Math.floor(every * series.place); place < shown.length; place += every) {
    const at = shown[place];
    const [middle, high] = [u.valToPos(xs[at], "x", true), u.valToPos(y[at], "y", true)];
    u.ctx.beginPath();
    for (let corner = 0; corner < count; corner += 1) {
      const angle = (turn * Math.PI) / 180 + (2 * Math.PI * corner) / count;
      const reach = 4 * unit * (corner % 2 && inner !== 1 ? inner : 1);
      u.ctx.lineTo(middle + reach * Math.cos(angle), high + reach * Math.sin(angle));
    }
    u.ctx.closePath();
    u.ctx.fill();
    u.ctx.stroke();
  }
}

/** One panel: its chart, its title above, and below it the values where the cursor is. */
class PanelView {
  constructor(panel, box, key) {
    this.panel = panel;
    this.box = box;
    this.key = `${key} ${panel.x}`;
    this.readout = make("p", { className: "readout" });
    this.place = make("div", { className: "canvas", tabIndex: 0, role: "group" });
    this.place.setAttribute("aria-label", `${panel.title || panel.y}: chart. Arrow keys, Home and End move along ${panel.x || "x"}.`);
    this.place.addEventListener("keydown", (event) => this.step(event));
    this.live = make("div", { className: "live" }, make("p", { className: "panel-title" }, panel.title), this.place);
    if (panel.walk) this.live.append(this.slider());
    this.live.append(this.readout);
  }

  slider() {
    const { steps } = this.panel.walk;
    this.at = steps.length - 1;
    const said = make("output", {}, `step ${steps[this.at]}`);
    const slide = make("input", { type: "range", min: 0, max: this.at, value: this.at });
    slide.addEventListener("input", () => {
      this.at = Number(slide.value);
      said.textContent = `step ${steps[this.at]}`;
      slide.setAttribute("aria-valuetext", said.textContent);
      this.draw(this.choice, this.shown);
    });
    return make("label", { className: "slider" }, "step ", slide, said);
  }

  /** The lines of the step that the slider is at, before that of the first step, which stays. */
  walkLines() {
    const { colour, sizes, losses } = this.panel.walk;
    const series = { colour, label: `step ${this.panel.walk.steps[this.at]}`, dashes: [] };
    const first = { colour, label: `step ${this.panel.walk.steps[0]}`, dashes: [2, 3] };
    return [
      { series: first, x: sizes[0], y: losses[0], alpha: 0.5, width: 1 },
      { series, x: sizes[this.at], y: losses[this.at], alpha: 1, width: 2 },
    ];
  }

  draw(choice, shown) {
    [this.choice, this.shown] = [choice, shown];
    const width = this.box.clientWidth;
    if (!width) return;
    if (!this.live.isConnected) this.box.append(this.live);
    this.box.classList.add("is-live");
    this.destroy();
    const log = isLog(this.panel, choice);
    this.lines = this.panel.walk ? this.walkLines() : linesOf(this.panel, choice, shown);
    const [options, data] = plotOf(this.panel, this.lines, log, sizeFor(width), this.key);
    if (this.panel.walk) options.scales.y.range = () => this.walkLimits(log);
    options.hooks.setCursor = [() => this.read()];
    this.plot = new uPlot(options, data, this.place);
    charts.add(this.plot);
  }

  /** One range for all steps, so that what is flat looks flat. */
  walkLimits(log) {
    const values = this.panel.walk.losses.flat().filter((value) => Number.isFinite(value) && (!log || value > 0));
    return limits(Math.min(...values), Math.max(...values), log, 0.06);
  }

  resize() {
    if (this.plot && this.box.clientWidth) this.plot.setSize(sizeFor(this.box.clientWidth));
  }

  destroy() {
    if (!this.plot) return;
    charts.delete(this.plot);
    this.plot.destroy();
    this.plot = null;
  }

  step(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    const xs = this.plot?.data[0] || [];
    if (!by || !xs.length) return;
    event.preventDefault();
    const last = this.plot.cursor.idx ?? (by > 0 ? -1 : xs.length);
    const at = Math.min(Math.max(last + by, 0), xs.length - 1);
    for (const plot of uPlot.sync(this.key).plots) {
      plot.setCursor({ left: plot.valToPos(xs[at], "x"), top: plot.over.clientHeight / 2 });
    }
  }

  /** Write the values at the cursor; the place for them never shrinks, so that nothing jumps. */
  read() {
    const at = this.plot?.cursor.idx;
    const x = at === null || at === undefined ? undefined : this.plot.data[0][at];
    const parts = x === undefined ? [] : [make("b", {}, `${this.panel.x || "x"} ${short(x)}`)];
    const seen = new Set();
    for (const { series, x: own } of x === undefined ? [] : this.lines) {
      if (seen.has(series)) continue;
      seen.add(series);
      const place = (own || this.panel.xs[series.x]).indexOf(x);
      const values = this.lines.filter((line) => line.series === series).map((line) => line.y[place]);
      if (place < 0 || values.every(Number.isNaN)) continue;
      const dot = make("i", { className: "dot" });
      dot.style.background = tint(series.colour);
      parts.push(make("span", {}, dot, `${series.label} ${told(values, series)}`.trim()));
    }
    this.readout.replaceChildren(...parts);
    this.readout.style.minHeight = `${this.readout.offsetHeight}px`;
  }
}

/** Values of one series at one x: a line's, a range, or both. */
function told(values, series) {
  if (values.length === 1) return short(values[0]);
  if (values.length > 3 || !series.low) return values.map(short).join(", ");
  const [high, low, middle] = values;
  const range = `${short(low)} to ${short(high)}`;
  return middle === undefined ? range : `${short(middle)} (${range})`;
}

const sizeFor = (width) => ({ width, height: Math.round(Math.min(Math.max(0.7 * width, 200), 340)) });
