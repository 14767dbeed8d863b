// Backend URLs, as src/customer/backend.rs reads them: what it refuses is refused here in the same words.
import { isIpv4, isIpv6 } from "./address.js";

/** @import { AllowHttp } from "../types.d.ts" */

const MESSAGES = {
  scheme: "must begin with https://",
  http: "must be https (allow_http permits http for development)",
  userinfo: "must not hold a user name or password",
  host: "must name its host as a DNS name in ASCII, an IPv4 address, or an IPv6 address in brackets",
  port: "must have a port from 1 to 65535, or none",
  path: "must have a base path of unreserved, percent-encoded or sub-delimiter characters and no dot segments",
  query: "must have no query and no fragment",
};

const LABEL = /^(?!-)[0-9a-z_-]{1,63}(?<!-)$/;

/** @param {string} host */
function isHost(host) {
  if (host.startsWith("[")) return host.endsWith("]") && isIpv6(host.slice(1, -1));
  const name = host.toLowerCase();
  const labels = name.split(".");
  if (name.length > 253 || !labels.every((label) => LABEL.test(label))) return false;
  // A URL parser reads a host whose last label is a number as an IPv4 address, in forms that name other addresses
  // than they seem to.
  const last = labels[labels.length - 1];
  return !(/^\d+$/.test(last) || last.startsWith("0x")) || isIpv4(name);
}

/** @type {(host: string) => boolean} */
const isLoopback = (host) =>
  /^(.+\.)?localhost$/i.test(host) ||
  (isIpv4(host) && host.startsWith("127.")) ||
  (host.startsWith("[") && new URL(`http://${host}`).hostname === "[::1]");

/** @param {string} base */
function isBase(base) {
  if (!/^[0-9A-Za-z/._~%!$&'()*+,;=:@-]*$/.test(base) || /%(?![0-9A-Fa-f]{2})/.test(base)) return false;
  const decoded = base.replace(/%([0-9A-Fa-f]{2})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
  return !/[\\\0]/.test(decoded) && !decoded.split("/").some((segment) => [".", ".."].includes(segment.split(";")[0]));
}

/**
 * What is wrong with a backend's URL; undefined where nothing is. `allowHttp`: never, loopback or always.
 * @param {string} text
 * @param {AllowHttp} [allowHttp]
 * @returns {string | undefined}
 */
export function faultOfUrl(text, allowHttp = "never") {
  const [, scheme, rest] = /^(https?):\/\/(.*)$/s.exec(text) ?? [];
  if (!scheme) return MESSAGES.scheme;
  if (/[?#]/.test(rest)) return MESSAGES.query;
  const slash = rest.includes("/") ? rest.indexOf("/") : rest.length;
  const [authority, base] = [rest.slice(0, slash), rest.slice(slash)];
  if (authority.includes("@")) return MESSAGES.userinfo;
  const [, host = "", port] = /^((?:.*\])?[^:]*)(?::(.*))?$/s.exec(authority) ?? [];
  if (port !== undefined && !(/^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65535)) return MESSAGES.port;
  if (!isHost(host)) return MESSAGES.host;
  if (scheme === "http" && !(allowHttp === "always" || (allowHttp === "loopback" && isLoopback(host))))
    return MESSAGES.http;
  return isBase(base) ? undefined : MESSAGES.path;
}

/**
 * A URL as the gateway calls it: host in lower case, no slash at its end. For telling whether two are one.
 * @type {(text: string) => string}
 */
export const plainUrl = (text) => {
  const [, origin, base] = /^([a-z]+:\/\/[^/]*)(.*)$/s.exec(text) ?? [undefined, text, ""];
  return `${origin.toLowerCase()}${base.replace(/\/+$/, "")}`;
};
