"use strict";

// The order of two cells of a column: numbers by size, words by alphabet, empty cells always last.
function compareCells(a, b, descending) {
  const x = a.dataset.v, y = b.dataset.v;
  const noX = x === undefined || x === "", noY = y === undefined || y === "";
  if (noX || noY) return noX - noY;
  const sign = descending ? -1 : 1;
  const p = Number(x), q = Number(y);
  if (Number.isNaN(p) || Number.isNaN(q)) return sign * x.localeCompare(y);
  return p === q ? 0 : sign * (p < q ? -1 : 1);
}

// Each body of a table is sorted by itself, so that controls keep framing the models.
function sortTable(table, column, descending) {
  for (const body of table.tBodies) {
    const rows = Array.from(body.rows);
    rows.sort((a, b) => compareCells(a.cells[column], b.cells[column], descending));
    rows.forEach((row) => body.appendChild(row));
  }
}

function onSort(event) {
  const head = event.currentTarget.closest("th");
  const table = head.closest("table");
  const before = head.getAttribute("aria-sort");
  // The first click puts the best on top; the next ones turn the order round.
  const descending = before ? before === "ascending" : head.dataset.first === "descending";
  table.querySelectorAll("th[aria-sort]").forEach((th) => th.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  sortTable(table, head.cellIndex, descending);
}

document.querySelectorAll("th button").forEach((b) => b.addEventListener("click", onSort));

// Which models are shown: by family, by claim, by a part of the name; kept in the address.
function filterModels() {
  const form = document.querySelector("form.filters");
  if (!form) return;
  const about = new Map();
  document.querySelectorAll("#models tr[data-model]").forEach((row) => about.set(row.dataset.model, row.dataset));
  const fields = ["family", "claim", "model"];

  function apply() {
    const wanted = Object.fromEntries(fields.map((name) => [name, form.elements[name].value.trim()]));
    const shown = new Set();
    about.forEach((data, model) => {
      const fits = (!wanted.family || data.family === wanted.family || data.family === "control")
        && (!wanted.claim || data.claim === wanted.claim || data.family === "control")
        && (!wanted.model || model.toLowerCase().includes(wanted.model.toLowerCase()) || data.family === "control");
      if (fits) shown.add(model);
    });
    document.querySelectorAll("[data-model]:not([data-frame])").forEach((e) => {
      e.toggleAttribute("data-hidden", about.has(e.dataset.model) && !shown.has(e.dataset.model));
    });
    const all = Array.from(about.values()).filter((data) => data.family !== "control");
    const left = all.filter((data) => shown.has(data.model));
    const any = fields.some((name) => wanted[name]);
    form.querySelector("output").textContent = any ? `${left.length} of ${all.length} models; floors and controls stay` : "";
    const query = new URLSearchParams(fields.filter((name) => wanted[name]).map((name) => [name, wanted[name]]));
    const address = location.pathname + (any ? `?${query}` : "") + location.hash;
    try { history.replaceState(null, "", address); } catch { /* some browsers keep file addresses as they are */ }
  }

  const given = new URLSearchParams(location.search);
  fields.forEach((name) => { if (given.has(name)) form.elements[name].value = given.get(name); });
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  if (fields.some((name) => given.get(name))) apply();
}

// The first pages and places whose words hold all that was typed.
function findPlaces(places, typed) {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const hits = places.filter((place) => words.every((word) => place.words.includes(word)));
  const starts = (place) => !place.title.toLowerCase().startsWith(words[0]);
  return hits.sort((a, b) => starts(a) - starts(b)).slice(0, 12);
}

function searchSite() {
  const form = document.querySelector("form.find");
  if (!form || typeof PLACES === "undefined") return;
  const list = form.querySelector("ul"), box = form.elements.q;
  const top = form.closest(".site").querySelector("nav a").getAttribute("href").replace("index.html", "");
  const places = PLACES.map(([title, kind, href]) => ({ title, kind, href, words: `${title} ${kind}`.toLowerCase() }));
  box.addEventListener("input", () => {
    const hits = findPlaces(places, box.value);
    list.replaceChildren(...hits.map((place) => {
      const item = document.createElement("li"), link = document.createElement("a"), kind = document.createElement("span");
      link.href = top + place.href;
      link.textContent = place.title;
      kind.textContent = place.kind;
      link.append(kind);
      item.append(link);
      return item;
    }));
    list.hidden = !hits.length;
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const first = list.querySelector("a");
    if (first) location.href = first.href;
  });
  form.addEventListener("keydown", (event) => { if (event.key === "Escape") { list.hidden = true; box.focus(); } });
}

// Says below a table that it goes on to the right, where it does.
function tellWideTables() {
  document.querySelectorAll(".scroll").forEach((box) => {
    box.toggleAttribute("data-wide", box.scrollWidth > box.clientWidth + 1);
  });
}

filterModels();
searchSite();
tellWideTables();
window.addEventListener("resize", tellWideTables);
