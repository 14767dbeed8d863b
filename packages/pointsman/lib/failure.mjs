import { red } from "./say.mjs";

/** Something the reader can act on: printed as it is, without a stack trace. */
export class Failure extends Error {
  /**
   * @param {string} message
   * @param {{ advice?: string | string[], code?: number }} [options]
   */
  constructor(message, { advice = [], code = 1 } = {}) {
    super(message);
    this.advice = [advice].flat();
    this.code = code;
  }
}

/**
 * Runs a script's main function and turns what it throws into a message and an exit code.
 * @param {() => Promise<void>} run
 */
export async function main(run) {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.error(`\n${red("failed:")} ${error.message}`);
    for (const line of error.advice) console.error(`  ${line}`);
    process.exit(error.code);
  }
}
