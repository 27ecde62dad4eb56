// The whole life of a call on one page: each record with what it says, and its proof.

import { button, download, h, replace } from "./dom.js";
import { facts, risk, tool, trouble, verdict, watched } from "./parts.js";
import { shown, span, time } from "./text.js";
import { tree } from "./tree.js";
import { words } from "./trail.js";

const BODIES = { intent: "Arguments", refusal: "Arguments", hold: "Arguments", outcome: "Result", relay: "Message" };

export function life(root, around, id) {
  const body = h("div", { class: "life" });
  root.append(h("p", {}, h("a", { href: "#trail", class: "back" }, "‹ Trail")), body);
  const read = async () => {
    try {
      replace(body, drawn(await around.api.call("trail_show", { id }), around));
    } catch (error) {
      if (around.api.state === "live") replace(body, trouble(error));
    }
  };
  read();
  return {
    live: read,
    key: (name) => {
      if (name === "Escape") return around.go("trail"), true;
      return name === "r" ? (read(), true) : false;
    },
  };
}

function drawn({ call, records }, around) {
  return [head(call, records), h("ol", { class: "timeline" }, records.map((record) => entry(record, records, around)))];
}

function head(call, records) {
  const about = records.find((record) => record.tool) ?? records[0];
  const decided = records.filter((record) => record.verdict);
  const [first, last] = [decided[0], decided.at(-1)];
  const ended = records.findLast((record) => record.kind === "outcome");
  const begun = records.findLast((record) => record.kind === "intent");
  const took = ended && begun ? span(Date.parse(ended.at) - Date.parse(begun.at)) : undefined;
  return h("header", { class: "life-head" },
    h("div", { class: "line" }, first?.risk ? risk(first.risk) : null, first ? verdict(first.verdict) : null,
      last && last.verdict !== first.verdict ? [h("span", { class: "faint" }, "then"), verdict(last.verdict)] : null, took ? h("span", { class: "faint" }, `ran for ${took}`) : null),
    h("h1", {}, about.server ? tool(about.server, about.tool) : [`Record ${about.seq}: `, about.kind]),
    facts([["Agent", about.agent ? shown(about.agent) : undefined], ["Call", call ? h("code", {}, call) : undefined],
      ["Session", about.session ? h("code", { class: "wrap" }, shown(about.session)) : undefined],
      ["Request", about.method && about.method !== "tools/call" ? shown(about.method) : undefined]]));
}

function entry(record, records, around) {
  const since = records[0] === record ? null : h("span", { class: "faint" }, `+${span(Date.parse(record.at) - Date.parse(records[0].at))}`);
  return h("li", { class: `entry ${record.kind} ${record.verdict ?? ""}` },
    h("div", { class: "line" }, h("h2", {}, record.kind), record.verdict ? verdict(record.verdict) : null, h("span", { class: "words" }, words(record))),
    h("p", { class: "small faint" }, time(record.at), " ", since, ` · record ${record.seq}`),
    assessed(record.detail?.assessment), watched(record.detail?.assessment?.observed), observed(record.detail?.sandbox), content(record), more(record), proof(record, around));
}

function assessed(assessment) {
  const reasons = assessment?.reasons ?? [];
  if (reasons.length === 0) return null;
  return h("ul", { class: "reasons" }, reasons.map(({ id, text, at }) =>
    h("li", {}, h("p", {}, shown(text)), h("p", { class: "small faint" }, h("code", {}, shown(id)), at ? [" at ", h("code", {}, shown(at))] : null))));
}

/** What was declared beside what the sandbox saw. */
function observed(sandbox) {
  if (!sandbox?.observed?.length) return null;
  const attempt = (it) => h("li", { class: it.denied ? "denied" : "" }, h("code", {}, shown(it.protocol ?? "")), " ",
    shown(`${it.host ?? it.address ?? ""}${it.port ? `:${it.port}` : ""}`), it.request ? [" ", shown(it.request)] : null,
    it.denied ? h("strong", { class: "alarm" }, " denied: ", shown(it.denied)) : h("span", { class: "good" }, " allowed"), it.times > 1 ? ` ×${it.times}` : null);
  return [h("h3", {}, "What it tried to reach"), h("ul", { class: "plain attempts" }, sandbox.observed.map(attempt))];
}

function content(record) {
  const name = BODIES[record.kind] ?? "Body";
  if (record.body !== undefined) return [h("h3", {}, name), tree(record.body)];
  if (record.bytes === undefined) return null;
  return [h("h3", {}, name), h("p", { class: "faint" }, `${record.bytes.toLocaleString("en")} bytes, not kept here. SHA-256 `, h("code", { class: "wrap" }, record.sha256))];
}

function more(record) {
  const inside = h("div", {});
  const details = h("details", {}, h("summary", {}, "Everything in the record"), inside);
  details.addEventListener("toggle", () => details.open && !inside.hasChildNodes() && replace(inside, tree(record.detail)));
  return details;
}

/** The proof is made and checked by the gateway; the file lets anybody check it again, with the public key alone. */
function proof({ seq }, around) {
  const place = h("div", { class: "proof" });
  const make = async () => {
    try {
      const { file, origin, size, key: vkey } = await around.api.call("trail_prove", { seq });
      replace(place, h("p", { class: "good" }, `✓ Record ${seq} is one of the ${size.toLocaleString("en")} records that the log has signed.`),
        facts([["Log", shown(origin)], ["Public key", h("code", { class: "wrap" }, vkey)]]),
        button("Save the proof", () => download(`${seq}.tlog-proof`, "text/plain", [file]), { class: "quiet" }),
        h("p", { class: "small faint" }, "Anybody can check it: ", h("code", {}, `portcullis log check-proof ${seq}.tlog-proof --key …`)));
    } catch (error) {
      replace(place, trouble(error), button("Try again", make, { class: "quiet" }));
    }
  };
  place.append(button("Prove it", make, { class: "quiet" }));
  return place;
}
