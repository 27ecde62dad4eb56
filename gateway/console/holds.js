// The holds: a list, the nearest deadline first, and the card of the one that is looked at.

import { actions, card, clock, tick } from "./card.js";
import { button, h, replace } from "./dom.js";
import { passes, widening } from "./passes.js";
import { proof } from "./proof.js";
import { ask, empty, proved, risk, toast, tool, trouble } from "./parts.js";
import { shown } from "./text.js";

export function open(root, around, id) {
  const list = h("div", {});
  const given = passes(around);
  const detail = h("div", { class: "hold-card" });
  root.append(h("header", { class: "page-head" }, h("h1", {}, "Holds"), notices(around.notices)), h("div", { class: "split" }, h("div", { class: "hold-list" }, list, given.place), detail));
  const page = new Page(around, root, list, detail, given);
  page.choose(id);
  return page;
}

function notices(notices) {
  const toggle = h("button", { type: "button", class: "quiet", onclick: async () => say(await notices.turn(notices.state !== "on")) });
  const words = { on: "Notices are on", off: "Notify me", refused: "Notices are blocked" };
  const say = (state) => {
    toggle.textContent = words[state];
    toggle.disabled = state === "refused";
    toggle.setAttribute("aria-pressed", String(state === "on"));
  };
  say(notices.state);
  return toggle;
}

class Page {
  #id = "";
  #shown = "";
  #asked = 0;

  constructor(around, root, list, detail, given) {
    Object.assign(this, { around, root, list, detail, given });
    given.read();
    this.heard = () => this.draw();
    around.waiting.addEventListener("change", this.heard);
    this.timer = setInterval(() => tick(root), 1_000);
  }

  leave() {
    this.around.waiting.removeEventListener("change", this.heard);
    clearInterval(this.timer);
  }

  update(id) {
    this.choose(id);
  }

  /** The connection is back: what is shown may be old. */
  live() {
    this.#shown = "";
    this.given.read();
    this.draw();
  }

  choose(id) {
    this.#id = id;
    this.draw();
    if (id) scrollTo(0, 0);
  }

