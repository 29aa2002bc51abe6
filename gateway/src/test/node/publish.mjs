// A back end with a stock library of the server API; publishes to a user in several ways. Standard
// input is one line of JSON: {"url": "http://…/api", "key": "…", "user": "alice"}. Prints one line of
// JSON: what the calls returned, or the code of the error they threw.
import { CentClient } from "cent.js";
import { createInterface } from "node:readline";

createInterface({ input: process.stdin }).once("line", async (line) => {
  const { url, key, user } = JSON.parse(line);
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
  const disconnected = await client.disconnect({ user });
  console.log(
    JSON.stringify({ published, broadcast, pipelined, info, history, disconnected }),
  );
  process.exit();
});
