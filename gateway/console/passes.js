// Passes: a yes that counts for further calls like the one that is shown. Given with an approval, listed, and revoked.

import { button, h, replace } from "./dom.js";
import { ask, proved, toast, tool, trouble } from "./parts.js";
import { left, shown } from "./text.js";

/** Arguments that are offered one by one; a call with more keeps its others as they are. */
const OFFERED = 20;

/** The part of the approval's dialog that widens it, and how to read it. */
export function widening(hold) {
  const names = argumentNames(hold);
  const on = h("input", { type: "checkbox", name: "pass" });
  const fields = h("div", { class: "pass-fields", hidden: true },
    h("div", { class: "pair" },
      h("label", {}, "How many calls", h("input", { name: "times", type: "number", min: 1, max: 1000, value: 10 })),
      h("label", {}, "For how long", h("select", { name: "lasts" },
        [["10m", "10 minutes"], ["1h", "an hour", true], ["8h", "8 hours"], ["24h", "a day"]].map(([value, text, usual]) =>
          h("option", { value, selected: usual }, text))))),
    names.map(argument),
    h("p", { class: "small faint" }, "It covers calls of this agent to this tool that are no riskier, and risky for no other reason. ",
      "In a pattern, * is a part of a name and ** is names with / between them."));
  on.addEventListener("change", () => { fields.hidden = !on.checked; });
  return { element: h("div", { class: "pass" }, h("label", { class: "check" }, on, "Let calls like it run, too"), fields), read: (data) => (on.checked ? leeway(names, data) : undefined) };
}

function argumentNames(hold) {
  const given = hold.arguments;
  return given && typeof given === "object" && !Array.isArray(given) ? Object.keys(given).slice(0, OFFERED) : [];
}

function argument(name, place) {
  const pattern = h("input", { name: `pattern-${place}`, "aria-label": `Pattern of ${name}`, placeholder: "/srv/notes/*", hidden: true, spellcheck: "false", autocapitalize: "none" });
  const choice = h("select", { name: `argument-${place}` },
    [["same", "is the same"], ["like", "is like …"], ["any", "is anything"]].map(([value, text]) => h("option", { value }, text)));
  choice.addEventListener("change", () => { pattern.hidden = choice.value !== "like"; });
  return h("div", { class: "argument" }, h("label", {}, h("code", {}, shown(name)), choice), pattern);
}

function leeway(names, data) {
  const allowed = {};
  names.forEach((name, place) => {
    const choice = data.get(`argument-${place}`);
    const loose = choice === "like" ? { like: data.get(`pattern-${place}`) } : "any";
    // A name like `__proto__` is a member as any other.
    if (choice !== "same") Object.defineProperty(allowed, name, { value: loose, enumerable: true });
  });
  return { times: Number(data.get("times")), lasts: data.get("lasts"), arguments: allowed };
}

/** The passes that are in force, in a place that `read` fills again. */
export function passes(around) {
  const place = h("div", { class: "passes" });
  const read = async () => {
    try {
      const known = await around.api.call("passes_list");
      replace(place, known.length === 0 ? null : [h("h2", { class: "small-title" }, "Passes"), h("ul", { class: "items" }, known.map((pass) => one(pass, around, read)))]);
    } catch (error) {
      if (around.api.state === "live") replace(place, trouble(error));
    }
  };
  return { place, read };
}

function one(pass, around, read) {
  const differ = Object.entries(pass.arguments).filter(([, allowed]) => allowed !== "the same");
  const may = around.session.role !== "reviewer";
  return h("li", { class: "item-pass" },
    h("span", { class: "item-title" }, tool(pass.server, pass.tool)),
    h("span", { class: "small" }, differ.length ? differ.map(([name, allowed], place) => [place ? ", " : "", h("code", {}, shown(name)), " ", shown(allowed)]) : "the same arguments"),
    h("span", { class: "small faint" }, shown(pass.agent), ` · ${pass.used} of ${pass.times} used · ${left(Date.parse(pass.expires) - Date.now())} left · by `, shown(pass.by)),
    may ? button("Revoke", () => revoke(pass, around, read), { class: "quiet danger-text", "aria-label": `Revoke the pass for ${pass.server}.${pass.tool}` }) : null);
}

function revoke(pass, around, read) {
  ask({ title: ["Revoke the pass for ", tool(pass.server, pass.tool), "?"], kind: "danger", act: "Revoke", body: h("p", {}, "The next call like it waits for a person again."), submit: async (data) => {
    await around.api.call("passes_revoke", proved({ id: pass.id }, data));
    toast(`${pass.server}.${pass.tool}: the pass is revoked`, "denied");
    await read();
  } });
}
