// A hold as a person reads it before answering: who, what, how dangerous and why, with what, from where, and what approving does.

import { add, button, download, h, key, replace } from "./dom.js";
import { write } from "./json.js";
import { count, left, shown, span, time, ago } from "./text.js";
import { facts, risk, section, tool, toast, watched } from "./parts.js";
import { pointerText, reveal, tree } from "./tree.js";

const ARGUMENTS_GONE = "The arguments are kept only while the hold is open. The trail has them as they were recorded.";

/** The card, with `actions` under its head. Similar calls come when they are known. */
export function card(hold, actions) {
  const place = h("div", { class: "similar" });
  const args = argumentsOf(hold);
  const element = h("article", { class: `card ${hold.risk.toLowerCase()}`, "aria-label": `Hold ${hold.id}` },
    head(hold), hold.short ? h("p", { class: "warning" }, `Nobody can let it run: ${hold.short}.`) : null, actions,
    section("Why it is held", reasons(hold, args)),
    section(["Arguments", argumentTools(hold)], args),
    section("What an approval opens", opens(hold.grant)),
    section("Calls like it before", place),
    section("The hold", details(hold)));
  return { element, similar: (past) => replace(place, similar(past)) };
}

function head(hold) {
  return h("header", {},
    h("div", { class: "line" }, risk(hold.risk), h("span", { class: "state" }, stateText(hold)), clock(hold)),
    h("h1", {}, tool(hold.server, hold.tool)),
    h("p", { class: "sentence" }, h("strong", {}, shown(hold.agent)), ` wants to ${what(hold)} `, tool(hold.server, hold.tool), ". ",
      h("span", { class: "faint" }, hold.state === "pending" ? "If you approve, " : "", shown(hold.next), ".")));
}

function what(hold) {
  return { "tools/call": "call", "resources/read": "read the resource", "prompts/get": "get the prompt" }[hold.method] ?? `send ${hold.method} to`;
}

function stateText(hold) {
  if (hold.glass && hold.state === "approved") return `glass broken by ${hold.glass.by}, not run yet`;
  if (hold.state === "pending" && (hold.required > 1 || hold.of_role)) {
    return `${hold.approvals.length} of ${hold.required} approvals${hold.needs ? `, ${hold.needs}` : ""}`;
  }
  return { pending: "waits for an answer", approved: "approved, not run yet", consumed: "approved and run", ended: "ended" }[hold.state] ?? hold.state;
}

/** The time that is left; whoever shows it calls `tick`. */
export function clock(hold) {
  if (hold.state !== "pending" && hold.state !== "approved") return h("span", { class: "clock" }, ago(hold.opened));
  const element = h("span", { class: "clock", "data-expires": hold.expires, "data-opened": hold.opened });
  tickOne(element);
  return element;
}

/** Moves every clock below an element. */
export function tick(root) {
  for (const element of root.querySelectorAll("[data-expires]")) tickOne(element);
}

function tickOne(element) {
  const remaining = Date.parse(element.dataset.expires) - Date.now();
  element.textContent = remaining > 0 ? `${left(remaining)} left` : left(remaining);
  element.classList.toggle("urgent", remaining < 60_000);
}

function reasons(hold, args) {
  const reason = ({ id, text, at }) => h("li", {}, h("p", {}, shown(text)),
    h("p", { class: "small faint" }, h("code", {}, shown(id)),
      at === undefined ? null : [" at ", button(pointerText(at), () => reveal(args, at), { class: "link" })]));
  return h("ul", { class: "reasons" }, hold.reasons.length > 0 ? hold.reasons.map(reason) : h("li", {}, "An older gateway did not keep why."));
}

function argumentsOf(hold) {
  if (hold.arguments === undefined) return h("p", { class: "faint" }, ARGUMENTS_GONE);
  return tree(hold.arguments, notes(hold));
}

function argumentTools(hold) {
  if (hold.arguments === undefined) return null;
  const text = () => write(hold.arguments);
  return h("span", { class: "section-tools" },
    button("Copy", () => navigator.clipboard.writeText(text()).then(() => toast("The arguments are copied.")), { class: "link" }),
    button("Save", () => download(`${hold.id}.json`, "application/json", [text()]), { class: "link" }));
}

/** What is said beside an argument: that it is why, and where it came from. */
function notes(hold) {
  const all = {};
  const note = (at, marked, told, make) => {
    const known = all[at] ?? { marked: false, told: false, makes: [] };
    known.marked ||= marked;
    known.told ||= told;
    known.makes.push(make);
    all[at] = { ...known, make: () => known.makes.map((one) => one()) };
  };
  for (const { id, text, at } of hold.reasons) {
    if (at) note(at, true, true, () => h("p", { class: "note risky" }, h("strong", {}, "Why: "), shown(text), " ", h("code", {}, shown(id))));
  }
  for (const [at, origin] of Object.entries(hold.provenance ?? {})) {
    note(at, false, typeof origin === "object", from(origin));
  }
  return all;
}

