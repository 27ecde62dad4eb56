// Reads JSON as it is written: a number that a double would round stays its token, and no key is special.

/** A number that JavaScript cannot hold. */
export class Exact {
  constructor(token) {
    this.token = token;
  }
  toJSON() {
    return this.token;
  }
}

const TOKEN = /[ \t\n\r]*(?:([{}[\]:,])|("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(true|false|null))/y;

/** The value of a JSON text. Throws on anything else. */
export function parse(text) {
  TOKEN.lastIndex = 0;
  const value = read(text, next(text));
  if (text.slice(TOKEN.lastIndex).trim() !== "") throw new SyntaxError("text after the value");
  return value;
}

function next(text) {
  const found = TOKEN.exec(text);
  if (!found) throw new SyntaxError("not JSON");
  return found;
}

function read(text, [, sign, string, number, word]) {
  if (string !== undefined) return JSON.parse(string);
  if (number !== undefined) return numeric(number);
  if (word !== undefined) return JSON.parse(word);
  if (sign === "[") return list(text);
  if (sign === "{") return members(text);
  throw new SyntaxError("not a value");
}

function list(text) {
  const items = [];
  let token = next(text);
  if (token[1] === "]") return items;
  for (;;) {
    items.push(read(text, token));
    if (ends(next(text), "]")) return items;
    token = next(text);
  }
}

// Without a prototype, `__proto__` is a key like any other.
function members(text) {
  const object = Object.create(null);
  let token = next(text);
  if (token[1] === "}") return object;
  for (;;) {
    if (token[2] === undefined) throw new SyntaxError("not a key");
    const name = JSON.parse(token[2]);
    if (next(text)[1] !== ":") throw new SyntaxError("no colon");
    object[name] = read(text, next(text));
    if (ends(next(text), "}")) return object;
    token = next(text);
  }
}

function ends(token, sign) {
  if (token[1] === sign) return true;
  if (token[1] === ",") return false;
  throw new SyntaxError("neither a comma nor an end");
}

function numeric(token) {
  const value = Number(token);
  return String(value) === token ? value : new Exact(token);
}

/** The JSON text of a value that `parse` read, indented; numbers as they were written. */
export function write(value, indent = "") {
  if (value instanceof Exact) return value.token;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const inner = `${indent}  `;
  const parts = Array.isArray(value)
    ? value.map((item) => inner + write(item, inner))
    : Object.keys(value).map((name) => `${inner}${JSON.stringify(name)}: ${write(value[name], inner)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return parts.length === 0 ? open + close : `${open}\n${parts.join(",\n")}\n${indent}${close}`;
}
