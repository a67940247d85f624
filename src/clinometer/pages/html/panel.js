// Draws a chart from a panel of a data block, in the place of its SVG.
// Without this script, and on paper, the SVG is what one sees.

const charts = new Set(); // every uPlot that is shown

/** One panel: its chart, its title above, and below it the values where the cursor is. */
class PanelView {
  constructor(panel, box, key, focus) {
    this.panel = panel;
    this.box = box;
    this.key = `${key} ${panel.x}`;
    this.focus = focus;
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
    const log = (this.log = isLog(this.panel, choice));
    this.lines = this.panel.walk ? this.walkLines() : linesOf(this.panel, choice, shown);
    const [options, data] = plotOf(this.panel, this.lines, log, this.size(width), this.key, this.focus);
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

  size(width) {
    return { width, height: Math.round(Math.min(Math.max(0.7 * width, 200), 340)) };
  }

  resize() {
    if (this.plot && this.box.clientWidth) this.plot.setSize(this.size(this.box.clientWidth));
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
    this.point(xs[at]);
  }

  /** Put the cursor of every panel that shares it at one x; a panel that has no such x hides its own. */
  point(x) {
    for (const plot of uPlot.sync(this.key).plots) {
      const { min, max } = plot.scales.x;
      const left = x >= min && x <= max ? plot.valToPos(x, "x") : -10;
      plot.setCursor({ left, top: left < 0 ? -10 : plot.over.clientHeight / 2 });
    }
  }

  /** Write the values at the cursor; the place for them never shrinks, so that nothing jumps. */
  read() {
    const at = this.plot?.cursor.idx;
    const x = at === null || at === undefined ? undefined : this.plot.data[0][at];
    const parts = x === undefined ? [] : [make("b", {}, `${this.panel.x || "x"} ${short(x)}`)];
    const seen = new Set();
    for (const { series } of x === undefined ? [] : this.lines) {
      if (seen.has(series)) continue;
      seen.add(series);
      const found = this.lines.filter((line) => line.series === series).map((line) => valueAt(line, x, this.log));
      if (found.every(({ value }) => Number.isNaN(value))) continue;
      const dot = make("i", { className: "dot" });
      dot.style.background = tint(series.colour);
      const about = found.some((each) => each.between) ? "≈ " : "";
      parts.push(make("span", {}, dot, `${series.label} ${about}${told(found.map((each) => each.value), series)}`.trim()));
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


/** A line's value at an x; where it has no point there, that of the line as it is drawn, between two points. */
function valueAt({ x: xs, y }, x, log) {
  const after = xs.findIndex((each) => each >= x);
  if (after < 0 || xs[after] === x || after === 0) return { value: xs[after] === x ? y[after] : NaN };
  const [low, high] = [y[after - 1], y[after]];
  if (!Number.isFinite(low) || !Number.isFinite(high)) return { value: NaN };
  const share = (x - xs[after - 1]) / (xs[after] - xs[after - 1]);
  const value = log && low > 0 && high > 0 ? low * (high / low) ** share : low + share * (high - low);
  return { value, between: true };
}
