// The page: it finds figures, filters rows by verdict, keeps the contents in step, and opens what a link points at.
(async () => {
  const all = (selector) => [...document.querySelectorAll(selector)];

  const figures = all("figure.chart");
  const views = new Map();

  let waiting = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => views.forEach((view) => view.resize()));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const chart of charts) chart.redraw(false, true);
  });

  for (const filter of all(".filter")) {
    filter.hidden = false;
    const buttons = [...filter.querySelectorAll("[data-filter]")];
    filter.addEventListener("click", (event) => {
      const button = event.target.closest("[data-filter]");
      if (!button) return;
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      const on = buttons.filter((each) => each.getAttribute("aria-pressed") === "true").map((each) => each.dataset.filter);
      for (const row of all("[data-verdict]")) row.hidden = !on.includes(row.dataset.verdict);
    });
  }

  const contents = document.querySelector(".contents");
  if (contents && matchMedia("(max-width: 60rem)").matches) contents.open = false;
  const links = all('.contents a[href^="#"]');
  const targets = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));
  function markPlace() {
    const passed = targets.map((target) => target && target.getBoundingClientRect().top < innerHeight / 3);
    const here = passed.lastIndexOf(true);
    links.forEach((link, at) => (at === here ? link.setAttribute("aria-current", "location") : link.removeAttribute("aria-current")));
  }
  addEventListener("scroll", markPlace, { passive: true });
  markPlace();

  function openTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let each = target; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
    const inner = target.querySelector(":scope > details");
    if (inner) inner.open = true;
    target.scrollIntoView();
  }
  addEventListener("hashchange", openTarget);
  if (location.hash) openTarget();

  // A row that opens brings the figures that show what it says, and gives them back when it closes.
  let printing = false;
  const homes = new Map();
  for (const slot of all("[data-figures]")) {
    const row = slot.closest("details");
    row.addEventListener("toggle", () => {
      for (const id of printing ? [] : slot.dataset.figures.split(" ")) {
        const figure = document.getElementById(id);
        if (!homes.has(figure)) homes.set(figure, leaveNote(figure));
        if (row.open) slot.append(figure);
        else if (figure.parentElement === slot) homes.get(figure).after(figure);
        views.get(figure)?.resize();
      }
    });
  }

  function leaveNote(figure) {
    const note = document.createElement("p");
    note.className = "away";
    note.textContent = `${figure.querySelector(".chart-title").textContent}: shown with the claim that is open above.`;
    figure.before(note);
    return note;
  }

  const opened = new Set();
  addEventListener("beforeprint", () => {
    printing = true;
    for (const each of all("details:not([open])")) opened.add(each), (each.open = true);
  });
  addEventListener("afterprint", () => {
    for (const each of opened) each.open = false;
    opened.clear();
    setTimeout(() => (printing = false));
  });

  const blocks = figures.map((figure) => figure.querySelector('script[type^="application/"]'));
  const panels = await Promise.all(blocks.map((block) => (block ? read(block) : [])));
  figures.forEach((figure, at) => views.set(figure, new FigureView(figure, panels[at])));
  const first = [...views.values()].find((view) => view.isLive);
  first?.hint("Values stand here when you point at a chart or use arrow keys; drag to look closer, double-click to see all.");

  const near = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        views.get(target).draw();
        near.unobserve(target);
      }
    },
    { rootMargin: "600px" },
  );
  for (const figure of figures) near.observe(figure);
})();
