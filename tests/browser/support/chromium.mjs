// A real browser: it alone says what CORS answers are worth.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const program = process.env.CHROMIUM_BIN || "/usr/bin/chromium";

// Nothing of it may reach out: the tests need this machine only.
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function startChromium() {
  if (!existsSync(program)) throw new Error(`no Chromium at ${program}: install it, or set CHROMIUM_BIN`);
  return chromium.launch({ executablePath: program, args: FLAGS });
}
