// The policies: what is in force, what they say of a call, and what a changed text would have decided.

import { button, h, replace } from "./dom.js";
import { ask, empty, facts, proved, risk, tabs, toast, tool, trouble, verdict, watched } from "./parts.js";
import { ago, count, shown, time } from "./text.js";

const VIEWS = { force: "In force", explain: "Explain a call", replay: "Replay" };
const EXAMPLE = `{
  "session": "s1", "agent": "claude", "server": "mail",
  "tool": { "name": "send_message", "description": "Sends an e-mail" },
  "arguments": { "to": "someone@example.com", "text": "Hello" }
}`;

export function open(root, around, chosen) {
  const body = h("div", {});
  const choice = h("div", {});
  root.append(h("header", { class: "page-head" }, h("h1", {}, "Policies"), choice), body);
  const views = { force: () => inForce(body, around), explain: () => explain(body, around), replay: () => replay(body, around) };
  const choose = (id) => {
    replace(choice, tabs("View", Object.entries(VIEWS), id, (next) => around.go("policies", next)));
    replace(body);
    views[id]();
  };
  const read = () => choose(VIEWS[chosen] ? chosen : "force");
  read();
  return {
    update: (id) => { chosen = id; read(); },
    live: () => body.querySelector(".trouble, .waits") && read(),
    // What is being written is not thrown away.
    key: (name) => (name === "r" && !body.querySelector("textarea") ? (read(), true) : false),
  };
}

async function inForce(body, around) {
  replace(body, h("p", { class: "faint waits" }, "…"));
  try {
    const [{ hash, sources }, seen] = await Promise.all([around.api.call("policies_show"), around.api.call("policies_observed")]);
    replace(body,
      h("div", { class: "line" }, facts([["Digest", h("code", { class: "wrap" }, hash)]]),
        around.session.role === "reviewer" ? null : button("Read the files again", () => reload(body, around), { class: "quiet" })),
      sources.some((source) => !source.built_in) ? null : h("p", { class: "faint" }, "No file of your own is in force: portcullis.toml names them under [policy]."),
      observed(seen), sources.map(source));
  } catch (error) {
    if (around.api.state === "live") replace(body, trouble(error));
  }
}

/** What only watches, and what each of it would have changed. */
function observed({ policies, calls, partial }) {
  if (policies.length === 0) return null;
  const row = (one) => h("li", { class: "row" },
    h("span", { class: "row-main" }, h("code", {}, shown(one.policy)), h("span", { class: one.observed && one.bundled ? "alarm" : "small faint" },
      one.observed ? (one.bundled ? " a default, and it decides nothing" : " decides nothing") : " is not observed any more", one.last ? [", last ", ago(one.last)] : null)),
    h("span", { class: "small" }, `would allow ${one.allow}, hold ${one.hold}, deny ${one.deny}`, one.refuse ? `, not approve ${one.refuse}` : ""));
  return [h("h2", { class: "small-title" }, "Observed"), h("ul", { class: "rows" }, policies.map(row)),
    h("p", { class: "small faint" }, `Of ${partial ? "the newest" : "all"} ${calls.toLocaleString("en")} calls that were looked at, each as it was decided last.`)];
}

function source({ name, built_in, text }) {
  return h("details", { class: "source", open: !built_in }, h("summary", {}, shown(name), h("span", { class: "faint" }, built_in ? " built in" : "")), cedar(text));
}

const WORDS = /(\/\/[^\n]*)|("(?:[^"\\]|\\.)*")|\b(permit|forbid)\b|\b(when|unless|if|then|else|in|has|like|is|principal|action|resource|context)\b|(@\w+)/g;

/** Cedar with its words coloured. */
function cedar(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(WORDS)) {
    const kind = ["comment", "string", "effect", "word", "note"][match.slice(1).findIndex((part) => part !== undefined)];
    parts.push(shown(text.slice(from, match.index)), h("span", { class: `c-${kind} ${match[3] ?? ""}` }, shown(match[0])));
    from = match.index + match[0].length;
  }
  return h("pre", { class: "cedar", tabindex: "0" }, h("code", {}, parts, shown(text.slice(from))));
}

