// Progress on stderr: one line that is rewritten on a terminal, and a line a quarter of a minute elsewhere.
const EVERY = 15_000;

/** @returns {(text: string) => void} */
export function progress() {
  const began = Date.now();
  let last = 0;
  return (text) => {
    const line = `  ${Math.round((Date.now() - began) / 1000)} s  ${text}`;
    if (process.stderr.isTTY) return process.stderr.write(`\r\x1b[2K${line}`);
    if (Date.now() - last < EVERY) return undefined;
    last = Date.now();
    return console.error(line);
  };
}

/** Ends the line that was rewritten. */
export const clear = () => process.stderr.isTTY && process.stderr.write("\r\x1b[2K");
