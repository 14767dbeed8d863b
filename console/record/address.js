// Addresses and ranges (RFC 4632, RFC 4291), as src/route/cidr.rs reads them.

const OCTET = /^(?:0|[1-9]\d{0,2})$/;

/** @type {(text: string) => boolean} */
export const isIpv4 = (text) => {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => OCTET.test(part) && Number(part) <= 255);
};

/** @type {(text: string) => bigint} */
const bitsOfIpv4 = (text) => text.split(".").reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);

/**
 * The 128 bits of an IPv6 address; undefined where the text is none.
 * @param {string} text
 * @returns {bigint | undefined}
 */
export function bitsOfIpv6(text) {
  // An IPv4 address may stand at the end, for the last two groups.
  const [, before, four] = /^(.*:)([^:]*\.[^:]*)$/s.exec(text) ?? [];
  if (four !== undefined) {
    if (!isIpv4(four)) return undefined;
    const bits = bitsOfIpv4(four);
    return bitsOfIpv6(`${before}${(bits >> 16n).toString(16)}:${(bits & 0xffffn).toString(16)}`);
  }
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const there = groups.flat();
  if (!there.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return undefined;
  if (halves.length === 1 ? there.length !== 8 : there.length > 7) return undefined;
  const filled = [...groups[0], ...Array(8 - there.length).fill("0"), ...(groups[1] ?? [])];
  return filled.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}

/** @type {(text: string) => boolean} */
export const isIpv6 = (text) => bitsOfIpv6(text) !== undefined;

/**
 * Whether the text is an address, or a range with no bits set behind its prefix.
 * @param {string} text
 */
export function isRange(text) {
  const [, address = "", length] = /^([^/]*)(?:\/(.*))?$/s.exec(text) ?? [];
  const v4 = isIpv4(address);
  const bits = v4 ? bitsOfIpv4(address) : bitsOfIpv6(address);
  if (bits === undefined) return false;
  if (length === undefined) return true;
  const own = v4 ? 32 : 128;
  if (!/^\d+$/.test(length) || Number(length) > own) return false;
  return (bits & ((1n << BigInt(own - Number(length))) - 1n)) === 0n;
}