function from(origin) {
  if (typeof origin === "string") return () => h("p", { class: "note origin" }, "Not seen before: the agent wrote it.");
  const marks = [origin.untrusted ? "outsiders can write to it" : null, origin.sensitive ? "sensitive" : null].filter(Boolean).join(", ");
  const source = origin.result === undefined || origin.result === null
    ? "It may come from a result that was forgotten"
    : [`First seen in result #${origin.result}`, origin.tool ? [" of ", h("b", {}, shown(origin.tool))] : null];
  return () => h("p", { class: `note origin ${origin.untrusted && origin.how !== "forgotten" ? "untrusted" : ""}` },
    source, marks ? ` (${marks})` : "", ". ", h("span", { class: "faint" }, origin.how === "forgotten" ? "" : `Recognised: ${origin.how}.`));
}

function opens(grant) {
  if (!grant) return h("p", { class: "faint" }, "Not known: the tool runs at a server elsewhere, or has ended.");
  const list = (items, none) => (items?.length ? h("ul", { class: "plain" }, items.map((item) => h("li", {}, shown(item)))) : h("span", { class: "faint" }, none));
  const dl = facts([
    ["Sandbox", [grant.sandbox, grant.digest ? [" ", h("code", { title: grant.digest }, grant.digest.slice(0, 12))] : null]],
    ["Network", list(grant.network, "none")],
    ["Folders", list(grant.folders, "none")],
    ["Secrets", grant.secrets === undefined ? undefined : list(grant.secrets, "none")],
    ["Limits", grant.limits?.length ? grant.limits.join(", ") : h("span", { class: "faint" }, "none")],
  ]);
  return add(h("div", {}), [dl, (grant.warnings ?? []).map((warning) => h("p", { class: "warning" }, shown(warning)))]);
}

function similar(past) {
  if (past === null) return h("p", { class: "faint" }, "They cannot be read just now.");
  const { approved, denied, lapsed, latest } = past;
  if (approved + denied + lapsed === 0) return h("p", { class: "faint" }, "This tool was never held before.");
  const words = { consumed: "approved, ran", approved: "approved", denied: "denied", expired: "nobody answered", cancelled: "withdrawn" };
  const one = (it) => h("li", { class: it.state }, h("a", { href: `#trail/${it.call}` }, words[it.state] ?? it.state),
    it.by.length ? [" by ", shown(it.by.join(", "))] : "", ", ", it.same_agent ? "same agent" : ["agent ", shown(it.agent)], ", ", ago(it.opened),
    it.reason ? h("p", { class: "small" }, "“", shown(it.reason), "”") : null);
  return [h("p", {}, h("b", {}, count(approved, "time")), " approved, ", h("b", {}, count(denied, "time")), " denied, ",
    h("b", {}, count(lapsed, "time")), " not answered."), h("ul", { class: "past" }, latest.map(one))];
}

function details(hold) {
  const by = hold.approvals.map((approval) => [shown(approval.operator), approval.pass ? " by a pass" : null, approval.lent ? [" for ", shown(approval.lent.by), `, delegation ${approval.lent.delegation},`] : null, " ", time(approval.at)]);
  return facts([
    ["Agent", shown(hold.agent)],
    ["Request", hold.method === "tools/call" ? undefined : shown(hold.method)],
    ["Opened", [time(hold.opened), h("span", { class: "faint" }, ` (for ${span(Date.parse(hold.expires) - Date.parse(hold.opened))})`)]],
    ["Approved by", by.length ? by : undefined],
    ["Glass", hold.glass ? [h("strong", { class: "alarm" }, "Broken by ", shown(hold.glass.by)), " ", time(hold.glass.at), ". ", shown(hold.glass.reason), "; ", shown(hold.glass.because)] : undefined],
    ["Answer", hold.note ? [hold.by ? [shown(hold.by), ": "] : null, shown(hold.note)] : undefined],
    ["Policies", hold.policies.length ? shown(hold.policies.join(", ")) : undefined],
    ["Observed", watched(hold.observed)],
    ["Hold", h("code", {}, hold.id)],
    ["Call", h("a", { href: `#trail/${hold.call}` }, h("code", {}, hold.call))],
    ["Digest", hold.digest ? h("code", { class: "wrap" }, hold.digest) : undefined],
  ]);
}

/** The buttons, or why there are none. Nobody counts twice. Until a call that was approved has run, it can still be denied. */
export function actions(hold, session, { approve, deny, smash }) {
  if (hold.state === "approved" && session.role !== "reviewer") {
    return [h("p", { class: "answered" }, stateText(hold), ". A denial still stops it."),
      h("div", { class: "answer" }, button(["Deny", key("d")], deny, { class: "danger" }))];
  }
  if (hold.state !== "pending") return h("p", { class: "answered" }, stateText(hold), hold.by ? [" by ", shown(hold.by)] : "", ".");
  if (session.role === "reviewer") return h("p", { class: "answered" }, "You may read this; answering is for operators.");
  const given = hold.approvals.some(({ operator }) => operator.toLowerCase() === session.name?.toLowerCase());
  return [given ? h("p", { class: "answered" }, "You have approved it, and count once. A denial still stops it.") : null, h("div", { class: "answer" },
    given ? null : button(["Approve", key("a")], approve, { class: "primary" }), button(["Deny", key("d")], deny, { class: "danger" }),
    session.pin && (hold.required - hold.approvals.length > 1 || hold.short) ? button("Break the glass", smash, { class: "quiet danger-text" }) : null)];
}
