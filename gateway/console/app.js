// The console: signs in, keeps the connection, shows one page at a time. Read this first.

import { Api, session } from "./api.js";
import { button, h, icon, key, replace } from "./dom.js";
import { Notices } from "./notices.js";
import { tell } from "./parts.js";
import { passkeys } from "./passkeys.js";
import { signIn, signOut } from "./sign-in.js";
import { Waiting } from "./waiting.js";
import * as agents from "./agents.js";
import * as holds from "./holds.js";
import * as now from "./now.js";
import * as policies from "./policies.js";
import * as tools from "./tools.js";
import * as trail from "./trail.js";

const PAGES = { holds, trail, now, tools, agents, policies };
const TITLES = { holds: "Holds", trail: "Trail", now: "Now", tools: "Tools", agents: "Agents", policies: "Policies" };
const STATES = { connecting: "connecting", live: "live", away: "no connection", out: "signed out" };

const main = document.getElementById("main");
let around = null;
let shownPage = null;
let shownName = "holds";

start();

async function start() {
  const who = await who_is_there();
  around = { api: new Api(who.csrf), waiting: new Waiting(), session: who, go, query };
  around.notices = new Notices(around.waiting);
  frame();
  around.api.addEventListener("state", connection);
  around.waiting.addEventListener("change", badge);
  addEventListener("hashchange", show);
  addEventListener("keydown", pressed);
  // The page is named by what stands after the `#`: following this link would leave it.
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  around.api.open();
  show();
}

/** Whoever is signed in; asks until somebody is. */
async function who_is_there() {
  for (;;) {
    const who = location.pathname === "/sign-in" && location.hash ? null : await session().catch(() => undefined);
    if (who) return who;
    await signIn(main, who === undefined);
  }
}

/** What stands around every page. */
function frame() {
  const link = ([name, title], place) => h("a", { href: `#${name}`, id: `to-${name}`, title: `${title} (${place + 1})` },
    icon(name), h("span", { class: "label" }, title), name === "holds" ? h("span", { class: "count", id: "pending" }) : null);
  const { name, role, pin } = around.session;
  replace(document.getElementById("side"),
    h("a", { href: "#holds", class: "brand" }, h("img", { src: "/icon.svg", alt: "", width: 22, height: 22 }), "Portcullis"),
    h("nav", { "aria-label": "Pages" }, Object.entries(TITLES).map(link)),
    h("div", { class: "account" },
      h("p", { id: "connection", role: "status" }),
      h("p", { class: "name", title: role }, name, role ? h("span", { class: "faint" }, ` · ${role}`) : null),
      h("p", { class: "small" },
        button(["Keys ", key("?")], keys, { class: "link" }),
        pin && role !== "reviewer" ? button("Passkeys", () => passkeys(around), { class: "link" }) : null, button("Sign out", () => signOut(around), { class: "link" }))));
  document.body.classList.add("in");
  connection();
}

function show() {
  const { page, rest, search } = place();
  if (page === shownName && shownPage?.update) return shownPage.update(rest, search);
  shownPage?.leave?.();
  for (const name of Object.keys(PAGES)) {
    const link = document.getElementById(`to-${name}`);
    if (name === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const root = h("div", { class: `page ${page}` });
  replace(main, root);
  shownName = page;
  shownPage = PAGES[page].open(root, around, rest, search);
  badge();
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
}

/** The page, what of it, and the query in the address: `#trail/call-…?agent=ann`. */
function place() {
  const [path, search = ""] = location.hash.slice(1).split(/\?(.*)/s);
  const [name, ...rest] = path.split("/");
  const page = Object.hasOwn(PAGES, name) ? name : "holds";
  return { page, rest: decoded(rest.join("/")), search: new URLSearchParams(search) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function go(page, rest = "", search = null) {
  const path = rest ? `${page}/${encodeURIComponent(rest)}` : page;
  const query = search?.toString();
  location.hash = query ? `${path}?${query}` : path;
}

function query(search) {
  const { page, rest } = place();
  const text = search.toString();
  history.replaceState(null, "", `#${rest ? `${page}/${encodeURIComponent(rest)}` : page}${text ? `?${text}` : ""}`);
}

/** What the connection is, in words and in the corner; the subscription comes back with it. */
async function connection() {
  const { api, waiting } = around;
  const note = document.getElementById("connection");
  note.className = api.state;
  replace(note, h("span", { class: "dot", "aria-hidden": "true" }), STATES[api.state]);
  document.getElementById("away").hidden = api.state !== "away";
  if (api.state === "out") location.reload();
  if (api.state !== "live") return;
  await api.follow((event) => waiting.hear(event)).catch(() => undefined);
  shownPage?.live?.();
}

/** How many wait, where it is seen from another window. */
function badge() {
  const pending = around.waiting.pending();
  document.getElementById("pending").textContent = pending || "";
  document.title = `${pending ? `(${pending}) ` : ""}${TITLES[shownName]} · Portcullis`;
  document.getElementById("favicon").href = pending ? "/icon-waiting.svg" : "/icon.svg";
}

function pressed(event) {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const page = Object.keys(PAGES)[Number(event.key) - 1];
  if (page) go(page);
  else if (event.key === "?") keys();
  else if (!shownPage?.key?.(event.key)) return;
  event.preventDefault();
}

const KEYS = [
  ["1 … 6", "the pages"], ["j k", "next and previous, of holds and records"], ["Enter", "open"], ["Esc", "back"], ["a", "approve this hold"],
  ["d", "deny this hold"], ["/", "search, in the trail and the tools"], ["r", "read again"], ["?", "this list"],
];

function keys() {
  tell({ title: "Keys", body: h("dl", { class: "keys" }, KEYS.map(([name, what]) =>
    h("div", {}, h("dt", {}, name.split(" ").map((one) => (one === "…" ? " … " : h("kbd", {}, one)))), h("dd", {}, what)))) });
}
