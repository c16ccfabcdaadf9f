// Reads flowcharts with the real mermaid: from standard input one JSON text a line, to standard output one JSON answer a line.
// An answer is {"fault": why it was refused} or what was understood: {"nodes", "frames", "edges", "title", "description"}, each label
// as the lines that a page would show. A label that was cut is accepted too, so accepting alone shows nothing.
import { createInterface } from "node:readline";
import { JSDOM } from "jsdom";

const page = new JSDOM("<!DOCTYPE html>").window;
Object.assign(globalThis, { window: page, document: page.document }); // mermaid cleans labels with the page's own parser
const { default: mermaid } = await import("mermaid");

// mermaid writes `#59;` as `ﬂ°°59¶ß` while it parses, and as HTML's `&#59;` in the page.
const decoded = (text) => text.replace(/ﬂ°°/g, "&#").replace(/ﬂ°/g, "&").replace(/¶ß/g, ";");

function shown(html) {
  const element = page.document.createElement("div");
  element.innerHTML = decoded(html);
  return element.textContent;
}

const lines = (label) => (label.trim() === "" ? [] : label.split("<br>").map(shown));

async function read(text) {
  try {
    await mermaid.parse(text);
  } catch (refused) {
    return { fault: String(refused.message ?? refused) };
  }
  const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
  const frames = db.getSubGraphs();
  const named = new Set(frames.map((frame) => frame.id)); // an edge to a frame names it among the nodes as well
  const look = ({ classes }) => [...classes].sort();
  return {
    title: shown(db.getAccTitle()),
    description: shown(db.getAccDescription()),
    nodes: Object.fromEntries(
      [...db.getVertices().values()]
        .filter((node) => !named.has(node.id))
        .map((node) => [node.id, { lines: lines(node.text), shape: node.type, look: look(node) }]),
    ),
    frames: Object.fromEntries(frames.map((frame) => [frame.id, { lines: lines(frame.title), holds: [...frame.nodes].sort(), look: look(frame) }])),
    edges: db.getEdges().map((edge) => ({ source: edge.start, target: edge.end, lines: lines(edge.text), stroke: edge.stroke, style: edge.style ?? [] })),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await read(JSON.parse(line))));
}
