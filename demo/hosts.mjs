// Who answers for which host in the demo's world. Hosts are real-looking https ones; no name is ever resolved.
export const CONFIG_API_HOST = "config.example.com";
export const ISSUER_HOST = "id.example.com";

// In the order of the demo: each of these also listens on a loopback port of its own.
export const BACKEND_HOSTS = [
  "sandbox.backends.example.com",
  "production.backends.example.com",
  "shared.backends.example.com",
  "acme.tenants.example.com",
  "wayne.tenants.example.com",
  "stark.tenants.example.com",
  "umbrella.tenants.example.com",
  "acme.api.example.com",
];

/**
 * The echo backend behind a host: sandbox, acme.tenants, acme.api. Undefined where there is none.
 * @param {string | undefined} host
 */
export function backendName(host) {
  const match = /^([a-z0-9-]+)\.(backends|tenants|api)\.example\.com$/.exec(withoutPort(host));
  if (!match) return undefined;
  return match[2] === "backends" ? match[1] : `${match[1]}.${match[2]}`;
}

/** @type {(host: string | undefined) => string} */
export const withoutPort = (host) => (host ?? "").toLowerCase().replace(/:\d+$/, "");
