import { Failure } from "./failure.mjs";
import { which } from "./run.mjs";

/** Stops early, and says how to go on, where there is no Rust at all. */
export function needRust() {
  const missing = ["cargo", "rustc"].filter((program) => !which(program));
  if (missing.length === 0) return;
  throw new Failure(`${missing.join(" and ")} not found on PATH`, {
    advice: ["Install Rust with rustup (https://rustup.rs), open a new shell and try again."],
  });
}
