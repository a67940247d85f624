// A figure: its panels, the legend as buttons, choices, and downloads.

class FigureView {
  constructor(figure, panels) {
    this.figure = figure;
    this.panels = panels;
    this.boxes = [...figure.querySelectorAll(".panels > .panel")];
    this.focus = {}; // the arm that is looked at
    const key = figure.closest("[data-cursor]")?.dataset.cursor ?? figure.id; // what shares one cursor
    this.views = panels.map((panel, at) => {
      if (!panel?.series) return null;
      return new (panel.heat ? HeatView : PanelView)(panel, this.boxes[at], key, this.focus);
    });
    this.live = panels.filter((panel) => panel?.series);
    this.isLive = this.live.length > 0; // or it is a drawing alone, whose numbers can be kept
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
      for (const [event, label] of [["pointerenter", item.dataset.series], ["focus", item.dataset.series], ["pointerleave"], ["blur"]]) {
        button.addEventListener(event, () => this.look(label));
      }
      button.addEventListener("click", () => {
        const name = item.dataset.series;
        const on = this.off.delete(name) || !this.off.add(name);
        button.setAttribute("aria-pressed", String(on));
        this.draw();
      });
    }
  }

  /** Where ranges are bars, look at one arm: it has its range as a band, and the others are faint. */
  look(label) {
    if (label && !this.views.some((view) => view?.lines?.some((line) => line.bars >= 0))) return;
    this.focus.label = label;
    for (const view of this.views) view?.plot?.redraw(false);
  }

  choices() {
    const lines = this.live.flatMap((panel) => panel.series);
    const seeds = [...new Set(lines.flatMap((series) => (series.each ? series.seeds : [])))].sort((a, b) => a - b);
    if (seeds.length > 1) {
      const each = seeds.map((seed) => [String(seed), `seed ${seed}`]);
      this.select("Seeds", "seeds", [["all", "mean and range"], ["each", "each seed"], ...each]);
    }
    const groups = [...new Set(this.live.map((panel) => panel.group).filter(Boolean))];
    if (groups.length > 1) {
      this.select(groups.every((each) => each.startsWith("layer")) ? "Layer" : "Of", "group", groups.map((group) => [group, group]));
      this.choice.group = groups[0];
      this.regroup();
    }
    if (lines.length || this.live.some((panel) => panel.walk)) this.select("Axis", "axis", [["drawn", "as drawn"], ["linear", "linear"], ["log", "logarithmic"]]);
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
    if (this.panels.some(Boolean)) button("CSV", "csv", "text/csv", () => csvOf(this.panels));
    button("SVG", "svg", "image/svg+xml", () => svgOf(this.figure));
  }
}
