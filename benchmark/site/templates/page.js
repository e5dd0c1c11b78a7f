"use strict";
// Tables sort by their heads' buttons and filter by a text; without this script they stand as they were written.

const value = (row, column) => row.cells[column].dataset.v;

function compare(a, b, numeric) {
  if (a === "" || b === "") return (a === "") - (b === ""); // what is missing comes last, whichever way
  return numeric ? a - b : a.localeCompare(b);
}

function sort(table, column) {
  const head = table.tHead.rows[0].cells[column];
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const numeric = rows.every((row) => value(row, column) === "" || Number.isFinite(Number(value(row, column))));
  const before = head.getAttribute("aria-sort");
  const down = before ? before === "ascending" : numeric; // numbers best first
  rows.sort((one, other) => {
    const [a, b] = [value(one, column), value(other, column)];
    const order = compare(a, b, numeric);
    return down && a !== "" && b !== "" ? -order : order;
  });
  body.append(...rows);
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
}

function filter(table, tools) {
  const text = tools.querySelector("input[type=search]").value.trim().toLowerCase();
  const box = tools.querySelector("input[type=checkbox]");
  const rows = [...table.tBodies[0].rows];
  for (const row of rows) {
    const baseline = box !== null && !box.checked && row.classList.contains("baseline");
    row.hidden = baseline || !row.textContent.toLowerCase().includes(text);
  }
  const shown = rows.filter((row) => !row.hidden).length;
  tools.querySelector("output").textContent = shown === rows.length ? "" : `${shown} of ${rows.length} rows`;
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => sort(table, column));
  });
  for (const tools of document.querySelectorAll(".tools")) {
    if (tools.dataset.for !== table.id) continue;
    tools.hidden = false;
    tools.addEventListener("input", () => filter(table, tools));
  }
}
