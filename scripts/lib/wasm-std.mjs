// The wasm32 standard library, from the first of: the active toolchain, rustup's download, Debian's sources.
import { existsSync, readdirSync } from "node:fs";
import { haveApt } from "./apt.mjs";
import { installSysroot, readySysroot } from "./debian-sysroot.mjs";
import { Failure } from "./failure.mjs";
import { ask, attempt, which } from "./run.mjs";
import { note, say, stopwatch } from "./say.mjs";
import { WASM_TARGET } from "./versions.mjs";

const RUSTUP_TIME_LIMIT = 180_000;

/** Whether the ordinary toolchain can build wasm as it is. */
function activeToolchainHasIt() {
  const folder = ask("rustc", ["--print", "target-libdir", "--target", WASM_TARGET]);
  return folder !== undefined && existsSync(folder) && readdirSync(folder).some((file) => file.startsWith("libstd-"));
}

/**
 * What the wasm build must add to its environment; undefined if there is no standard library yet.
 * @returns {Record<string, string> | undefined}
 */
export function wasmToolchain() {
  // Setting the variable to "debian" is for testing that way on a machine that does not need it.
  if (process.env.POINTSMAN_WASM_STD !== "debian" && activeToolchainHasIt()) return {};
  return readySysroot();
}

async function byRustup() {
  if (process.env.POINTSMAN_WASM_STD === "debian" || !which("rustup")) return false;
  const elapsed = stopwatch();
  say(`wasm32 standard library: rustup target add ${WASM_TARGET} (20 MB)`);
  const { ok, tail, timedOut } = await attempt("rustup", ["target", "add", WASM_TARGET], {
    env: { ...process.env, RUSTUP_MAX_RETRIES: process.env.RUSTUP_MAX_RETRIES ?? "1" },
    timeout: RUSTUP_TIME_LIMIT,
  });
  if (ok && activeToolchainHasIt()) {
    note(`done in ${elapsed()}`);
    return true;
  }
  const reason = timedOut
    ? "no answer in time"
    : (tail.find((line) => /could not|failed|error: ./i.test(line)) ?? "no reason given").trim();
  note(`rustup could not get it after ${elapsed()}: ${reason}`);
  return false;
}

/** Makes sure that there is a standard library for wasm32. */
export async function wasmStd() {
  if (wasmToolchain()) return;
  if (await byRustup()) return;
  if (!haveApt()) {
    throw new Failure("no wasm32 standard library for Rust", {
      advice: ["By hand, with a network that reaches rustup's servers:", `  rustup target add ${WASM_TARGET}`],
    });
  }
  await installSysroot();
}
