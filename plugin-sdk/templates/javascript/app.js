// Looks how much space is left on the file system of a root.

import { space } from "evenkeel:cap/files@0.1.0";
import { write as log } from "evenkeel:plugin/log@0.1.0";

const PARAMS = {
  type: "object",
  properties: {
    root: { type: "string", description: "The root whose file system is looked at" },
    least_bytes: { type: "integer", minimum: 0, description: "Bytes that have to be free" },
  },
  required: ["root", "least_bytes"],
  additionalProperties: false,
};

export const describe = {
  paramsSchema(kind) {
    return kind === "check" ? JSON.stringify(PARAMS) : undefined;
  },
};

export const check = {
  run(params) {
    const { root, least_bytes: least } = JSON.parse(params);
    const free = Number(look(root).freeBytes); // A u64 is a BigInt.
    log("info", `looked at ${root}`, [["free_bytes", String(free)]]);
    return [
      {
        code: "space-low",
        severity: free >= least ? "ok" : "critical",
        subject: root,
        summary: `${Math.floor(free / 2 ** 20)} MiB are free on \`${root}\``,
        labels: [],
        details: JSON.stringify({ free_bytes: free }),
      },
    ];
  },
};

// A capability's error as the kinds have it: the host branches on its class alone.
function look(root) {
  try {
    return space(root);
  } catch (error) {
    const { tag, val } = error.payload ?? error;
    const denied = tag === "denied";
    throw { class: denied ? "denied" : "permanent", code: denied ? "denied" : "no-space", message: val ?? tag };
  }
}