function reload(body, around) {
  ask({ title: "Read the policy files again?", act: "Read them", body: h("p", {}, "They are checked first: a file with a problem changes nothing."), submit: async (data) => {
    toast(await around.api.call("policies_reload", proved({}, data)));
    await inForce(body, around);
  } });
}

function editor(label, value, act, run) {
  const text = h("textarea", { class: "code", rows: 12, spellcheck: "false", "aria-label": label });
  text.value = value;
  const result = h("div", { "aria-live": "polite" });
  const go = button(act, async () => {
    go.disabled = true;
    try {
      replace(result, await run(text.value));
    } catch (error) {
      replace(result, trouble(error));
    } finally {
      go.disabled = false;
    }
  }, { class: "primary" });
  text.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && go.click());
  return { text, result, go };
}

function explain(body, around) {
  const { text, result, go } = editor("The call", EXAMPLE, "Explain", async (calls) => {
    const rows = await around.api.call("policies_explain", { calls });
    return h("ol", { class: "explained" }, rows.map((row) => h("li", {}, row.error ? trouble({ message: row.error }) : explained(row))));
  });
  replace(body, h("p", { class: "faint" }, "A call as JSON, a list of calls, or one a line. Nothing runs, nothing is recorded. The tool counts as pinned and known."), text, h("div", { class: "actions" }, go), result);
}

function explained({ risk: level, reasons, verdict: decided, policies, provenance, observed: watching }) {
  const seen = Object.entries(provenance ?? {}).filter(([, origin]) => typeof origin === "object");
  return [h("p", { class: "line" }, verdict(decided), risk(level), h("span", { class: "faint" }, policies.length ? ["by ", shown(policies.join(", "))] : "by no policy")),
    h("ul", { class: "reasons" }, reasons.map(({ id, text, at }) => h("li", {}, h("p", {}, shown(text)), h("p", { class: "small faint" }, h("code", {}, shown(id)), at ? [" at ", h("code", {}, shown(at))] : null)))),
    watched(watching),
    seen.length ? facts(seen.map(([at, origin]) => [shown(at), `result #${origin.result ?? "?"} of ${origin.tool ?? "a forgotten result"}`])) : null];
}

async function replay(body, around) {
  replace(body, h("p", { class: "faint waits" }, "…"));
  const own = await around.api.call("policies_show").then(({ sources }) => sources.filter((one) => !one.built_in).map((one) => one.text).join("\n"), () => null);
  if (own === null) return;
  const last = h("input", { type: "number", min: 1, max: 2000, value: 200, name: "last" });
  const { text, result, go } = editor("The changed policies", own || "// Cedar in place of your policy files\n", "Replay", async (changed) =>
    replayed(await around.api.call("policies_replay", { text: changed, last: Number(last.value) || 200 })));
  replace(body, h("p", { class: "faint" }, "What would this text, in place of your policy files, have decided? Recorded calls are decided again as they were recorded: redacted, and with the tools as they are pinned today."),
    text, h("div", { class: "actions" }, h("label", { class: "inline" }, "over the last", last, "calls"), go), result);
}

function replayed({ calls, skipped, differ, differing }) {
  const head = h("p", {}, h("b", {}, count(differing, "call")), ` of ${calls.toLocaleString("en")} would have been decided otherwise.`,
    skipped ? h("span", { class: "faint" }, ` ${count(skipped, "call")} could not be decided again: the arguments were not kept.`) : null);
  if (differing === 0) return [head, empty("No difference", "Every call that was looked at would have been decided as it is now.")];
  const row = (one) => h("li", { class: "row" },
    h("span", { class: "row-main" }, h("a", { href: `#trail/${one.call}` }, tool(one.server, one.tool)), h("span", { class: "small faint" }, shown(one.agent), ", ", time(one.at), one.then.policies.length ? [", by ", shown(one.then.policies.join(", "))] : null)),
    verdict(one.now.verdict), h("span", { "aria-hidden": "true" }, "→"), h("span", { class: "unseen" }, "becomes"), verdict(one.then.verdict));
  return [head, h("ul", { class: "rows" }, differ.map(row)), differing > differ.length ? h("p", { class: "faint" }, `The newest ${differ.length} are shown.`) : null];
}
