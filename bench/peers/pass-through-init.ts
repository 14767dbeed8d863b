// The cheapest that there is: no URL object, no Request, and a plain init, so that `cf` is not copied.
export default {
  fetch({ url, method, headers, body }: Request): Promise<Response> {
    const init = { method, headers: new Headers(headers), body, redirect: "manual" } as const;
    return fetch(`https://production.backends.example.com${url.slice(url.indexOf("/", 8))}`, init);
  },
};
