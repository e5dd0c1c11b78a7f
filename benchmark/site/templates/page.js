"use strict";
// Tables sort by their heads' buttons, filter by a text, and show the columns asked for; what was asked last stands in the
// address, behind #, so that it can be shared. Without this script tables stand whole, as they were written.

const value = (row, column) => row.cells[column].dataset.v;
const title = (head) => head.querySelector("button").textContent;

function compare(a, b, numeric) {
  if (a === "" || b === "") return (a === "") - (b === ""); // what is missing comes last, whichever way
  return numeric ? a - b : a.localeCompare(b);
}

function sort(table, head, down) {
  const column = head.cellIndex;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const numeric = rows.every((row) => value(row, column) === "" || Number.isFinite(Number(value(row, column))));
  const before = head.getAttribute("aria-sort");
  down ??= before ? before === "ascending" : numeric; // numbers best first
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
  const kind = tools.querySelector("select")?.value ?? "";
  for (const cell of table.querySelectorAll("[data-kind]")) cell.hidden = kind !== "" && cell.dataset.kind !== kind;
  const rows = [...table.tBodies[0].rows];
  for (const row of rows) {
    const baseline = box !== null && !box.checked && row.classList.contains("baseline");
    row.hidden = baseline || !row.textContent.toLowerCase().includes(text);
  }
  const shown = rows.filter((row) => !row.hidden).length;
  tools.querySelector("output").textContent = shown === rows.length ? "" : `${shown} of ${rows.length} rows`;
}

function keep(table, tools) {
  const asked = new URLSearchParams({ table: table.id });
  const head = table.querySelector("thead [aria-sort]");
  if (head) asked.set("sort", (head.getAttribute("aria-sort") === "descending" ? "-" : "") + title(head));
  const [text, box, kind] = ["input[type=search]", "input[type=checkbox]", "select"].map((one) => tools.querySelector(one));
  if (text.value) asked.set("filter", text.value);
  if (box && !box.checked) asked.set("baselines", "no");
  if (kind) asked.set("show", kind.value);
  history.replaceState(null, "", `#${asked}`);
}

function restore() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const table = document.getElementById(asked.get("table") ?? "");
  const tools = [...document.querySelectorAll(".tools")].find((one) => one.dataset.for === table?.id);
  if (!table || !tools) return;
  const by = asked.get("sort") ?? "";
  const head = [...table.tHead.rows[0].cells].find((one) => by === title(one) || by === `-${title(one)}`);
  if (head) sort(table, head, by !== title(head));
  const [text, box, kind] = ["input[type=search]", "input[type=checkbox]", "select"].map((one) => tools.querySelector(one));
  text.value = asked.get("filter") ?? "";
  if (box) box.checked = asked.get("baselines") !== "no";
  if (kind && asked.has("show")) kind.value = asked.get("show");
  if (kind && kind.selectedIndex < 0) kind.value = ""; // no such column
  filter(table, tools);
  tools.scrollIntoView();
}

for (const table of document.querySelectorAll("table.sortable")) {
  const tools = [...document.querySelectorAll(".tools")].find((one) => one.dataset.for === table.id);
  for (const head of table.tHead.rows[0].cells) {
    head.querySelector("button").addEventListener("click", () => {
      sort(table, head);
      keep(table, tools);
    });
  }
  tools.hidden = false;
  tools.addEventListener("input", () => {
    filter(table, tools);
    keep(table, tools);
  });
  filter(table, tools);
}
restore();
addEventListener("hashchange", restore);
