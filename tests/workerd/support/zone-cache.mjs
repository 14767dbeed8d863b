// The cache of a Cloudflare zone, through which a Worker's fetch reads, as Cloudflare documents it
// (developers.cloudflare.com/cache/concepts/default-cache-behavior and …/cache-control). Local workerd has none. The
// module runs in Node and in workerd: it decides and remembers, and calls nobody.

/** The endings of paths whose answers are cached by default. */
const ENDINGS = new Set(
  `7z avi avif apk bin bmp bz2 class css csv doc docx dmg ejs eot eps exe flac gif gz ico iso jar jpg jpeg js mid midi mkv
  mp3 mp4 ogg otf pdf pict pls png ppt pptx ps rar svg svgz swf tar tif tiff ttf webm webp woff woff2 xls xlsx zip zst`.split(
    /\s+/,
  ),
);

/** How long an answer is kept that says nothing, in minutes, by its status. */
const UNSAID = { 200: 120, 206: 120, 301: 120, 302: 20, 303: 20, 404: 3, 410: 3 };

const MINUTE = 60_000;

/** What is asked of the cache by a call's `cf`: nothing where it says so, as `cacheTtl: -1` and `cache: "no-store"` do. */
export const asksNothing = (cf) => cf?.cacheTtl === -1 || cf?.cacheLevel === "bypass";

const endsInFile = (url) => ENDINGS.has(/\.([0-9a-z]+)$/i.exec(new URL(url).pathname)?.[1].toLowerCase());

/** The directives of a field, in lower case: { name: value }. */
function directives(text = "") {
  const named = text.split(",").map((part) => part.trim().split("=", 2));
  return Object.fromEntries(named.map(([name, value = ""]) => [name.toLowerCase(), value.replaceAll('"', "")]));
}

/** An answer here is { status, fields: [[name, value]], body: Uint8Array }. */
export const fieldOf = ({ fields }, name) => {
  const values = fields.filter(([own]) => own.toLowerCase() === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(", ");
};

export class ZoneCache {
  /** A rule of the zone: "cache everything", whatever the path's ending. */
  cacheEverything = false;
  #stored = new Map();

  /** Whether a call can be answered from here, or its answer be kept. A HEAD is asked for as a GET. */
  serves({ method, url, cf }) {
    return !asksNothing(cf) && (method === "GET" || method === "HEAD") && (this.cacheEverything || endsInFile(url));
  }

  clear() {
    this.#stored.clear();
  }

  /** What is kept under a URL: no field of the request is in the key. */
  find(url, now = Date.now()) {
    const entry = this.#stored.get(url);
    return entry !== undefined && now < entry.until ? entry.answer : undefined;
  }

  /** Keeps the answer to a GET, where the rules let it. `authorized` is whether the request had an Authorization. */
  keep(url, answer, authorized, now = Date.now()) {
    const milliseconds = this.#lifetime(answer, authorized, now);
    if (milliseconds > 0) this.#stored.set(url, { answer, until: now + milliseconds });
  }

  #lifetime(answer, authorized, now) {
    const targeted = fieldOf(answer, "cloudflare-cdn-cache-control") ?? fieldOf(answer, "cdn-cache-control");
    const said = directives(targeted ?? fieldOf(answer, "cache-control"));
    if (["private", "no-store", "no-cache"].some((name) => name in said)) return 0;
    if (authorized && !["public", "s-maxage", "must-revalidate"].some((name) => name in said)) return 0;
    // By default. A zone that caches everything takes the cookie off and keeps the answer.
    if (fieldOf(answer, "set-cookie") !== undefined && !this.cacheEverything) return 0;
    const seconds = said["s-maxage"] ?? said["max-age"];
    if (seconds !== undefined) return Number(seconds) * 1000 || 0;
    const expires = targeted === undefined ? fieldOf(answer, "expires") : undefined;
    if (expires !== undefined) return Date.parse(expires) - now || 0;
    return (UNSAID[answer.status] ?? 0) * MINUTE;
  }
}

/** What a client gets of a whole answer: without the body for HEAD, and the part that Range asks for. */
export function cutToRequest({ status, fields, body }, method, range) {
  const kept = fields.filter(
    ([name]) => !/^(content-length|transfer-encoding|content-range|connection|keep-alive)$/i.test(name),
  );
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  if (from !== undefined && status === 200 && Number(from) < body.length) {
    const end = Math.min(to === "" ? body.length - 1 : Number(to), body.length - 1);
    const part = body.subarray(Number(from), end + 1);
    return {
      status: 206,
      fields: [...kept, ["content-range", `bytes ${from}-${end}/${body.length}`]],
      body: method === "HEAD" ? new Uint8Array() : part,
    };
  }
  return { status, fields: kept, body: method === "HEAD" ? new Uint8Array() : body };
}
