// The tools: what is offered and withheld, by server; a changed definition is read as a diff and accepted.

import { button, h, replace } from "./dom.js";
import { diff } from "./diff.js";
import { ask, empty, facts, proved, section, tell, toast, trouble } from "./parts.js";
import { shown, time } from "./text.js";

export function open(root, around, name) {
  const body = h("div", {});
  const find = h("input", { type: "search", placeholder: "Find a tool", "aria-label": "Find a tool", spellcheck: "false", autocapitalize: "none" });
  root.append(h("header", { class: "page-head" }, h("h1", {}, "Tools"), find), body);
  let [tools, servers] = [[], []];
  const draw = () => replace(body, drawn(tools.filter((tool) => tool.name.toLowerCase().includes(find.value.toLowerCase())), servers, around, read));
  const read = async () => {
    try {
      [tools, servers] = await Promise.all([around.api.call("tools_list"), around.api.call("servers_list")]);
      draw();
    } catch (error) {
      if (around.api.state === "live") replace(body, trouble(error));
    }
  };
  find.addEventListener("input", draw);
  read().then(() => name && tools.some((tool) => tool.name === name && tool.status === "changed") && changed(name, around, read));
  return { live: read, key: (pressed) => (pressed === "/" ? (find.focus(), true) : pressed === "r" ? (read(), true) : false) };
}

function drawn(tools, servers, around, read) {
  const different = tools.filter((tool) => tool.status === "changed");
  const of = (server) => tools.filter((tool) => tool.server === server.name);
  const known = new Set(servers.map((server) => server.name));
  const others = tools.filter((tool) => !known.has(tool.server));
  return [
    different.length ? section(`Changed, and withheld until you accept (${different.length})`, h("ul", { class: "rows" }, different.map((tool) => row(tool, around, read)))) : null,
    servers.map((server) => group(server, of(server), around, read)),
    others.length ? section("Of servers that are gone", h("ul", { class: "rows" }, others.map((tool) => row(tool, around, read)))) : null,
    servers.length + tools.length === 0 ? empty("No tools", "Add a server to portcullis.toml, or a package with portcullis tools add.") : null,
  ];
}

function group(server, tools, around, read) {
  const state = server.quarantine ? "quarantined" : server.status;
  const grant = server.grant;
  return h("section", { class: "server" },
    h("h2", {}, shown(server.name), h("span", { class: `status ${state}` }, state), h("span", { class: "faint small" }, shown(server.kind), server.version ? [" ", shown(server.version)] : null)),
    server.why ? h("p", { class: "warning" }, shown(server.why)) : null,
    server.quarantine ? h("p", { class: "warning" }, shown(server.quarantine.tool), " tried what it had not declared, ", time(server.quarantine.since), ". Its calls are held. ",
      around.session.role === "reviewer" ? null : button("Lift the quarantine", () => lift(server, around, read), { class: "quiet" })) : null,
    grant ? h("details", {}, h("summary", {}, `Sandbox: ${grant.sandbox}`), facts([
      ["Network", grant.network.length ? grant.network.map((it) => h("p", {}, shown(it))) : "none"],
      ["Folders", grant.folders.length ? grant.folders.map((it) => h("p", {}, shown(it))) : "none"],
      ["Limits", grant.limits.join(", ")], ["Digest", grant.digest ? h("code", { class: "wrap" }, grant.digest) : undefined],
      ["Weaker than it could be", grant.warnings.length ? grant.warnings.map((it) => h("p", {}, shown(it))) : undefined]])) : null,
    tools.length ? h("ul", { class: "rows" }, tools.map((tool) => row(tool, around, read))) : h("p", { class: "faint" }, "No tool is known."));
}

function row(tool, around, read) {
  return h("li", { class: `row ${tool.status}` },
    h("span", { class: "row-main" }, h("span", { class: "tool" }, shown(tool.name)), tool.why ? h("span", { class: "small faint" }, shown(tool.why)) : null),
    h("span", { class: `status ${tool.status}` }, tool.status),
    tool.hash ? h("code", { class: "faint small hash", title: tool.hash }, tool.hash.slice(0, 12)) : null,
    tool.status === "changed" ? button("See what changed", () => changed(tool.name, around, read), { class: "quiet" }) : null);
}

/** Shows the change; accepting takes just the definition that is shown. */
async function changed(name, around, read) {
  try {
    const { pinned, now, hash } = await around.api.call("tools_diff", { name });
    const body = [h("p", { class: "faint" }, "Agents follow what a tool says of itself. Read what is new as if it were a stranger's letter."), diff(pinned, now)];
    const title = ["What changed in ", shown(name)];
    if (around.session.role === "reviewer") return tell({ title, body, wide: true });
    ask({ title, body, wide: true, act: "Accept this definition", submit: async (data) => {
      await around.api.call("tools_accept", proved({ name, hash }, data));
      toast(`${name} is offered again.`);
      await read();
    } });
  } catch (error) {
    toast(error.message);
  }
}

function lift(server, around, read) {
  ask({ title: ["Lift the quarantine of ", shown(server.name), "?"], body: h("p", {}, "Do so when you have read what it tried, in the trail, and know why."), act: "Lift it", submit: async (data) => {
    await around.api.call("quarantine_lift", proved({ name: server.name }, data));
    toast(`${server.name} is out of quarantine.`);
    await read();
  } });
}
