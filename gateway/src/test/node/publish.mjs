// A back end with a stock library of the server API; publishes to a user in several ways. Standard
// input is one line of JSON: {"url": "http://…/api", "key": "…", "user": "alice"}. Prints one line of
// JSON: what the calls returned, or that they were refused. At the next line of input, whatever is in
// it, it disconnects the user and prints what that returned.
import { CentClient } from "cent.js";
import { createInterface } from "node:readline";

const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => (await input.next()).value;

const { url, key, user } = JSON.parse(await next());
const client = new CentClient({ url, apiKey: key });
const channel = `#${user}`;
const published = await client.publish({ channel, data: { n: 1 }, tags: { lang: "en" } });
const broadcast = await client.broadcast({ channels: [channel, "news"], data: { n: 2 } });
const pipelined = await client.pipeline([
  { method: "publish", params: { channel, data: { n: 3 } } },
  { method: "info", params: {} },
]);
const info = await client.getInfo();
const history = await client.getHistory({ channel }).catch(() => "refused");
console.log(JSON.stringify({ published, broadcast, pipelined, info, history }));
await next();
console.log(JSON.stringify(await client.disconnect({ user })));
process.exit();
