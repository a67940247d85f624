// Draws a chart from a panel of a data block, in the place of its SVG.
// Without this script, and on paper, the SVG is what one sees.

const charts = new Set(); // every uPlot that is shown

const sizeFor = (width) => ({ width, height: Math.round(Math.min(Math.max(0.7 * width, 200), 340)) });

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

