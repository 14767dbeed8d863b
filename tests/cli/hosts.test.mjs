// Customers' own hosts: the entries that say whose they are follow the records, in a local KV and in what is printed for one.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openProject } from "./support/project.mjs";

const GATEWAY = `
[customers]

[[routes]]
path = "/{+path}"
auth = []
customer = "$host"
rules = [{ name = "customer", to = "customer" }]
`;

let project;
const customer = (id, ...hosts) => ({ customerId: id, backendUrl: `https://${id}.tenants.example.com`, hosts });

before(async () => {
  project = await openProject({ gateway: GATEWAY });
});
after(() => project?.close());

/** Whose the host is to the gateway, by the local KV. */
async function customerOf(host) {
  const { decision, answer } = (await project.local(["explain", "--path", "/x", "--host", host, "--json"])).json();
  return answer?.reason ?? decision.customer;
}

test("records bring the entries of their hosts, and take them along", async () => {
  project.write("data/customers.json", [customer("acme", "api.acme.example", "www.acme.example"), customer("wayne")]);
  await project.local(["apply", "data"]);
  assert.equal(await customerOf("api.acme.example"), "acme");

  await project.local(["customers", "put", "wayne", "--host", "api.wayne.example"]);
  assert.equal(await customerOf("api.wayne.example"), "wayne");
  const listed = await project.local(["customers", "list"]);
  assert.match(listed.out, /HOSTS\n/);
  assert.match(listed.out, /^acme .* api\.acme\.example www\.acme\.example$/m);
  const found = (await project.local(["customers", "list", "--host", "api.wayne.example", "--json"])).json();
  assert.deepEqual(
    found.map(({ customerId }) => customerId),
    ["wayne"],
  );
  await project.local(["customers", "put", "wayne", "--no-hosts"]);
  assert.equal(await customerOf("api.wayne.example"), "host_unknown");
});

test("a host of two customers is refused, and moves where the files say so", async () => {
  const taken = await project.local(["customers", "put", "wayne", "--host", "api.acme.example"], { want: 1 });
  assert.match(taken.err, /api\.acme\.example is a host of customer:wayne and of customer:acme/);

  const both = [customer("acme", "api.acme.example"), customer("wayne", "api.acme.example")];
  project.write("both/customers.json", both);
  for (const command of [
    ["plan", "both", "--local"],
    ["entries", "both"],
    ["check", "--data", "both"],
  ]) {
    const { code, err } = await project.run(command);
    assert.equal(code, 1, command.join(" "));
    assert.match(err, /customers\.json:1: error: \/hosts\/0: api\.acme\.example is a host of customer:acme too/);
  }

  project.write("data/customers.json", [customer("acme"), customer("wayne", "api.acme.example")]);
  await project.local(["apply", "data"]);
  assert.equal(await customerOf("api.acme.example"), "wayne");
  assert.equal(await customerOf("www.acme.example"), "host_unknown");
  await project.local(["customers", "remove", "wayne"]);
  assert.equal(await customerOf("api.acme.example"), "host_unknown");
});

test("an apply that was stopped before the hosts is finished by the next", async () => {
  const kv = "stopped";
  // Calls: the lists of customers and hosts, then the customers, then the entries of their hosts.
  project.replaceWrangler('[ $CALLS -ge 4 ] && exit 1; "$REAL_WRANGLER" "$@"');
  project.write("data/customers.json", [customer("acme", "api.acme.example")]);
  await project.local(["apply", "data"], { kv, want: 3 });
  project.restoreWrangler();
  const checked = await project.local(["check"], { kv });
  assert.match(checked.err, /KV customer:acme: warning: \/hosts\/0: is found by no request/);
  await project.local(["apply", "data"], { kv });
  assert.doesNotMatch((await project.local(["check"], { kv })).err, /found by no request/);
});

test("what stands for KV has the entries too", async () => {
  project.write("data/customers.json", [customer("acme", "api.acme.example")]);
  const { out } = await project.run(["entries", "data"]);
  assert.deepEqual(
    JSON.parse(out).map(({ key, value }) => [key, JSON.parse(value).customerId]),
    [
      ["customer:acme", "acme"],
      ["host:api.acme.example", "acme"],
    ],
  );
  const dry = (await project.run(["customers", "import", "data/customers.json", "--dry-run"])).json();
  assert.deepEqual(
    dry.map(({ key }) => key),
    ["customer:acme", "host:api.acme.example"],
  );
  const explain = ["explain", "--data", "data", "--path", "/x", "--host", "api.acme.example"];
  const explained = await project.run([...explain, "--expect", "customer=acme"]);
  assert.equal(explained.code, 0, explained.err);
});
