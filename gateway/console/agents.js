// The agents: who may connect, with tokens that are shown once.

import { delegations } from "./delegations.js";
import { button, h, replace } from "./dom.js";
import { ask, empty, proved, tell, toast, trouble } from "./parts.js";
import { ago, shown, time } from "./text.js";

export function open(root, around) {
  const body = h("div", {});
  const lent = delegations(around);
  const may = around.session.role !== "reviewer";
  root.append(h("header", { class: "page-head" }, h("h1", {}, "Agents"), may ? button("Add an agent", () => join(around, read), { class: "primary" }) : null), body, lent.place);
  const read = async () => {
    try {
      replace(body, drawn(await around.api.call("agents_list"), may, around, read));
    } catch (error) {
      if (around.api.state === "live") replace(body, trouble(error));
    }
  };
  const all = () => { read(); lent.read(); };
  all();
  return { live: all, key: (name) => name === "r" && (all(), true) };
}

function drawn(agents, may, around, read) {
  if (agents.length === 0) return empty("No agent may connect", "Add one: its token goes into the client's settings.");
  return h("ul", { class: "rows" }, agents.map((agent) => {
    const over = agent.expires && Date.parse(agent.expires) < Date.now();
    return h("li", { class: "row" },
      h("span", { class: "row-main" }, h("span", { class: "tool" }, shown(agent.name)),
        h("span", { class: "small faint" }, "added ", ago(agent.added), agent.expires ? [over ? ", the token ended " : ", the token ends ", time(agent.expires)] : ", the token does not end")),
      over ? h("span", { class: "status down" }, "expired") : null,
      h("a", { href: `#trail?agent=${encodeURIComponent(agent.name)}` }, "Calls"),
      may ? button("End its token", () => remove(agent, around, read), { class: "quiet danger-text", "aria-label": `End its token: ${agent.name}` }) : null);
  }));
}

function join(around, read) {
  const name = h("input", { name: "name", required: true, maxlength: 64, autofocus: true, spellcheck: "false", autocapitalize: "none" });
  const expires = h("input", { name: "expires", type: "datetime-local" });
  ask({ title: "Add an agent", act: "Make a token", body: [h("label", {}, "Name", name), h("label", {}, "The token ends (empty: it does not)", expires)], submit: async (data) => {
    const params = { name: data.get("name") };
    if (data.get("expires")) params.expires = new Date(data.get("expires")).toISOString();
    const made = await around.api.call("agents_add", proved(params, data));
    token(made);
    await read();
  } });
}

function token({ name, token: secret }) {
  const copy = button("Copy", () => navigator.clipboard.writeText(secret).then(() => toast("The token is copied.")), { class: "quiet" });
  tell({ title: ["The token of ", shown(name)], body: [h("p", {}, "It is shown only now; the gateway keeps a hash."), h("p", { class: "token" }, h("code", { class: "wrap" }, secret), copy)] });
}

function remove(agent, around, read) {
  ask({ title: ["End the token of ", shown(agent.name), "?"], kind: "danger", act: "End it", body: h("p", {}, "It cannot connect any more. What it did stays in the trail."), submit: async (data) => {
    await around.api.call("agents_remove", proved({ name: agent.name }, data));
    toast(`${agent.name} cannot connect any more.`);
    await read();
  } });
}
