
// The Worker's entry, over worker-build's own (`Stock`), which it takes the place of: the build puts this behind it. That
// one makes an object of a class and three proxies for each request, which is 6 % of what a request costs. They are
// for objects that outlive their wasm instance, and here is none. After a trap it is the generated functions themselves
// that make the instance anew before they enter it again.
function entryOver(Stock) {
  const { fetch, scheduled } = Stock.prototype;
  return {
    fetch: (request, env, ctx) => fetch.call({ env, ctx }, request),
    scheduled: (event, env, ctx) => scheduled.call({ env, ctx }, event),
  };
}
