// Builds the page from elements and text alone: nothing here, or anywhere in the console, reads text as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `h("p", { class: "why" }, "text", other)`. Members that begin with `on` are listeners. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  add(element, children);
  return element;
}

/** Appends nodes, texts, and lists of them; what is missing is left out. */
export function add(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child !== undefined && child !== null && child !== false) element.append(child);
  }
  return element;
}

/** Puts these in the place of what an element had. */
export function replace(element, ...children) {
  element.replaceChildren();
  return add(element, children);
}

/** A button that does something. */
export function button(text, onclick, attributes = {}) {
  return h("button", { type: "button", onclick, ...attributes }, text);
}

/** A key on the keyboard. It is there for eyes: the button's name is its text. */
export function key(name) {
  return h("kbd", { "aria-hidden": "true" }, name);
}

/** A file for the user, made here. */
export function download(name, type, parts) {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  const link = h("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

const ICONS = {
  holds: ["M6 3h12v4l-4 5 4 5v4H6v-4l4-5-4-5z"],
  trail: ["M4 6h2M4 12h2M4 18h2M10 6h10M10 12h10M10 18h7"],
  now: ["M3 13h4l3-8 4 14 3-6h4"],
  tools: ["M14.5 5.5a4 4 0 0 0-5 5L4 16v4h4l5.5-5.5a4 4 0 0 0 5-5L16 12l-3-1-1-3z"],
  agents: ["M5 9h14v10H5zM12 9V5M9 14h.01M15 14h.01M2 13v3M22 13v3"],
  policies: ["M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6z", "M9 12l2 2 4-4"],
};

/** A page's sign. */
export function icon(name) {
  const paths = (ICONS[name] ?? []).map((d) => s("path", { d }));
  return s("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" }, paths);
}
