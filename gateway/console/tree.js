// Arguments as a tree. Rows are made when they are looked at: 10,000 keys and a megabyte of text cost what is on the screen.

import { button, h, replace } from "./dom.js";
import { Exact } from "./json.js";
import { count, long, shown } from "./text.js";

/** Members of one value that are shown at first, and that each push of a button adds. */
const FIRST = 40;
const MORE = 200;

/** Rows that are open from the beginning. */
const OPEN = 80;

/** Notes to which the way is opened, the marked ones first: an agent can have thousands of them. */
const TOLD = 100;

/** `notes` are elements by JSON pointer, made when they are shown: `{ "/to": { marked, told, make: () => element } }`. To what
 * is `told` the way is open from the beginning. */
export function tree(value, notes = {}) {
  const around = { notes, paths: above(notes), left: OPEN };
  return h("div", { class: "tree" }, isBranch(value) ? branch(value, "", around) : leaf(value));
}

/** Shows the row of a pointer. */
export function reveal(root, pointer) {
  const row = root.querySelector(`[data-at="${CSS.escape(pointer)}"]`);
  if (!row) return;
  row.scrollIntoView({ block: "center" });
  row.focus({ preventScroll: true });
}

// Every pointer on the way to one that is told.
function above(notes) {
  const paths = new Set();
  const told = Object.keys(notes).filter((pointer) => notes[pointer].told);
  told.sort((a, b) => Number(notes[b].marked) - Number(notes[a].marked));
  for (const pointer of told.slice(0, TOLD)) {
    for (let end = pointer.length; end > 0; end = pointer.lastIndexOf("/", end - 1)) paths.add(pointer.slice(0, end));
  }
  return paths;
}

function isBranch(value) {
  return value !== null && typeof value === "object" && !(value instanceof Exact);
}

function branch(value, at, around) {
  const names = Object.keys(value);
  if (names.length === 0) return h("span", { class: "none" }, Array.isArray(value) ? "[ ] empty list" : "{ } empty");
  const list = h("ul", {});
  const told = (name) => around.paths.has(`${at}/${escaped(name)}`);
  // What has a note is shown wherever it stands: nobody finds it behind 9,000 others.
  const wanted = names.map((name, place) => place < FIRST || told(name));
  fill(list, names, wanted, (name) => row(value, name, at, around));
  return list;
}

/** Rows that are wanted, and one button for each stretch of those that are not. */
function fill(list, names, wanted, make) {
  const rows = [];
  for (let place = 0; place < names.length; ) {
    if (wanted[place]) {
      rows.push(make(names[place++]));
      continue;
    }
    let end = place;
    while (end < names.length && !wanted[end]) end++;
    rows.push(gap(names, place, end, make));
    place = end;
  }
  list.append(...rows);
}

function gap(names, from, to, make) {
  const more = h("button", { type: "button", class: "more" });
  const item = h("li", { class: "gap" }, more);
  const label = () => (more.textContent = `Show more (${count(to - from, "member is", "members are")} not shown)`);
  more.addEventListener("click", () => {
    const end = Math.min(from + MORE, to);
    item.before(...names.slice(from, end).map(make));
    from = end;
    if (from >= to) item.remove();
    else label();
  });
  label();
  return item;
}

function row(parent, name, above, around) {
  const value = parent[name];
  const at = `${above}/${escaped(name)}`;
  const note = around.notes[at];
  const label = Array.isArray(parent) ? h("span", { class: "index" }, `${name}`) : h("span", { class: "key" }, keyText(name));
  const attributes = { class: note?.marked ? "marked" : null, "data-at": note ? at : null, tabindex: note ? "-1" : null };
  const notes = note ? h("div", { class: "notes" }, note.make()) : null;
  if (!isBranch(value)) return h("li", attributes, label, leaf(value), notes);
  const size = Object.keys(value).length;
  const inside = h("div", { class: "inside" });
  const open = around.paths.has(at) || (around.left > 0 && size <= FIRST);
  around.left -= Math.min(size, FIRST);
  const twist = button([label, h("span", { class: "size" }, Array.isArray(value) ? count(size, "item") : count(size, "member"))],
    () => turn(twist.getAttribute("aria-expanded") !== "true"), { class: "twist", "aria-expanded": "false" });
  const turn = (on) => {
    twist.setAttribute("aria-expanded", String(on));
    replace(inside, on ? branch(value, at, around) : null);
  };
  if (open) turn(true);
  return h("li", attributes, twist, notes, inside);
}

function keyText(name) {
  return name === "" ? h("span", { class: "ghost" }, "empty key") : long(name);
}

function leaf(value) {
  if (typeof value === "string") return text(value);
  if (value instanceof Exact) return h("span", { class: "value number" }, value.token);
  return h("span", { class: `value ${value === null ? "null" : typeof value}` }, String(value));
}

function text(value) {
  if (value === "") return h("span", { class: "none" }, "empty text");
  const size = value.length > 400 ? h("span", { class: "size" }, count(value.length, "character")) : null;
  return h("span", { class: "value string" }, size, long(value));
}

function escaped(name) {
  return String(name).replaceAll("~", "~0").replaceAll("/", "~1");
}

/** A pointer in words. */
export function pointerText(pointer) {
  if (pointer === "") return "the arguments as a whole";
  return shown(pointer.slice(1).split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~")).join(" › "));
}
