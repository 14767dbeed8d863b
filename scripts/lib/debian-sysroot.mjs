// Where rustup can't download: Debian's rustc with a standard library for wasm32 built from Debian's own sources, in a
// private sysroot for each target. Neither the user's rustup nor anything under /usr is changed beyond the Debian packages.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, delimiter, join } from "node:path";
import { aptInstall } from "./apt.mjs";
import { Failure } from "./failure.mjs";
import { tilde, toolsFolder } from "./paths.mjs";
import { ask, must } from "./run.mjs";
import { note, say, stopwatch } from "./say.mjs";
import { DEBIAN_RUST, DEBIAN_WASI, WASI_TARGET, WASM_TARGET } from "./versions.mjs";

const RUSTC = "/usr/bin/rustc";
const CARGO = "/usr/bin/cargo";
const LINKER = "/usr/bin/wasm-ld-19";
const STD_SOURCES = "/usr/lib/rustlib/src/rust/library/std";

/** Where Debian has the C library for WASI. */
const WASI_LIBC = "/usr/lib/wasm32-wasi";
/** What std for WASI is linked with: the start of a program, and the C library. rustc looks for them in its sysroot. */
const WASI_PARTS = ["crt1-command.o", "libc.a"];

/** @type {(target: string) => string} */
const folder = (target) => join(toolsFolder(), target === WASM_TARGET ? "rust-wasm32" : `rust-${target}`);
/** @type {(target: string) => string} */
const stampFile = (target) => join(folder(target), "built-by");

/**
 * The Debian packages for a target, and the files by which they are known to be there.
 * @param {string} target
 */
const needed = (target) => ({
  packages: [...DEBIAN_RUST, ...(target === WASI_TARGET ? DEBIAN_WASI : [])],
  files: [RUSTC, CARGO, LINKER, STD_SOURCES, ...(target === WASI_TARGET ? wasiParts() : [])],
});
const wasiParts = () => WASI_PARTS.map((part) => join(WASI_LIBC, part));

/** @type {(target: string) => string} */
const linkerVariable = (target) => `CARGO_TARGET_${target.toUpperCase().replaceAll("-", "_")}_LINKER`;
// rlibs only work with the very compiler that made them, so an upgraded Debian package means another build.
const compiler = () => (existsSync(RUSTC) ? ask(RUSTC, ["-vV"]) : undefined);

/** @type {(target: string) => Record<string, string>} */
const environment = (target, bin = join(folder(target), "bin")) => ({
  PATH: [bin, process.env.PATH].filter(Boolean).join(delimiter),
  RUSTC: join(bin, "rustc"),
  CARGO: CARGO,
  [linkerVariable(target)]: LINKER,
});

/**
 * The environment that makes cargo use the private sysroot, or undefined if it is not there or out of date.
 * @param {string} target
 */
export function readySysroot(target) {
  if (!existsSync(stampFile(target)) || ![CARGO, LINKER].every(existsSync)) return undefined;
  if (readFileSync(stampFile(target), "utf8") !== compiler()) return undefined;
  return environment(target);
}

/**
 * Installs Debian's Rust where needed and builds std for a target with it.
 * @param {string} target
 */
export async function installSysroot(target) {
  const { packages, files } = needed(target);
  if (!files.every(existsSync)) {
    const elapsed = stopwatch();
    say(`Debian's Rust with the sources of std: ${packages.join(" ")} (by apt-get, about 1 minute)`);
    await aptInstall(packages, `The standard library for ${target}`);
    note(`done in ${elapsed()}`);
  }
  const elapsed = stopwatch();
  say(`standard library for ${target}, built from those sources → ${tilde(folder(target))} (about 1 minute)`);
  mkdirSync(toolsFolder(), { recursive: true });
  // Built beside its place and moved there whole: an interrupted run leaves nothing that looks finished.
  const fresh = mkdtempSync(join(toolsFolder(), `rust-${target}.`));
  try {
    await buildStd(target, fresh);
    rmSync(folder(target), { recursive: true, force: true });
    writeSysroot(fresh);
    renameSync(fresh, folder(target));
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  note(`done in ${elapsed()}`);
}

/**
 * Compiles std for an empty library and leaves the rlibs in `<into>/sysroot/lib/rustlib/<target>/lib`.
 * @param {string} target
 * @param {string} into
 */
async function buildStd(target, into) {
  const crate = join(into, "empty");
  mkdirSync(join(crate, "src"), { recursive: true });
  writeFileSync(
    join(crate, "Cargo.toml"),
    '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n\n[workspace]\n',
  );
  writeFileSync(join(crate, "src", "lib.rs"), "");
  await must("building std", CARGO, ["build", "--release", "--target", target, "-Zbuild-std=std,panic_abort"], {
    cwd: crate,
    env: {
      ...process.env,
      RUSTC,
      // -Zbuild-std is not a stable option.
      RUSTC_BOOTSTRAP: "1",
      // Without bitcode in the rlibs, a release build with LTO fails.
      RUSTFLAGS: "-Cembed-bitcode=yes",
      CARGO_TARGET_DIR: join(crate, "target"),
      [linkerVariable(target)]: LINKER,
    },
  });
  const made = join(crate, "target", target, "release", "deps");
  const lib = join(into, "sysroot", "lib", "rustlib", target, "lib");
  mkdirSync(lib, { recursive: true });
  const rlibs = readdirSync(made).filter((file) => file.endsWith(".rlib") && !file.startsWith("libempty-"));
  if (!rlibs.some((file) => file.startsWith("libstd-"))) throw new Failure("building std made no libstd");
  for (const file of rlibs) copyFileSync(join(made, file), join(lib, file));
  if (target === WASI_TARGET) {
    mkdirSync(join(lib, "self-contained"));
    for (const file of wasiParts()) copyFileSync(file, join(lib, "self-contained", basename(file)));
  }
  rmSync(crate, { recursive: true });
}

/**
 * Completes the sysroot with links to Debian's own parts, and writes the programs that use it.
 * @param {string} into
 */
function writeSysroot(into) {
  const built = compiler() ?? "";
  const [, host] = /^host: (.+)$/m.exec(built) ?? [];
  if (host === undefined) throw new Failure(`${RUSTC} does not say for what it compiles`);
  const rustlib = join(into, "sysroot", "lib", "rustlib");
  symlinkSync(`/usr/lib/rustlib/${host}`, join(rustlib, host));
  symlinkSync("/usr/lib/rustlib/src", join(rustlib, "src"));
  const bin = join(into, "bin");
  mkdirSync(bin);
  symlinkSync(CARGO, join(bin, "cargo"));
  const rustc = join(bin, "rustc");
  // $0 so that the folder can be moved to its place.
  writeFileSync(rustc, `#!/bin/sh\nexec ${RUSTC} --sysroot "$(dirname "$0")/../sysroot" "$@"\n`);
  chmodSync(rustc, 0o755);
  writeFileSync(join(into, "built-by"), built);
}
