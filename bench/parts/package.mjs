// How long a user of the npm packages waits: from an empty folder to the first routed request, and from a save to the request
// that it decides. As a user does it: `npm create`, `npm install` with the registry's packages in npm's cache, `npm start`.
import { openUser } from "../../tests/package/support/user.mjs";
import { rounded, spread } from "../lib/statistics.mjs";

/** @import { Gateway, Project } from "../../tests/package/support/user.mjs" */

const OFFER = "a caller reaches the main backend";

/** @param {{ rounds: number, saves: number, progress: (text: string) => void }} extent */
export async function packaged({ rounds, saves, progress }) {
  const user = openUser();
  /** @type {{ create: number, install: number, start: number, request: number }[]} */
  const steps = [];
  /** @type {number[]} */
  const live = [];
  try {
    // Whatever npm's cache lacks it fetches here.
    user.project("warm-up", { install: "npm" });
    for (let round = 0; round < rounds; round++) {
      progress(`package: gateway ${round + 1} of ${rounds}`);
      const clock = watch();
      const project = user.project(`round-${round}`, { install: false });
      const create = clock();
      project.installByNpm();
      const install = clock();
      const gateway = await project.start("--demo");
      const start = clock();
      await gateway.until("the first routed request", async () => (await gateway.paste(OFFER)).status === 200);
      steps.push({ create, install, start, request: clock() });
      for (let save = 0; save < saves; save++) live.push(await saved(project, gateway, save));
      await gateway.stop();
    }
  } finally {
    user.close();
  }
  const seconds = (of) => rounded(spread(of.map((milliseconds) => milliseconds / 1000)), 2);
  return {
    rounds,
    saves: live.length,
    firstRequest: seconds(steps.map(({ create, install, start, request }) => create + install + start + request)),
    create: seconds(steps.map(({ create }) => create)),
    install: seconds(steps.map(({ install }) => install)),
    start: seconds(steps.map(({ start }) => start)),
    live: seconds(live),
    installed: Object.values(user.archives).reduce((sum, { unpackedSize }) => sum + unpackedSize, 0),
  };
}

/** Milliseconds since the call before. */
function watch() {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const elapsed = now - last;
    last = now;
    return elapsed;
  };
}

/**
 * Milliseconds from a save of gateway.toml until a request is decided by it.
 * @param {Project} project
 * @param {Gateway} gateway
 * @param {number} save
 */
async function saved(project, gateway, save) {
  const [before, after] = save % 2 === 0 ? ["/{+path}", "/v2/{+path}"] : ["/v2/{+path}", "/{+path}"];
  const clock = watch();
  project.edit("gateway.toml", `path = "${before}"`, `path = "${after}"`);
  const wanted = save % 2 === 0 ? 404 : 200;
  await gateway.until(
    "the save is live",
    async () => (await gateway.paste(OFFER).catch(() => ({ status: 0 }))).status === wanted,
  );
  return clock();
}
