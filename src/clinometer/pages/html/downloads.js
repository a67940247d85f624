// What can be kept of a figure: its numbers as CSV, and its drawing.

function download(name, type, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Every number that the block has, in the columns of the CSV beside a figure that a command writes. */
function csvOf(panels) {
  const cell = (text) => `"${(/^[=+\-@\t]/.test(text) ? "'" : "") + text.replaceAll('"', '""')}"`;
  const number = (value) => (typeof value === "string" ? value : String(value).replace("Infinity", "inf").replace("NaN", "nan"));
  const rows = ["panel,title,kind,name,statistic,x,y,z"];
  panels.forEach((panel, at) => {
    if (!panel) return;
    const add = (kind, name, statistic, ...place) =>
      rows.push([at + 1, cell(panel.title), kind, cell(name), statistic, ...place.map(number)].join(","));
    for (const [kind, name, statistic, count, ...columns] of panel.parts || []) {
      const [x, y, z] = columns.map((column) => spread(column, count));
      for (let row = 0; row < count; row += 1) add(kind, name, statistic, x(row), y(row), z(row));
    }
    for (const series of panel.series || []) {
      const line = (statistic, xs, ys) => ys?.forEach((y, row) => add("line", series.label, statistic, xs[row], y, ""));
      for (const [name, statistic] of [["y", "line"], ["low", "low"], ["high", "high"]]) line(statistic, series.xs, series[name]);
      series.each?.forEach((ys, seed) => line(`seed ${series.seeds[seed]}`, series.each_xs[seed], ys));
    }
    for (const { label, x } of panel.verticals || []) add("vertical", label, "line", x, "", "");
    panel.heat?.names.forEach((name, row) => {
      panel.heat.x.forEach((x, column) => add("heat map", name, "value", x, "", panel.heat.values[row][column]));
    });
    panel.walk?.steps.forEach((step, row) => {
      panel.walk.sizes[row].forEach((size, column) => add("walk", "", "loss", size, step, panel.walk.losses[row][column]));
    });
  });
  return rows.join("\n") + "\n";
}

/** A packed column by its rows: numbers, one number or text for all, or numbers evenly from one to another. */
function spread(column, count) {
  if (Array.isArray(column)) return (row) => SIGNS.get(column[row]) ?? column[row];
  if (typeof column !== "object" || column === null) return () => SIGNS.get(column) ?? column;
  return (row) => Number((column.from + ((column.to - column.from) * row) / (count - 1)).toPrecision(7));
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
