// Text from outside, shown so that nothing in it hides, turns the line around, or passes for another letter.

import { h } from "./dom.js";

// Controls, format and invisible characters, variation selectors, fillers, spaces that are no space, halves of pairs.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffc\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}\p{Cs}\p{Co}\p{Cn}]/u;
// What looks like a hyphen, a letter or a digit of ASCII and is another character.
const ALIKE = /[\u02d7\u2010-\u2012\u2212\uff01-\uff5e\u{1d400}-\u{1d7ff}]/u;
const RUNS = new RegExp(`(?:(${HIDDEN.source})\\1*)|(${ALIKE.source})|[\\p{L}\\p{M}]+`, "gu");

const NAMES = {
  "200b": "zero width space", "200c": "zero width non-joiner", "200d": "zero width joiner", "200e": "left-to-right mark",
  "200f": "right-to-left mark", "202a": "left-to-right embedding", "202b": "right-to-left embedding",
  "202c": "pop directional formatting", "202d": "left-to-right override", "202e": "right-to-left override",
  "2060": "word joiner", "2066": "left-to-right isolate", "2067": "right-to-left isolate", "2068": "first strong isolate",
  "2069": "pop directional isolate", feff: "byte order mark", "00ad": "soft hyphen", "00a0": "no-break space",
  "0000": "null", "001b": "escape", "0008": "backspace", "007f": "delete", "000d": "carriage return",
};

/** The text as nodes. Not for long texts: see `Long`. */
export function shown(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(RUNS)) {
    const part = odd(match);
    if (!part) continue;
    parts.push(text.slice(from, match.index), part);
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  return h("bdi", { class: "text" }, parts.filter((part) => part !== ""));
}

/** The text in one line of plain characters, for titles and notifications. */
export function plain(text) {
  const point = (c) => `[U+${code(c).toUpperCase()}]`;
  return [...String(text)].map((c) => (HIDDEN.test(c) || c === "\n" || c === "\t" ? point(c) : c)).join("");
}

function odd(match) {
  const [run, hidden, alike] = match;
  if (hidden !== undefined) return ghost(hidden, run.length / hidden.length);
  if (alike !== undefined) return h("span", { class: "mixed" }, h("u", { title: `U+${code(alike).toUpperCase()}` }, alike));
  return mixed(run) ? strange(run) : null;
}

function ghost(character, times) {
  const name = NAMES[code(character)] ?? "a character that cannot be seen";
  const count = times > 1 ? ` ×${times.toLocaleString("en")}` : "";
  return h("span", { class: "ghost", title: `${name}${count}` }, `U+${code(character).toUpperCase()}${count}`);
}

function strange(word) {
  const letters = [...word].map((c) => (/\p{Script=Latin}/u.test(c) ? c : h("u", { title: `U+${code(c).toUpperCase()}` }, c)));
  return h("span", { class: "mixed", title: "letters of several alphabets in one word" }, letters);
}

function mixed(word) {
  return /\p{Script=Latin}/u.test(word) && /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}]/u.test(word);
}

function code(character) {
  return character.codePointAt(0).toString(16).padStart(4, "0");
}

/** Characters that are there at first, and that each push of the button adds. */
const FIRST = 1_500;
const MORE = 20_000;

/** A text of any length: its beginning, and more of it when it is asked for. */
export function long(text) {
  if (text.length <= FIRST * 1.2) return shown(text);
  let at = cut(text, FIRST);
  const body = h("span", {}, shown(text.slice(0, at)));
  const more = h("button", { type: "button", class: "more", onclick: () => grow() });
  const label = () => (more.textContent = `Show more (${(text.length - at).toLocaleString("en")} characters are not shown)`);
  const grow = () => {
    const end = cut(text, at + MORE);
    body.append(shown(text.slice(at, end)));
    at = end;
    if (at >= text.length) more.remove();
    else label();
  };
  label();
  return h("span", { class: "long" }, body, more);
}

// Not between the halves of a pair.
function cut(text, at) {
  const half = text.charCodeAt(at - 1);
  return half >= 0xd800 && half <= 0xdbff ? at + 1 : at;
}

/** How long until, as a clock. */
export function left(milliseconds) {
  if (milliseconds <= 0) return "time is over";
  const seconds = Math.floor(milliseconds / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours >= 48) return `${Math.floor(hours / 24)} days`;
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
}

/** A length of time in the two units that matter. */
export function span(milliseconds) {
  if (milliseconds < 1) return `${Math.round(milliseconds * 1000)} µs`;
  if (milliseconds < 1000) return `${Number(milliseconds.toPrecision(3))} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${Number(seconds.toPrecision(2))} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} days`;
}

/** How long ago. */
export function ago(at, now = Date.now()) {
  const seconds = Math.round((now - Date.parse(at)) / 1000);
  if (seconds < 10) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}

const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const DATE = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "long" });

/** A time as an element: short to read, whole on demand. */
export function time(at) {
  const date = new Date(at);
  const now = new Date();
  const day = now.getFullYear() === date.getFullYear() ? DAY : DATE;
  const text = now.toDateString() === date.toDateString() ? CLOCK.format(date) : `${day.format(date)}, ${CLOCK.format(date)}`;
  return h("time", { datetime: at, title: WHOLE.format(date) }, text);
}

/** A count with its noun. */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}
