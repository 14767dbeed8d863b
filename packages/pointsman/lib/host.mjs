// What the wasm asks of the machine that WASI does not have: the other end of crates/pointsman-cli/src/host/wasi.rs.
import { closeSync, openSync, realpathSync } from "node:fs";
import { runAll } from "./programs.mjs";
import { reason } from "./reason.mjs";
import { openTemporary, PRIVATE, readAt, writeAt } from "./temporary.mjs";

/** @import { Program } from "./programs.mjs" */

/**
 * @typedef {(
 *   | { do: "open_temporary" }
 *   | { do: "read", file: number, at: number, most: number }
 *   | { do: "write", file: number, at: number }
 *   | { do: "close", file: number }
 *   | { do: "create_private", path: string }
 *   | { do: "real_path", path: string }
 *   | { do: "run", programs: Program[] }
 * )} Request
 */

/**
 * Does what is asked. What it gives is bytes, a value that is answered as JSON, or nothing.
 * @param {Request} request
 * @param {Uint8Array} body
 */
function perform(request, body) {
  switch (request.do) {
    case "open_temporary":
      return openTemporary();
    case "read":
      return readAt(request.file, request.at, request.most);
    case "write":
      return writeAt(request.file, request.at, body);
    case "close":
      return closeSync(request.file);
    case "create_private":
      return closeSync(openSync(request.path, "wx", PRIVATE));
    case "real_path":
      return realpathSync(request.path);
    case "run":
      return runAll(request.programs);
    default:
      throw new Error("this launcher is older than its pointsman.wasm");
  }
}

/**
 * The functions of the module `pointsman_host`.
 * @param {() => ArrayBuffer} memory the wasm's memory as it is now: where it grows, it is another buffer
 */
export function createHost(memory) {
  /** @type {Uint8Array} */
  let held = new Uint8Array();
  return {
    /** @type {(request: number, requestLength: number, body: number, bodyLength: number) => number} */
    call(request, requestLength, body, bodyLength) {
      try {
        const text = Buffer.from(memory(), request, requestLength).toString();
        const given = perform(JSON.parse(text), new Uint8Array(memory(), body, bodyLength));
        held = given instanceof Uint8Array ? given : Buffer.from(JSON.stringify(given) ?? "");
        return held.length;
      } catch (error) {
        held = Buffer.from(reason(error));
        return -1 - held.length;
      }
    },
    /** @type {(into: number) => void} */
    answer(into) {
      new Uint8Array(memory()).set(held, into);
    },
  };
}
