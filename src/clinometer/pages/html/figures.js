// A figure: its panels, the legend as buttons, choices, and downloads.

class FigureView {
  constructor(figure, panels) {
    this.figure = figure;
    this.panels = panels;
    this.boxes = [...figure.querySelectorAll(".panels > .panel")];
    this.views = panels.map((panel, at) => panel && new PanelView(panel, this.boxes[at], figure.id));
    this.isLive = panels.some(Boolean); // or it is a drawing alone, which can be kept as well
    this.off = new Set();
    this.choice = { seeds: "all", axis: "drawn", group: "" };
    this.tools = figure.querySelector(".chart-tools");
    this.buttons();
    if (this.isLive) this.choices();
    this.downloads();
  }

  hint(text) {
    this.views.find(Boolean).readout.textContent = text;
  }

  draw() {
    this.drawn = true;
    for (const view of this.views) view?.draw(this.choice, (label) => !this.off.has(label));
  }

  resize() {
    if (this.drawn) for (const view of this.views) view?.resize();
  }

  buttons() {
    for (const item of this.figure.querySelectorAll(".legend > [data-series]")) {
      const button = make("button", { type: "button", "aria-pressed": "true" });
      button.append(...item.childNodes);
      item.append(button);
      button.addEventListener("click", () => {
        const name = item.dataset.series;
        const on = this.off.delete(name) || !this.off.add(name);
        button.setAttribute("aria-pressed", String(on));
        this.draw();
      });
    }
  }

  choices() {
    const lines = this.panels.filter(Boolean).flatMap((panel) => panel.series);
    const seeds = [...new Set(lines.flatMap((series) => (series.each ? series.seeds : [])))].sort((a, b) => a - b);
    if (seeds.length > 1) {
      const each = seeds.map((seed) => [String(seed), `seed ${seed}`]);
      this.select("Seeds", "seeds", [["all", "mean and range"], ["each", "each seed"], ...each]);
    }
    const groups = [...new Set(this.panels.filter(Boolean).map((panel) => panel.group).filter(Boolean))];
    if (groups.length > 1) {
      this.select(groups.every((each) => each.startsWith("layer")) ? "Layer" : "Of", "group", groups.map((group) => [group, group]));
      this.choice.group = groups[0];
      this.regroup();
    }
    this.select("Axis", "axis", [["drawn", "as drawn"], ["linear", "linear"], ["log", "logarithmic"]]);
  }

  select(label, name, options) {
    const select = make("select", {}, ...options.map(([value, text]) => make("option", { value }, text)));
    select.dataset.choice = name;
    select.addEventListener("change", () => {
      this.choice[name] = select.value;
      if (name === "group") this.regroup();
      this.draw();
    });
    this.tools.append(make("label", {}, `${label} `, select));
  }

  regroup() {
    this.panels.forEach((panel, at) => {
      this.boxes[at].classList.toggle("other-group", Boolean(panel?.group) && panel.group !== this.choice.group);
    });
  }

  downloads() {
    const button = (text, ending, type, content) => {
      const made = make("button", { type: "button", "aria-label": `Download ${text} of ${this.figure.id}` }, text);
      made.addEventListener("click", () => download(`${this.figure.id}.${ending}`, type, content()));
      this.tools.append(made);
    };
    if (this.isLive) button("CSV", "csv", "text/csv", () => csvOf(this.panels));
    button("SVG", "svg", "image/svg+xml", () => svgOf(this.figure));
  }
}

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
