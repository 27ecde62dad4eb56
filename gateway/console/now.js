// How things are going: plots of what is decided, how long it takes, what was kept back, and who answers.

import { h, replace } from "./dom.js";
import { facts, risk, tabs, trouble } from "./parts.js";
import { reviews } from "./reviews.js";
import { bars, lines, rows } from "./plot.js";
import { ago, count, left, shown, span } from "./text.js";

const SPANS = { 60: "1 hour", 1440: "1 day", 10080: "1 week" };
const PARTS = 60;
const AGAIN = 15_000;
const VERDICTS = [["allowed", "allow"], ["held", "hold"], ["denied", "deny"]];
const RISKS = [["LOW", "low"], ["MEDIUM", "medium"], ["HIGH", "high"], ["CRITICAL", "critical"]];

export function open(root, around, rest, search) {
  let minutes = SPANS[search.get("minutes")] ? Number(search.get("minutes")) : 60;
  const choice = h("div", {});
  const body = h("div", { class: "plots" });
  root.append(h("header", { class: "page-head" }, h("h1", {}, "Now"), choice), body);
  const choose = (id) => {
    minutes = Number(id);
    around.query(new URLSearchParams({ minutes }));
    replace(choice, tabs("Time", Object.entries(SPANS), String(minutes), choose));
    read();
  };
  const read = async () => {
    const { api } = around;
    if (api.state !== "live") return;
    try {
      const [now, health, servers, open] = await Promise.all([api.call("now", { minutes, parts: PARTS }), api.call("health"), api.call("servers_list"), api.call("reviews_list")]);
      replace(body, reviews(open, around, read), drawn(now, health, servers, around.waiting));
    } catch (error) {
      if (api.state === "live") replace(body, trouble(error));
    }
  };
  choose(String(minutes));
  const timer = setInterval(() => document.hidden || read(), AGAIN);
  return { live: read, leave: () => clearInterval(timer), key: (name) => name === "r" && (read(), true) };
}

function drawn(now, health, servers, waiting) {
  const { parts } = now;
  const calls = (verdict, wanted) => (part) => Object.entries(part.decided[verdict] ?? {}).reduce((sum, [risk, number]) => sum + (wanted && wanted !== risk ? 0 : number), 0);
  const names = { allowed: "allow", held: "hold", denied: "deny" };
  return [
    figures(now, waiting), healthPlot(health, servers), holdsPlot(waiting),
    bars({ title: "Calls by verdict", parts, span: now, series: VERDICTS, value: (part, name) => calls(names[name])(part) }),
    bars({ title: "Calls by risk", parts, span: now, series: RISKS, value: (part, name) => ["allow", "hold", "deny"].reduce((sum, verdict) => sum + calls(verdict, name)(part), 0) }),
    lines({ title: "How long calls run", parts, span: now, series: [["half within", "accent"], ["95 % within", "hold"]], value: (part, name) => (name === "half within" ? part.p50 : part.p95), format: (number) => (number ? span(number) : "0") }),
    bars({ title: "Values redacted from results", parts, span: now, series: [["redacted", "accent"]], value: (part) => part.redactions }),
    bars({ title: "Connections denied by sandboxes", parts, span: now, series: [["denied", "deny"]], value: (part) => part.denied }),
    load(now),
    now.partial ? h("p", { class: "faint wide" }, "More happened than is read at once: these are the newest records and answers.") : null,
  ];
}

