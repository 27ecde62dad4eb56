// Reviews: calls that one person let run without the others, for somebody else to look at.

import { button, h } from "./dom.js";
import { ask, facts, proved, risk, toast, tool } from "./parts.js";
import { ago, count, shown } from "./text.js";

/** The open ones, where there are any. */
export function reviews(open, around, read) {
  if (open.length === 0) return null;
  return h("section", { class: "wide reviews", "aria-label": "Reviews" },
    h("h2", { class: "alarm" }, `${count(open.length, "call")} let through by broken glass`), open.map((review) => one(review, around, read)));
}

function one(review, around, read) {
  const { name, role } = around.session;
  const own = name?.toLowerCase() === review.glass.by.toLowerCase();
  return h("article", { class: "card critical" },
    h("p", { class: "line" }, risk(review.risk), h("b", {}, shown(review.glass.by)), " broke the glass of ", tool(review.server, review.tool), h("span", { class: "faint" }, ago(review.glass.at))),
    facts([["Agent", shown(review.agent)], ["Others", `${review.approved.length} of ${review.required} had approved`],
      ["Why", shown(review.glass.reason)], ["Why alone", shown(review.glass.because)],
      ["Call", h("a", { href: `#trail/${review.call}` }, h("code", {}, review.call))]]),
    own || role === "operator" ? h("p", { class: "small faint" }, "A reviewer or an admin who is somebody else closes it.")
      : button("Close the review", () => close(review, around, read), { class: "quiet" }));
}

function close(review, around, read) {
  ask({ title: ["Close the review of ", tool(review.server, review.tool), "?"], act: "Close it",
    body: h("label", {}, "What you found (it is kept in the trail)", h("textarea", { name: "finding", rows: 3, required: true, maxlength: 2000, autofocus: true })),
    submit: async (data) => {
      await around.api.call("reviews_close", proved({ id: review.hold, finding: data.get("finding") }, data));
      toast(`${review.server}.${review.tool}: the review is closed`);
      await read();
    } });
}