  key(name) {
    if (name === "j" || name === "k") return this.move(name === "j" ? 1 : -1);
    if (name === "Escape" && this.#id) return this.around.go("holds"), true;
    if (name === "Enter") return this.move(0);
    if (name === "a" || name === "d") return this.press(name);
    if (name === "r") return this.live(), true;
    return false;
  }

  press(name) {
    const one = this.detail.querySelector(name === "a" ? ".answer .primary" : ".answer .danger");
    one?.click();
    return Boolean(one);
  }

  move(by) {
    const ids = this.all().map((hold) => hold.id);
    if (ids.length === 0) return true;
    const at = ids.indexOf(this.current()?.id);
    const next = ids[Math.min(Math.max(at + (at < 0 ? 1 : by), 0), ids.length - 1)];
    this.around.go("holds", next);
    requestAnimationFrame(() => this.list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" }));
    return true;
  }

  all() {
    return [...this.around.waiting.open(), ...this.around.waiting.ended()];
  }

  /** The chosen one; where there is room for both and none is chosen, the first. */
  current() {
    const first = this.around.waiting.open()[0];
    if (this.#id) return this.around.waiting.get(this.#id) ?? (this.around.waiting.known ? { id: this.#id, gone: true } : undefined);
    return matchMedia("(min-width: 900px)").matches ? first : undefined;
  }

  draw() {
    const { waiting } = this.around;
    const current = this.current();
    this.root.classList.toggle("one", Boolean(this.#id));
    const focused = this.list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    replace(this.list, this.items(current));
    if (focused) this.list.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    const version = current ? `${current.id} ${current.state} ${current.approvals?.length}` : `none ${waiting.known}`;
    if (version === this.#shown) return;
    this.#shown = version;
    this.load(current);
  }

  items(current) {
    const { waiting } = this.around;
    const item = (hold) => h("li", {}, h("a", { href: `#holds/${hold.id}`, class: `item ${hold.state}`, "aria-current": hold.id === current?.id ? "true" : null },
      h("span", { class: "line" }, risk(hold.risk), clock(hold)),
      h("span", { class: "item-title" }, tool(hold.server, hold.tool)),
      h("span", { class: "small faint" }, shown(hold.agent), note(hold))));
    const [open, ended] = [waiting.open(), waiting.ended()];
    if (!waiting.known) return h("p", { class: "faint pad" }, "Connecting …");
    return [open.length ? h("ul", { class: "items" }, open.map(item)) : empty("Nothing waits", "Calls that need an answer appear here as they come."),
      ended.length ? [h("h2", { class: "small-title" }, "Ended just now"), h("ul", { class: "items" }, ended.map(item))] : null];
  }

  async load(current) {
    const turn = ++this.#asked;
    if (!current) return replace(this.detail, this.around.waiting.known && !this.#id ? null : h("p", { class: "faint pad" }, "…"));
    const { api } = this.around;
    try {
      const hold = await api.call("holds_show", { id: current.id });
      if (turn !== this.#asked) return;
      const shownCard = card(hold, actions(hold, this.around.session, { approve: () => this.approve(hold), deny: () => this.deny(hold), smash: () => this.smash(hold) }));
      replace(this.detail, back(this.around), shownCard.element);
      const past = await api.call("holds_similar", { id: current.id }).catch(() => null);
      shownCard.similar(past);
    } catch (error) {
      if (turn !== this.#asked) return;
      this.#shown = "";
      replace(this.detail, back(this.around), trouble(error));
    }
  }

  approve(hold) {
    const more = hold.required - hold.approvals.length;
    const wider = widening(hold);
    const by = this.around.session.pin ? proof(this.around.session, { autofocus: true }) : null;
    ask({
      title: ["Approve ", tool(hold.server, hold.tool), "?"],
      body: [h("p", {}, risk(hold.risk), " for ", h("b", {}, shown(hold.agent)), ". ",
        more > 1 ? `Yours is one of ${more} approvals that are missing.` : "The call runs once, exactly as it is shown."),
      h("label", {}, "Why (it is kept in the trail)", h("input", { name: "reason", maxlength: 2000, autocomplete: "off" })),
      wider.element,
      by?.element],
      act: "Approve",
      submit: async (data) => {
        const params = { id: hold.id, digest: hold.digest, pass: wider.read(data) };
        if (data.get("reason").trim()) params.reason = data.get("reason");
        const { api } = this.around;
        const whole = by ? await by.shown(api, "holds_approve", params, data) : proved(params, data);
        this.answered(await api.call("holds_approve", whole), "approved");
        this.given.read();
      },
    });
  }

  deny(hold) {
    const reason = h("textarea", { name: "reason", rows: 3, required: true, maxlength: 2000, autofocus: true, placeholder: "Why not, and what would be better" });
    reason.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) reason.form.requestSubmit();
    });
    ask({
      title: ["Deny ", tool(hold.server, hold.tool), "?"], kind: "danger", act: "Deny",
      body: h("label", {}, "The agent is told this", reason),
      submit: async (data) => {
        this.answered(await this.around.api.call("holds_deny", proved({ id: hold.id, reason: data.get("reason") }, data)), "denied");
      },
    });
  }

  smash(hold) {
    const by = proof(this.around.session);
    const why = (name, text, given) => h("label", {}, text, h("textarea", { name, rows: 2, required: true, maxlength: 2000, ...given }));
    ask({
      title: ["Break the glass of ", tool(hold.server, hold.tool), "?"], kind: "danger", act: "Break the glass",
      body: [h("p", {}, "The call runs once without the others who were to be asked. Everybody is told, and somebody else reviews it."),
        why("reason", "Why the call must run", { autofocus: true }), why("because", "Why nobody else can be waited for"), by.element],
      submit: async (data) => {
        const params = { id: hold.id, digest: hold.digest, reason: data.get("reason"), because: data.get("because") };
        const { api } = this.around;
        this.answered(await api.call("holds_break_glass", await by.shown(api, "holds_break_glass", params, data)), "glass broken");
      },
    });
  }

  answered(hold, word) {
    toast(`${hold.server}.${hold.tool}: ${word}`, word);
    this.around.waiting.hear({ event: "changed", hold });
  }
}

function note(hold) {
  if (hold.state === "pending") return hold.required > 1 ? ` · ${hold.approvals.length} of ${hold.required} approvals` : "";
  if (hold.glass) return [" · ", h("strong", { class: "alarm" }, "glass broken by ", shown(hold.glass.by))];
  return ` · ${hold.state === "consumed" ? "approved and run" : hold.state}`;
}

function back(around) {
  return button("‹ All holds", () => around.go("holds"), { class: "link back" });
}
