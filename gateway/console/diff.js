// A changed definition beside the pinned one, line by line.

import { h } from "./dom.js";
import { write } from "./json.js";
import { long } from "./text.js";

/** Lines that did not change and are shown around those that did. */
const AROUND = 3;

/** More lines than this are compared from both ends only: a definition has some hundreds. */
const MOST = 1_500;

/** Two JSON values as lines that went, came or stayed. */
export function diff(before, after) {
  const rows = compared(write(before).split("\n"), write(after).split("\n"));
  const near = rows.map(([sign], place) => sign !== " " || rows.slice(Math.max(0, place - AROUND), place + AROUND + 1).some(([other]) => other !== " "));
  const parts = [];
  let hidden = 0;
  const skip = () => {
    if (hidden) parts.push(h("li", { class: "skipped" }, `${hidden} lines are the same`));
    hidden = 0;
  };
  rows.forEach(([sign, text], place) => {
    if (!near[place]) return void hidden++;
    skip();
    parts.push(line(sign, text));
  });
  skip();
  return h("ol", { class: "diff" }, parts);
}

function line(sign, text) {
  const names = { "+": "added", "-": "removed", " ": "same" };
  const word = sign === " " ? null : h("span", { class: "unseen" }, `${names[sign]}: `);
  return h("li", { class: names[sign] }, h("span", { class: "sign", "aria-hidden": "true" }, sign), word, h("code", {}, long(text)));
}

function compared(before, after) {
  let start = 0;
  while (start < before.length && before[start] === after[start]) start++;
  let end = 0;
  while (end < Math.min(before.length, after.length) - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const same = (lines) => lines.map((text) => [" ", text]);
  const [old, fresh] = [before.slice(start, before.length - end), after.slice(start, after.length - end)];
  const middle = old.length > MOST || fresh.length > MOST ? [...old.map((text) => ["-", text]), ...fresh.map((text) => ["+", text])] : common(old, fresh);
  return [...same(before.slice(0, start)), ...middle, ...same(before.slice(before.length - end))];
}

// The longest common subsequence, from a table.
function common(old, fresh) {
  const width = fresh.length + 1;
  const table = new Uint16Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = fresh.length - 1; j >= 0; j--) {
      table[i * width + j] = old[i] === fresh[j] ? table[(i + 1) * width + j + 1] + 1 : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  const rows = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < fresh.length) {
    if (i < old.length && j < fresh.length && old[i] === fresh[j]) rows.push([" ", old[i++]]) && j++;
    else if (j >= fresh.length || (i < old.length && table[(i + 1) * width + j] >= table[i * width + j + 1])) rows.push(["-", old[i++]]);
    else rows.push(["+", fresh[j++]]);
  }
  return rows;
}
