// Delegations: one's own right to approve, lent to another operator for a time. Listed, made and ended.

import { button, h, replace } from "./dom.js";
import { ask, proved, toast, trouble } from "./parts.js";
import { keyed, proof } from "./proof.js";
import { left, shown } from "./text.js";

/** The rights that are lent, in a place that `read` fills again. */
export function delegations(around) {
  const place = h("section", { class: "delegations", "aria-label": "Delegations" });
  const read = async () => {
    try {
      const [lent, people] = await Promise.all([around.api.call("delegations_list"), around.api.call("operators_list")]);
      replace(place, drawn(lent, people, around, read));
    } catch (error) {
      if (around.api.state === "live") replace(place, trouble(error));
    }
  };
  return { place, read };
}

function drawn(lent, people, around, read) {
  const { name, role, pin } = around.session;
  const others = people.filter((person) => person.role !== "reviewer" && person.name !== name);
  const may = pin && role !== "reviewer" && others.length > 0;
  if (lent.length === 0 && !may) return [];
  return [h("div", { class: "section-head" }, h("h2", {}, "Rights to approve that are lent"),
    may ? button("Lend your right", () => lend(others, around, read), { class: "quiet" }) : null),
  lent.length === 0 ? h("p", { class: "faint" }, "Nobody has lent theirs.") : h("ul", { class: "rows" }, lent.map((one) => row(one, around, read)))];
}

function row(one, around, read) {
  const { name, role } = around.session;
  const may = role === "admin" || [one.by, one.to].some((person) => person.toLowerCase() === name?.toLowerCase());
  const extent = [one.risk ? `risk up to ${one.risk}` : null, one.agents.length ? `agents ${one.agents.join(", ")}` : null,
    one.tools.length ? `tools ${one.tools.join(", ")}` : null].filter(Boolean);
  return h("li", { class: "row" },
    h("span", { class: "row-main" }, h("span", {}, h("b", {}, shown(one.to)), " may approve for ", h("b", {}, shown(one.by))),
      h("span", { class: "small" }, shown(extent.join("; ") || "every call")),
      h("span", { class: "small faint" }, `delegation ${one.id} · ${left(Date.parse(one.expires) - Date.now())} left · `, shown(one.reason))),
    may ? button("End it", () => end(one, around, read), { class: "quiet danger-text", "aria-label": `End it: delegation ${one.id}` }) : null);
}

function lend(others, around, read) {
  const to = h("select", { name: "to", autofocus: true }, others.map((person) => h("option", { value: person.name }, shown(person.name))));
  const lasts = h("select", { name: "lasts" }, [["8h", "8 hours"], ["24h", "a day"], ["72h", "3 days"], ["168h", "a week"]].map(([value, text]) => h("option", { value }, text)));
  const risk = h("select", { name: "risk" }, [["", "any"], ["LOW", "LOW"], ["MEDIUM", "MEDIUM"], ["HIGH", "HIGH"]].map(([value, text]) => h("option", { value }, text)));
  const names = (name, text, like) => h("label", {}, text, h("input", { name, placeholder: like, spellcheck: "false", autocapitalize: "none", autocomplete: "off" }));
  ask({ title: "Lend your right to approve", act: "Lend it", body: [
    h("p", {}, "Where their own right does not suffice, they approve by yours, as far as you may at that moment. You and they count as one person then."),
    h("div", { class: "pair" }, h("label", {}, "To", to), h("label", {}, "For how long", lasts)),
    h("label", {}, "The most dangerous call", risk),
    names("agents", "Only for these agents (empty: for all)", "ci, claude"), names("tools", "Only for these tools, or servers (empty: for all)", "mail, files.delete"),
    h("label", {}, "Why (it is kept in the trail)", h("input", { name: "reason", required: true, maxlength: 2000, autocomplete: "off" })),
    proof(around.session, {}, { what: "that you lend it", instead: false }).element],
  submit: async (data) => {
    const listed = (name) => data.get(name).split(",").map((text) => text.trim()).filter(Boolean);
    const within = { agents: listed("agents"), tools: listed("tools") };
    if (data.get("risk")) within.risk = data.get("risk");
    const made = await keyed(around.api, "delegations_add", { to: data.get("to"), lasts: data.get("lasts"), for: within, reason: data.get("reason") }, data);
    toast(`${made.to} may approve for ${made.by}: delegation ${made.id}`);
    await read();
  } });
}

function end(one, around, read) {
  ask({ title: ["End what ", shown(one.by), " lent to ", shown(one.to), "?"], kind: "danger", act: "End it", body: h("p", {}, "What was approved by it may still run."), submit: async (data) => {
    await around.api.call("delegations_end", proved({ id: String(one.id) }, data));
    toast(`delegation ${one.id} has ended`);
    await read();
  } });
}
