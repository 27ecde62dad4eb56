// The trail: records by filter, the newest first, and the whole life of one call.

import { button, download, h, key, replace } from "./dom.js";
import { write } from "./json.js";
import { life } from "./life.js";
import { empty, risk, toast, tool, trouble, verdict } from "./parts.js";
import { count, shown, time } from "./text.js";

const PAGE = 50;
const EXPORTED = 10_000;

/** The gateway tries itself every few minutes: its trials would drown everything else. */
const TRIALS = "portcullis-liveness";
const NAMES = ["agent", "tool", "server", "operator", "text"];
const HINTS = { text: "words, or begin*" };
const CHOICES = {
  risk: [["", "any risk"], ["LOW", "LOW or more"], ["MEDIUM", "MEDIUM or more"], ["HIGH", "HIGH or more"], ["CRITICAL", "CRITICAL"]],
  verdict: [["", "any verdict"], ["allow", "allowed"], ["hold", "held"], ["deny", "denied"]],
  kind: [["", "any record"], ["intent", "intents"], ["outcome", "outcomes"], ["refusal", "refusals"], ["hold", "holds"], ["step", "answers"], ["relay", "relays"], ["event", "events"]],
  time: [["", "any time"], ["1", "last hour"], ["24", "last day"], ["168", "last week"], ["720", "last 30 days"], ["between", "between …"]],
};

export function open(root, around, id, search) {
  if (id) return life(root, around, id);
  return new List(root, around, search);
}

class List {
  #asked = 0;

  constructor(root, around, search) {
    Object.assign(this, { root, around, search });
    this.form = this.filters();
    this.rows = h("div", { class: "records" });
    this.foot = h("div", { class: "foot" });
    root.append(h("header", { class: "page-head" }, h("h1", {}, "Trail"), h("div", { class: "tools-row" },
      button(["Read again", key("r")], () => this.read(), { class: "quiet" }), button("Export", () => this.save(), { class: "quiet" }))),
    this.form, this.rows, this.foot);
    this.read();
  }

  live() {
    if (!this.rows.hasChildNodes() || this.rows.querySelector(".trouble")) this.read();
  }

  key(name) {
    if (name === "/") return this.form.elements.text.focus(), true;
    if (name === "r") return this.read(), true;
    if (name === "j" || name === "k") return this.move(name === "j" ? 1 : -1);
    return false;
  }

