// What can be kept of a figure: its numbers as CSV, and its drawing.

function download(name, type, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Every number that the block has, one a line: panel, series, which line of it, x, value. */
function csvOf(panels) {
  const cell = (text) => `"${(/^[=+\-@\t]/.test(text) ? "'" : "") + text.replaceAll('"', '""')}"`;
  const number = (value) => String(value).replace("Infinity", "inf").replace("NaN", "nan");
  const rows = ["panel,series,line,x,value"];
  for (const panel of panels.filter(Boolean)) {
    const add = (label, line, xs, ys) =>
      ys?.forEach((y, at) => rows.push([cell(panel.title), cell(label), cell(line), number(xs[at]), number(y)].join(",")));
    for (const series of panel.series) {
      const xs = panel.xs[series.x];
      for (const [name, line] of [["y", "line"], ["low", "low"], ["high", "high"]]) add(series.label, line, xs, series[name]);
      series.each?.forEach((ys, at) => add(series.label, `seed ${series.seeds[at]}`, xs, ys));
    }
    panel.walk?.steps.forEach((step, at) => add("walk", `step ${step}`, panel.walk.sizes[at], panel.walk.losses[at]));
  }
  return rows.join("\n") + "\n";
}

/** The panels' SVGs side by side in one, as they are on a light page, with the legend's names below. */
function svgOf(figure) {
  const shown = [...figure.querySelectorAll(".panels > .panel:not(.other-group) > svg")];
  const sizes = shown.map((svg) => svg.viewBox.baseVal);
  const columns = Math.min(shown.length, 3);
  const wide = Math.max(...sizes.map((size) => size.width));
  const high = Math.max(...sizes.map((size) => size.height));
  const rows = Math.ceil(shown.length / columns);
  const entries = [...figure.querySelectorAll(".legend > li")].map((item) => item.textContent);
  const inside = shown.map((svg, at) => {
    const copy = svg.cloneNode(true);
    const place = { x: wide * (at % columns), y: 24 + high * Math.floor(at / columns), width: wide, height: high };
    for (const [name, value] of Object.entries(place)) copy.setAttribute(name, value);
    return new XMLSerializer().serializeToString(copy);
  });
  const text = (value) => value.replace(/[<&]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const foot = [...figure.querySelectorAll(".legend > li svg")].map((svg, at) => {
    const copy = svg.cloneNode(true);
    const place = { x: 12 + (at % 3) * (wide * columns) / 3, y: 30 + high * rows + 16 * Math.floor(at / 3), width: 24, height: 12 };
    for (const [name, value] of Object.entries(place)) copy.setAttribute(name, value);
    const label = `<text x="${place.x + 30}" y="${place.y + 10}" font-size="9">${text(entries[at])}</text>`;
    return new XMLSerializer().serializeToString(copy) + label;
  });
  const [width, height] = [wide * columns, 40 + high * rows + 16 * Math.ceil(entries.length / 3)];
  const title = text(figure.querySelector(".chart-title").textContent);
  const whole =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    `font-family="sans-serif" color="#000" fill="#000"><rect width="100%" height="100%" fill="#fff"/>` +
    `<text x="12" y="16" font-size="12">${title}</text>${inside.join("")}<g fill="none">${foot.join("")}</g></svg>`;
  return whole
    .replace(/var\(--k([0-9a-f]{6})\)/g, "#$1")
    .replaceAll("var(--paper)", "#fff")
    .replaceAll("currentColor", "#000")
    .replaceAll("<g fill=\"none\">", "<g>");
}
