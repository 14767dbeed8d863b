import { notice } from "../audit.js";
import { begin, end, isSame } from "../session.js";
import { createThrottle } from "../throttle.js";
import { page } from "./layout.js";
import { form, html, summary, textField } from "./parts.js";

/** @import { App, Session } from "../types.d.ts" */

/**
 * @param {Session} session
 * @param {string} [fault]
 */
function view(session, fault) {
  const faults = fault ? [{ id: "secret", label: "Sign-in secret", what: fault }] : [];
  // Password managers keep a secret by a name.
  const name = html`<input type="text" name="username" value="operator" autocomplete="username" readonly hidden>`;
  const secret = textField({
    id: "secret",
    label: "Sign-in secret",
    type: "password",
    required: true,
    fault,
    more: { autocomplete: "current-password" },
  });
  return page({
    title: "Sign in",
    faulty: Boolean(fault),
    content: html`${summary(faults)}
      <p>The console changes who may call the gateway. It asks for the sign-in secret, and keeps you signed in for eight hours.</p>
      ${form(session.csrf, "/sign-in", html`${name}${secret}<p><button>Sign in</button></p>`)}`,
  });
}

/** @param {App} app */
export function signIn(app) {
  const throttle = createThrottle();

  app.get("/sign-in", (c) => (c.get("session").signedIn ? c.redirect("/", 303) : c.html(view(c.get("session")))));

  app.post("/sign-in", async (c) => {
    const now = Date.now();
    const address = c.req.header("cf-connecting-ip") ?? "unknown";
    const wait = throttle.wait(address, now);
    if (wait > 0) {
      c.header("retry-after", String(Math.ceil(wait / 1000)));
      return c.html(
        view(c.get("session"), `was wrong too often. Try again in ${Math.ceil(wait / 60_000)} minutes.`),
        429,
      );
    }
    const { secret } = c.get("settings");
    if (!(await isSame(c.get("form").get("secret") ?? "", secret))) {
      throttle.note(address, now);
      notice("console_wrong_secret", { who: c.get("accessWho") });
      return c.html(view(c.get("session"), "is not the right one."), 403);
    }
    const session = await begin(c, secret, now);
    notice("console_sign_in", { who: c.get("accessWho") ?? `session ${session.id.slice(0, 8)}` });
    return c.redirect("/", 303);
  });

  app.post("/sign-out", (c) => {
    end(c);
    notice("console_sign_out", { who: c.get("who") });
    return c.redirect("/sign-in", 303);
  });
}
