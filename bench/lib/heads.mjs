// Heads of requests as they come in production: real fields, and what the platform adds.
import { CF_FIELD } from "./workerd.mjs";

/** What `request.cf` is on the real network, in its size and shape. */
const cf = {
  clientTcpRtt: 11,
  longitude: "8.68417",
  latitude: "50.11552",
  tlsCipher: "AEAD-AES128-GCM-SHA256",
  continent: "EU",
  asn: 3320,
  country: "DE",
  isEUCountry: "1",
  verifiedBotCategory: "",
  tlsVersion: "TLSv1.3",
  colo: "FRA",
  timezone: "Europe/Berlin",
  city: "Frankfurt am Main",
  edgeRequestKeepAliveStatus: 1,
  requestPriority: "weight=256;exclusive=1",
  httpProtocol: "HTTP/2",
  region: "Hesse",
  regionCode: "HE",
  asOrganization: "Deutsche Telekom AG",
  postalCode: "60313",
  tlsClientHelloLength: "1793",
  tlsClientRandom: "mRj8Wn0tYBrU0cUGE1bnTDhQXn2H9JmPcG6kz4mEz5A=",
  tlsClientExtensionsSha1: "3bSUbS+XqE7zZDbHy6cDMJ/EqBE=",
  tlsClientExtensionsSha1Le: "dHaGnF3vQ0bMNpTFyqTYSTZ9AnU=",
  tlsClientCiphersSha1: "JZtiTn8H/ntxORk+XXvU2EvNoz8=",
  tlsExportedAuthenticator: {
    clientFinished: "6b2d0d2f2ab6b9c4b2e0a5d9e7d7e1c5a7f1c9e3b5d7f9a1c3e5b7d9f1a3c5e7",
    clientHandshake: "1f3e5d7c9bab8d6f4e2c0a1b3d5f7e9c8badcf0e2143658709bacddcfe102132",
    serverHandshake: "9d8c7b6a5f4e3d2c1b0a9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c3b2a1f0e9d8c",
    serverFinished: "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9",
  },
  tlsClientAuth: {
    certPresented: "0",
    certVerified: "NONE",
    certRevoked: "0",
    certIssuerDN: "",
    certSubjectDN: "",
    certIssuerDNRFC2253: "",
    certSubjectDNRFC2253: "",
    certIssuerDNLegacy: "",
    certSubjectDNLegacy: "",
    certSerial: "",
    certIssuerSerial: "",
    certSKI: "",
    certIssuerSKI: "",
    certFingerprintSHA1: "",
    certFingerprintSHA256: "",
    certNotBefore: "",
    certNotAfter: "",
  },
};

const HOST = "api.example.com";
const PLATFORM = [
  ["cf-ray", "8f1c2d3e4f5a6b7c-FRA"],
  ["cf-connecting-ip", "203.0.113.7"],
  ["cf-ipcountry", "DE"],
  ["cf-visitor", '{"scheme":"https"}'],
  ["cdn-loop", "cloudflare; loops=1"],
  ["x-forwarded-for", "203.0.113.7"],
  ["x-forwarded-proto", "https"],
];
const CLIENT = [
  ["accept", "application/json"],
  ["accept-encoding", "gzip, br"],
  ["user-agent", "acme-sdk/4.12.0 (node 22.9.0; linux x64)"],
];
const BROWSER = [
  ["accept-language", "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"],
  ["cache-control", "no-cache"],
  ["pragma", "no-cache"],
  ["dnt", "1"],
  ["priority", "u=1, i"],
  ["referer", "https://app.example.com/orders?page=3"],
  ["sec-ch-ua", '"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"'],
  ["sec-ch-ua-mobile", "?0"],
  ["sec-ch-ua-platform", '"macOS"'],
  ["sec-fetch-dest", "empty"],
  ["sec-fetch-mode", "cors"],
  ["sec-fetch-site", "same-site"],
  ["sec-gpc", "1"],
  ["traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
  ["tracestate", "acme=00f067aa0ba902b7"],
  ["x-client-version", "2026.7.3"],
  ["x-request-source", "web"],
  ["cookie", "session=b7f1c9e3b5d7f9a1c3e5b7d9f1a3c5e7; theme=dark; consent=2026-07-01"],
];

/** Field sets by how many fields the Worker sees, `host` and `authorization` included. */
export const FIELDS = { 12: [...CLIENT, ...PLATFORM], 30: [...CLIENT, ...PLATFORM, ...BROWSER] };

/**
 * What stands before and after the credential. The `cf` object comes as a field that workerd takes off.
 * @param {string} path
 * @param {{ fields?: number, method?: string, more?: string[][] }} [options]
 */
export function head(path, { fields = 12, method = "GET", more = [] } = {}) {
  const all = [...FIELDS[fields], ...more, [CF_FIELD, JSON.stringify(cf)]];
  const lines = all.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return { before: `${method} ${path} HTTP/1.1\r\nhost: ${HOST}\r\n${lines}authorization: Bearer `, after: "\r\n\r\n" };
}
