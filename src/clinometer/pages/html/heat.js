// A heat map: a row for each layer, a column for each step, with the value at the cursor.

/** The colour of a value on a map's scale, between two of its stops. */
function heatColour(heat, value) {
  const along = (each) => (heat.log ? Math.log(Math.max(each, Number.MIN_VALUE)) : each);
  const [low, high] = [along(heat.low), along(heat.high)];
  const place = Math.min(Math.max((along(value) - low) / (high - low), 0), 1) * (heat.colours.length - 1);
  const [before, share] = [Math.floor(place), place % 1];
  const part = (at, from) => parseInt(heat.colours[Math.min(at, heat.colours.length - 1)].slice(from, from + 2), 16);
  const mixed = [0, 2, 4].map((from) => Math.round(part(before, from) * (1 - share) + part(before + 1, from) * share));
  return `rgb(${mixed})`;
}

/** A name that fits, without its middle where it is long. */
function fitted(name, most) {
  const half = Math.floor((most - 1) / 2);
  return name.length <= most ? name : `${name.slice(0, half)}…${name.slice(-half)}`;
}

class HeatView extends PanelView {
  constructor(panel, box, key, focus) {
    super(panel, box, key, focus);
    const { x, values } = panel.heat;
    const middles = x.slice(1).map((each, at) => (each + x[at]) / 2);
    const ends = x.length > 1 ? [2 * x[0] - middles[0], 2 * x.at(-1) - middles.at(-1)] : [x[0] - 0.5, x[0] + 0.5];
    this.edges = [ends[0], ...middles, ends[1]]; // of the columns
    const highest = values.map((row) => Math.max(...row.filter((value) => !Number.isNaN(value))));
    this.row = Math.max(highest.indexOf(Math.max(...highest)), 0); // what the cursor is at: first the highest row
    const said = "Arrow keys, Home and End move along the steps, up and down along the rows.";
    this.place.setAttribute("aria-label", `${panel.title}: a colour for each row and step. ${said}`);
    this.place.addEventListener("pointermove", ({ target, offsetY }) => {
      if (target === this.plot?.over || target.parentElement === this.plot?.over) {
        const top = target === this.plot.over ? offsetY : this.plot.cursor.top;
        this.row = Math.min(Math.max(Math.round(this.plot.posToVal(top, "y")), 0), values.length - 1);
      }
    });
    this.cell = make("div", { className: "cell", hidden: true });
    this.live.append(this.bar());
  }

  size(width) {
    return { width, height: 56 + Math.min(Math.max(22 * this.panel.heat.names.length, 90), 460) };
  }

  draw() {
    const width = this.box.clientWidth;
    if (!width) return;
    if (!this.live.isConnected) this.box.append(this.live);
    this.box.classList.add("is-live");
    this.destroy();
    const { x, names } = this.panel.heat;
    const [options] = plotOf(this.panel, [], false, this.size(width), this.key, this.focus);
    const most = Math.max(6, Math.floor((0.36 * width) / 6.5));
    const every = Math.ceil(names.length / Math.max(1, Math.floor((this.size(width).height - 56) / 14)));
    const shown = names.map((_, row) => row).filter((row) => row % every === 0);
    options.series = [{}, { points: { show: false } }];
    options.scales.x.range = (u, low, high) => (low === x[0] && high === x.at(-1) ? [this.edges[0], this.edges.at(-1)] : [low, high]);
    options.scales.y = { dir: -1, range: () => [-0.5, names.length - 0.5] };
    Object.assign(options.axes[0], { grid: { show: false } });
    Object.assign(options.axes[1], {
      grid: { show: false },
      ticks: { show: false },
      splits: () => shown,
      incrs: () => [Math.max(names.length, 5)],
      values: () => shown.map((row) => fitted(names[row], most)),
      size: 14 + 6.5 * Math.min(most, Math.max(...names.map((name) => name.length))),
    });
    options.cursor.y = false;
    options.cursor.points = { show: false };
    options.hooks = { draw: [(u) => this.paint(u)], setCursor: [() => this.read()] };
    this.plot = new uPlot(options, [x, x.map(() => null)], this.place);
    this.plot.over.append(this.cell);
    charts.add(this.plot);
  }

  paint(u) {
    const { ctx, bbox } = u;
    const { x, values } = this.panel.heat;
    const unit = devicePixelRatio || 1;
    const across = this.edges.map((edge) => Math.round(u.valToPos(edge, "x", true)));
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    values.forEach((row, at) => {
      const [top, bottom] = [at - 0.5, at + 0.5].map((edge) => Math.round(u.valToPos(edge, "y", true)));
      row.forEach((value, column) => {
        if (Number.isNaN(value)) return;
        ctx.fillStyle = heatColour(this.panel.heat, value);
        ctx.fillRect(across[column], top, across[column + 1] - across[column], bottom - top);
        if (!Number.isFinite(value)) this.cross(ctx, u.valToPos(x[column], "x", true), (top + bottom) / 2, unit);
      });
    });
    ctx.restore();
  }

  /** Infinity. */
  cross(ctx, x, y, unit) {
    for (const [colour, width] of [["#fff", 3], ["#111", 1.3]]) {
      [ctx.strokeStyle, ctx.lineWidth] = [colour, width * unit];
      ctx.beginPath();
      for (const turn of [1, -1]) {
        ctx.moveTo(x - 3.5 * unit, y - 3.5 * turn * unit);
        ctx.lineTo(x + 3.5 * unit, y + 3.5 * turn * unit);
      }
      ctx.stroke();
    }
  }

  /** What the colours stand for: a bar of them with its ends, and the limit where there is one. */
  bar() {
    const { colours, low, high, limit, unit } = this.panel.heat;
    const strip = make("span", { className: "strip" });
    strip.style.background = `linear-gradient(to right, ${colours.map((colour) => `#${colour}`).join(", ")})`;
    const edge = limit === null ? [] : [make("span", { className: "edge" }, `${short(limit)}: the limit`)];
    return make("div", { className: "scale" }, make("span", {}, short(low)), make("span", { className: "between" }, strip, ...edge), make("span", {}, short(high)), make("span", {}, unit));
  }

  step(event) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!by) return super.step(event);
    event.preventDefault();
    this.row = Math.min(Math.max(this.row + by, 0), this.panel.heat.names.length - 1);
    this.point(this.panel.heat.x[this.plot.cursor.idx ?? 0]);
  }

  read() {
    const { heat } = this.panel;
    const at = this.plot?.cursor.idx;
    const inside = at !== null && at !== undefined;
    this.cell.hidden = !inside;
    const parts = [];
    if (inside) {
      const value = heat.values[this.row][at];
      const [left, right] = [this.edges[at], this.edges[at + 1]].map((edge) => this.plot.valToPos(edge, "x"));
      const [top, bottom] = [this.row - 0.5, this.row + 0.5].map((edge) => this.plot.valToPos(edge, "y"));
      Object.assign(this.cell.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
      const joined = heat.to && heat.to[at] > heat.x[at];
      const x = this.panel.x || "x";
      const where = joined ? `${x}s ${short(heat.x[at])} to ${short(heat.to[at])}, the highest` : `${x} ${short(heat.x[at])}`;
      const dot = make("i", { className: "dot" });
      dot.style.background = Number.isNaN(value) ? "transparent" : heatColour(heat, value);
      parts.push(make("b", {}, where), make("span", {}, dot, `${heat.names[this.row]}: ${Number.isNaN(value) ? "not known" : short(value)}`));
    }
    this.readout.replaceChildren(...parts);
    this.readout.style.minHeight = `${this.readout.offsetHeight}px`;
  }
}
