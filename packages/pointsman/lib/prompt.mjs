// A question whose answer nobody sees.
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { Failure } from "./failure.mjs";

/**
 * Asks on the terminal until there is an answer.
 * @param {string} question
 * @param {{ input?: NodeJS.ReadableStream, output?: NodeJS.WritableStream }} [terminal] this process's own by default
 * @returns {Promise<string>}
 */
export function askSecret(question, { input = process.stdin, output = process.stdout } = {}) {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input, output: silent, terminal: true });
  output.write(question);
  return new Promise((resolve, reject) => {
    terminal.on("line", (line) => {
      const answer = line.trim();
      output.write("\n");
      if (answer === "") return void output.write(question);
      // Before it is closed: readline lets go of the terminal by a listener of its own, and what comes after changes nothing.
      resolve(answer);
      terminal.close();
    });
    terminal.on("close", () => reject(new Failure("\nnothing was deployed")));
  });
}
