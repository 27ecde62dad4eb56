// Plots in SVG: bars over time, lines over time, and rows. Each says in words what it shows, for whoever does not see it.

import { h, s } from "./dom.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [430, 150, 46, 20, 8];
const INNER = { width: WIDTH - LEFT - 4, height: HEIGHT - BOTTOM - TOP };

/** Stacked bars. `series` are `[name, class]`, `value(part, name)` is a number. */
export function bars({ title, parts, series, value, span, format = short }) {
  const totals = parts.map((part) => series.reduce((sum, [name]) => sum + value(part, name), 0));
  const top = ceiling(Math.max(...totals));
  const width = INNER.width / parts.length;
  const body = parts.map((part, place) => {
    let y = TOP + INNER.height;
    const column = series.map(([name, kind]) => {
      const height = (value(part, name) / top) * INNER.height;
      if (height === 0) return null;
      y -= height;
      return s("rect", { x: LEFT + place * width + 0.5, y, width: Math.max(width - 1, 1), height, class: kind, rx: 0.5 });
    });
    const told = series.filter(([name]) => value(part, name) > 0).map(([name]) => `${name} ${format(value(part, name))}`).join(", ");
    return totals[place] === 0 ? null : s("g", {}, s("title", {}, `${label(span, place, parts.length)}: ${told}`), column);
  });
  const sums = series.map(([name]) => [name, parts.reduce((sum, part) => sum + value(part, name), 0)]);
  return figure(title, sums.map(([name, sum]) => `${name}: ${format(sum)}`).join(", "), frame(top, span, format, body), series, sums, format);
}

/** Lines; parts without a value leave a gap. */
export function lines({ title, parts, series, value, span, format = short }) {
  const all = parts.flatMap((part) => series.map(([name]) => value(part, name) ?? 0));
  const top = ceiling(Math.max(...all));
  const at = (place, number) => [LEFT + ((place + 0.5) / parts.length) * INNER.width, TOP + INNER.height * (1 - number / top)];
  const body = series.map(([name, kind]) => [
    s("path", { class: `line ${kind}`, d: path(parts, name, value, at) }),
    parts.map((part, place) => {
      const number = value(part, name);
      if (number === undefined || number === null) return null;
      const [x, y] = at(place, number);
      return s("circle", { class: kind, cx: x, cy: y, r: 2.2 }, s("title", {}, `${label(span, place, parts.length)}: ${name} ${format(number)}`));
    }),
  ]);
  const latest = series.map(([name]) => [name, parts.map((part) => value(part, name)).findLast((number) => number !== undefined && number !== null)]);
  return figure(title, latest.map(([name, number]) => `${name} at last ${number === undefined ? "unknown" : format(number)}`).join(", "), frame(top, span, format, body), series, latest, format);
}

function path(parts, name, value, at) {
  let drawing = "";
  let pen = "M";
  parts.forEach((part, place) => {
    const number = value(part, name);
    if (number === undefined || number === null) return void (pen = "M");
    const [x, y] = at(place, number);
    drawing += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
  });
  return drawing;
}

/** One bar a row: `[name, number, words, class]`. */
export function rows({ title, items, most }) {
  const top = most ?? Math.max(1, ...items.map(([, number]) => number));
  const bar = (number, kind) => s("svg", { class: "row-bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { width: 100, height: 8, class: "track", rx: 1 }), s("rect", { width: Math.min(100, (number / top) * 100), height: 8, class: kind, rx: 1 }));
  return h("figure", { class: "plot" }, h("figcaption", {}, h("h2", {}, title)),
    h("ul", { class: "bar-rows" }, items.map(([name, number, words, kind]) =>
      h("li", {}, h("span", { class: "row-name" }, name), h("span", { class: "row-words" }, words), bar(number, kind ?? "accent")))));
}

function frame(top, span, format, body) {
  const grid = [0, 0.5, 1].map((share) => {
    const y = TOP + INNER.height * (1 - share);
    return [s("path", { class: "grid", d: `M${LEFT} ${y}H${WIDTH - 4}` }), s("text", { x: LEFT - 6, y: y + 4, class: "y" }, format(top * share))];
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) =>
    s("text", { x: LEFT + INNER.width * share, y: HEIGHT - 5, class: `x ${share === 0 ? "first" : share === 1 ? "last" : ""}` }, stamp(span, share)));
  return [grid, body, ticks];
}

function figure(title, told, content, series, sums, format) {
  const legend = series.map(([name, kind], place) => h("li", {}, h("span", { class: `swatch ${kind}`, "aria-hidden": "true" }), name,
    h("b", {}, sums[place][1] === undefined ? "–" : format(sums[place][1]))));
  return h("figure", { class: "plot" }, h("figcaption", {}, h("h2", {}, title), h("ul", { class: "legend" }, legend)),
    s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}. ${told}` }, content));
}

function label(span, place, parts) {
  return stamp(span, place / parts);
}

function stamp({ since, until }, share) {
  const [from, to] = [Date.parse(since), Date.parse(until)];
  const date = new Date(from + (to - from) * share);
  const long = to - from > 48 * 3_600_000;
  return new Intl.DateTimeFormat(undefined, long ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(date);
}

/** A number that reads well and is not below. */
function ceiling(number) {
  if (!(number > 0)) return 1;
  const scale = 10 ** Math.floor(Math.log10(number));
  return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((step) => step * scale).find((step) => step >= number * 0.999);
}

function short(number) {
  return number >= 10_000 ? `${Number((number / 1000).toPrecision(3))}k` : Number(number.toPrecision(3)).toLocaleString("en");
}