  move(by) {
    const links = [...this.rows.querySelectorAll("a.record")];
    const at = links.indexOf(document.activeElement);
    links[Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
    return true;
  }

  filters() {
    const value = (name) => this.search.get(name) ?? "";
    const field = (name, label, type = "search") => h("label", { class: `f-${name}` }, h("span", {}, label),
      h("input", { name, type, value: value(name), placeholder: HINTS[name], autocomplete: "off", spellcheck: "false", autocapitalize: "none" }));
    const select = (name, label) => h("label", { class: `f-${name}` }, h("span", {}, label), h("select", { name },
      CHOICES[name].map(([id, text]) => h("option", { value: id, selected: id === value(name) }, text))));
    const form = h("form", { class: "filters", role: "search" },
      field("text", "Text"), field("agent", "Agent"), field("tool", "Tool"), field("server", "Server"), field("operator", "Operator"),
      select("risk", "Risk"), select("verdict", "Verdict"), select("kind", "Record"), select("time", "Time"),
      field("since", "From", "datetime-local"), field("until", "Until", "datetime-local"),
      h("label", { class: "f-trials inline" }, h("input", { type: "checkbox", name: "trials", value: "1", checked: value("trials") === "1" }), "the gateway's own trials"));
    const between = () => form.classList.toggle("between", form.elements.time.value === "between");
    between();
    let pause = 0;
    form.addEventListener("input", (event) => {
      between();
      clearTimeout(pause);
      pause = setTimeout(() => this.read(), event.target.tagName === "INPUT" ? 250 : 0);
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    return form;
  }

  /** What is set, for the address and for the gateway. */
  wanted() {
    const values = Object.fromEntries([...new FormData(this.form)].filter(([, value]) => value !== ""));
    this.around.query(new URLSearchParams(values));
    const wanted = {};
    for (const name of [...NAMES, "risk", "verdict"]) if (values[name]) wanted[name] = values[name];
    if (values.kind) wanted.kinds = [values.kind];
    const [server, ...rest] = (values.tool ?? "").split(".");
    // No server's name has a dot: `server.tool` splits one way.
    if (rest.length > 0 && !values.server) Object.assign(wanted, { server, tool: rest.join(".") });
    if (Number(values.time)) wanted.since = new Date(Date.now() - Number(values.time) * 3_600_000).toISOString();
    if (values.time === "between" && values.since) wanted.since = new Date(values.since).toISOString();
    if (values.time === "between" && values.until) wanted.until = new Date(values.until).toISOString();
    return wanted;
  }

  async read(before) {
    const turn = ++this.#asked;
    try {
      const { records, older } = await this.page(before);
      if (turn !== this.#asked) return;
      if (!before) replace(this.rows, records.length ? null : empty("No record is like that", "Take a filter away, or ask for a longer time."));
      this.rows.append(...records.map(row));
      replace(this.foot, older ? button("Older records", () => this.read(older), { class: "quiet" }) : h("p", { class: "faint" }, records.length || before ? "That is all." : ""));
    } catch (error) {
      if (turn === this.#asked && this.around.api.state === "live") replace(this.rows, trouble(error));
    }
  }

  /** A page of what is wanted, of which trials are left out afterwards. */
  async page(before) {
    const wanted = this.wanted();
    const [found, trials] = [[], this.trials(wanted)];
    for (let tries = 0; tries < 5; tries++) {
      const { records, older } = await this.around.api.call("trail_list", { ...wanted, limit: PAGE, ...(before ? { before } : {}) });
      found.push(...records.filter((record) => trials || !isTrial(record)));
      before = older;
      if (!older || found.length >= PAGE / 2) break;
    }
    return { records: found, older: before };
  }

  /** Whether the gateway's own trials are wanted. */
  trials({ server }) {
    return this.form.elements.trials.checked || server === TRIALS;
  }

  /** The selection as JSON lines, with arguments and results, a page at a time. */
  async save() {
    const [wanted, lines] = [this.wanted(), []];
    const trials = this.trials(wanted);
    let before;
    try {
      do {
        const page = await this.around.api.call("trail_list", { ...wanted, whole: true, limit: 100, ...(before ? { before } : {}) });
        lines.push(...page.records.filter((record) => trials || !isTrial(record)).map((record) => `${flat(record)}\n`));
        before = page.older;
      } while (before && lines.length < EXPORTED);
      download(`portcullis-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.jsonl`, "application/x-ndjson", lines);
      toast(before ? `The newest ${lines.length} records are saved. There are more: portcullis log list --json has them all.` : `${count(lines.length, "record is", "records are")} saved.`);
    } catch (error) {
      toast(`${error.message}. Nothing was saved.`);
    }
  }
}

// Strings have no line breaks outside: what `write` indents is joined again.
function flat(record) {
  return write(record).split("\n").map((line) => line.trimStart()).join("");
}

function isTrial({ server, detail }) {
  return server === TRIALS || detail?.event === "liveness-checked" || detail?.server === TRIALS;
}

function row(record) {
  const { seq, at, kind, call } = record;
  return h("a", { class: "record", href: `#trail/${call ?? seq}` },
    h("span", { class: "when" }, time(at)), h("span", { class: "kind" }, kind),
    h("span", { class: "marks" }, record.risk ? risk(record.risk) : null, record.verdict ? verdict(record.verdict) : null),
    h("span", { class: "who" }, record.agent ? shown(record.agent) : null),
    h("span", { class: "which" }, record.server ? tool(record.server, record.tool) : null, " ", h("span", { class: "words" }, words(record))),
    h("span", { class: "seq" }, `#${seq}`));
}

/** Steps that people take; the others are the gateway's. */
const PEOPLE = ["approve", "break-glass", "deny"];

/** What a record says, in a few words. */
export function words(record) {
  // The event that policies were loaded has their ids under the same name.
  const observed = record.kind === "event" ? [] : record.detail?.observed ?? [];
  return [said(record), observed.map(({ policy, would }) => h("span", { class: "faint" }, " observed ", shown(policy), ` would ${would}`))];
}

function said({ kind, detail = {} }) {
  if (kind === "intent") return detail.because?.by === "break-glass" ? ["runs ", h("strong", { class: "alarm" }, "by glass that was broken by ", shown(detail.because.operator))] : "runs";
  if (kind === "outcome") return [shown([detail.outcome, detail.failure, detail.detail].filter(Boolean).join(", ")),
    detail.sandbox?.undeclared ? h("strong", { class: "alarm" }, " tried what it had not declared") : null];
  if (kind === "refusal") return shown(`${detail.refused?.rule ?? "refused"}: ${detail.refused?.reason ?? ""}`);
  if (kind === "hold") return "waits for an answer";
  if (kind === "step") return [shown(`${stepped(detail)}${PEOPLE.includes(detail.step?.step) ? ` by ${detail.step.by}${lent(detail.step)}` : ""}`),
    detail.step?.proof?.by === "passkey" ? h("span", { class: "good" }, ", signed by their passkey") : null];
  if (kind === "relay") return shown([detail.direction, detail.message].filter(Boolean).join(", "));
  const simple = Object.entries(detail).filter(([name, value]) => !["event", "method"].includes(name) && ["string", "number"].includes(typeof value) && !/^[0-9a-f]{64}$/.test(value));
  return [shown(String(detail.event ?? "event").replaceAll("-", " ")), h("span", { class: "faint" }, simple.map(([name, value]) => [` ${name} `, shown(String(value))]))];
}

/** By whose right, where it is not their own. */
function lent(step) {
  return step.lent ? ` for ${step.lent.by}, delegation ${step.lent.delegation}` : "";
}

function stepped({ step }) {
  const names = { approve: "approved", "break-glass": "glass broken", deny: "denied", expire: "expired", cancel: "withdrawn", consume: "used by the call", continue: "continued" };
  return names[step?.step] ?? step?.step ?? "changed";
}