function figures({ parts, since, until }, waiting) {
  const sum = (value) => parts.reduce((total, part) => total + value(part), 0);
  const all = (verdict) => sum((part) => Object.values(part.decided[verdict] ?? {}).reduce((a, b) => a + b, 0));
  const [open, denied, allowed] = [waiting.open(), all("deny"), all("allow")];
  const minutes = (Math.min(Date.parse(until), Date.now()) - Date.parse(since)) / 60_000;
  const oldest = open.reduce((at, hold) => (at === null || hold.opened < at ? hold.opened : at), null);
  const figure = (number, words, kind = "") => h("div", { class: `figure ${kind}` }, h("dd", {}, number), h("dt", {}, words));
  return h("dl", { class: "figures" },
    figure(String(open.length), oldest ? `open, the oldest ${ago(oldest)}` : "open holds", open.length ? "waits" : ""),
    figure(Number((allowed / minutes).toPrecision(2)).toLocaleString("en"), "calls a minute"),
    figure(allowed + denied === 0 ? "–" : `${Math.round((denied / (allowed + denied)) * 100)} %`, "denied"),
    figure(sum((part) => part.redactions).toLocaleString("en"), "values redacted"),
    figure(sum((part) => part.denied).toLocaleString("en"), "connections denied", sum((part) => part.denied) ? "bad" : ""));
}

function healthPlot(health, servers) {
  const good = (text) => text === "ok" || text === "ready";
  const mark = (name, state, why) => h("li", { class: good(state) ? "good" : ["off", "starting", "not tried yet", "not asked yet"].includes(state) ? "idle" : "bad" },
    h("span", { class: "dot", "aria-hidden": "true" }), h("span", { class: "health-name" }, name), h("span", { class: "health-state" }, shown(state)), why ? h("p", { class: "small faint" }, shown(why)) : null);
  return h("figure", { class: "plot health" }, h("figcaption", {}, h("h2", {}, "Health")),
    h("ul", {}, mark("Log", health.log), mark("Gate tries itself", health.liveness),
      health.backends.map(({ name, state, at }) => mark([shown(name), h("span", { class: "faint" }, " secrets")], state, at && state !== "ok" ? `asked ${ago(at)}` : null)),
      health.witnesses.map(({ name, state, lag }) => mark([shown(name), h("span", { class: "faint" }, " witness")], state, lag ? `${count(lag, "record")} behind` : null)),
      health.exporters.map(({ name, kind, state, place }) => mark([shown(name), h("span", { class: "faint" }, ` exporter, ${kind}`)], state === "ok" ? "ok" : "does not get on", state === "ok" ? place : `${place}: ${state}`)),
      servers.map((server) => mark([shown(server.name), h("span", { class: "faint" }, ` ${server.kind}`)], server.quarantine ? "quarantined" : server.status, server.why))),
    facts([["Tools", `${health.offered} offered, ${health.withheld} withheld`], ["Version", health.version]]));
}

/** The open holds: how much of their time has passed. */
function holdsPlot(waiting) {
  const open = waiting.open().slice(0, 12);
  if (open.length === 0) return h("figure", { class: "plot" }, h("figcaption", {}, h("h2", {}, "Open holds")), h("p", { class: "faint" }, "Nothing waits."));
  const items = open.map((hold) => {
    const [opened, expires] = [Date.parse(hold.opened), Date.parse(hold.expires)];
    const passed = Math.min(1, (Date.now() - opened) / (expires - opened));
    return [h("a", { href: `#holds/${hold.id}` }, risk(hold.risk), " ", shown(`${hold.server}.${hold.tool}`)), passed, `${left(expires - Date.now())} left`, hold.risk.toLowerCase()];
  });
  return rows({ title: "Open holds and how much of their time has passed", items, most: 1 });
}

function load({ operators, since, until }) {
  const hours = (Math.min(Date.parse(until), Date.now()) - Date.parse(since)) / 3_600_000;
  if (operators.length === 0) return h("figure", { class: "plot" }, h("figcaption", {}, h("h2", {}, "Who answers")), h("p", { class: "faint" }, "Nobody had to answer in this time."));
  const items = operators.map(({ operator, approved, denied, median, hasty }) => {
    const answers = approved + denied;
    const share = approved ? Math.round((hasty / approved) * 100) : 0;
    return [shown(operator), answers, h("span", {}, `${count(answers, "answer")}, ${Number((answers / hours).toPrecision(2))} an hour, half within ${span(median * 1000)}; `,
      h("span", { class: share >= 50 && approved >= 5 ? "alarm" : "" }, `${share} % of approvals in under 3 s`)), "accent"];
  });
  return rows({ title: "Who answers", items });
}
