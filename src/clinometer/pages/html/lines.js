// The lines of a panel as uPlot draws them, and what it does not draw: marks, bars, infinite values.

const BANDS = 3; // as many can be told where they overlap; more are bars with caps, as in print
const BARS = 8; // of a line, about

/** The lines of a panel under the present choices; `shown` says which entries of the legend are on. */
function linesOf(panel, choice, shown) {
  const lines = [];
  const wanted = panel.series.filter((each) => shown(each.label));
  const ranged = wanted.filter((series) => series.low && series.high && (choice.seeds === "all" || !series.each));
  const barred = ranged.length > BANDS ? ranged : [];
  for (const series of wanted) {
    const { alpha } = series;
    const line = (y, more) => lines.push({ series, y, x: series.xs, alpha, width: 1.6, ...more });
    if (series.each && choice.seeds === "each") {
      series.each.forEach((y, at) => line(y, { x: series.each_xs[at], width: 1, alpha: 0.6 * alpha }));
    } else if (series.each && choice.seeds !== "all") {
      const at = series.seeds.indexOf(Number(choice.seeds));
      if (at >= 0) line(series.each[at], { x: series.each_xs[at] });
    } else {
      if (series.low && series.high) {
        const bars = barred.length ? { bars: barred.indexOf(series), of: barred.length } : {};
        line(series.high, { width: 0, ...bars });
        line(series.low, { width: 0, closes: true, ...bars });
      }
      if (series.y) line(series.y);
    }
  }
  return lines;
}

function isLog(panel, choice) {
  if (panel.heat) return false;
  const values = panel.series.flatMap((s) => [s.y, s.low, s.high, ...(s.each || [])]).concat(panel.walk?.losses || []);
  const numbers = values.filter(Boolean).flat().filter(Number.isFinite);
  const fits = numbers.some((value) => value > 0) && numbers.every((value) => value >= 0);
  return fits && (choice.axis === "drawn" ? panel.yscale : choice.axis) === "log";
}

/** uPlot's options and data for the lines of a panel. */
function plotOf(panel, lines, log, size, key, focus) {
  const xlog = panel.xscale === "log";
  const fits = (value) => (Number.isFinite(value) && !(log && value <= 0) ? value : null);
  const tables = lines.map(({ y, x: xs }) => {
    const kept = xs.map((_, at) => at).filter((at) => !xlog || xs[at] > 0);
    return [kept.map((at) => xs[at]), kept.map((at) => fits(y[at]))];
  });
  const data = tables.length ? uPlot.join(tables) : [[], []];
  const faded = (line) => (focus.label === undefined || focus.label === line.series.label ? 1 : 0.3);
  const stroke = (line) => () => withAlpha(tint(line.series.colour), line.alpha * faded(line));
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
      ? [{ series: [at, at + 1], fill: () => (isBand(line, focus) ? withAlpha(tint(line.series.colour), 0.25 * line.alpha) : null) }]
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
    // uPlot looks for an increment even where ticks are given, and shows none where it finds none; below 5 it must know it.
    ...(log
      ? { splits: (u, at, low, high) => logTicks(low, high), filter: (u, splits) => splits, incrs: (u, at, low, high) => [Math.max(high - low, 5)] }
      : {}),
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
      hooks: { draw: [(u) => marks(u, panel, lines, focus)] },
    },
    data,
  ];
}

/** Whether a range is a band: where bands are few, and the one that is looked at. */
const isBand = (line, focus) => line.bars === undefined || focus.label === line.series.label;

/** What is not a line: verticals, bars, and infinite values as triangles at the frame. */
function marks(u, panel, lines, focus) {
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
  lines.forEach((line, at) => {
    if (line.closes && !isBand(line, focus)) bars(u, line, lines[at - 1].y, unit, focus);
  });
  for (const line of lines) {
    const { series, y, x: xs, width: thick } = line;
    ctx.globalAlpha = focus.label === undefined || focus.label === series.label ? 1 : 0.3;
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

/** A range as bars with caps at some of its points; those of other ranges stand beside them. */
function bars(u, line, high, unit, focus) {
  const { ctx } = u;
  const { min, max } = u.scales.x;
  const shown = line.x.map((_, at) => at).filter((at) => line.x[at] >= min && line.x[at] <= max);
  const apart = shown.length >= BARS * line.of; // then every range has points of its own
  const every = Math.max(1, Math.floor(shown.length / BARS));
  const shift = apart ? 0 : 3 * unit * (line.bars - (line.of - 1) / 2);
  const place = (value) => u.valToPos(value, "y", true);
  ctx.strokeStyle = tint(line.series.colour);
  ctx.lineWidth = 1.2 * unit;
  ctx.globalAlpha = line.series.alpha * (focus.label === undefined ? 1 : 0.3);
  for (let each = apart ? Math.floor((every * line.bars) / line.of) : Math.floor(every / 2); each < shown.length; each += every) {
    const at = shown[each];
    const [bottom, top] = [place(line.y[at]), place(high[at])];
    if (!Number.isFinite(bottom) || !Number.isFinite(top)) continue;
    const middle = u.valToPos(line.x[at], "x", true) + shift;
    ctx.beginPath();
    ctx.moveTo(middle, bottom);
    ctx.lineTo(middle, top);
    for (const end of [bottom, top]) {
      ctx.moveTo(middle - 3 * unit, end);
      ctx.lineTo(middle + 3 * unit, end);
    }
    ctx.stroke();
  }
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

