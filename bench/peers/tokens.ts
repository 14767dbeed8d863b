// Tokens, verified with jose. Its remote key set is kept in memory; fetch brings it once.
import { createRemoteJWKSet, jwtVerify } from "jose";
import { type Caller, Remembered } from "./records.ts";

const ISSUER = "https://id.example.com/";
const keys = createRemoteJWKSet(new URL("https://id.example.com/.well-known/jwks.json"));

/** Callers by the token that they were verified by. */
export const verified = new Remembered<Caller>(300_000);

export async function verify(token: string): Promise<Caller> {
  const expected = {
    issuer: ISSUER,
    audience: "https://api.example.com",
    algorithms: ["ES256"],
    requiredClaims: ["exp", "sub"],
  };
  const { payload } = await jwtVerify(token, keys, expected);
  if (typeof payload.customerId !== "string") throw new Error("no customer");
  const caller: Caller = { subject: payload.sub as string, customerId: payload.customerId, auth: "main" };
  verified.set(token, caller, Date.now(), (payload.exp as number) * 1000);
  return caller;
}
