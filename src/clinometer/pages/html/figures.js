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
