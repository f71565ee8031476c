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
