// Connects tabs of several users with the stock SDK (JSON) and prints what they get, one line each:
//   connected <user> <tab>
//   publication <user> <tab> <data as JSON>
//   disconnected <user> <tab> <code> <reason>
// Standard input is one line of JSON: {"url": "ws://…", "tabs": 2, "tokens": {"alice": "eyJ…"}}.
// Ends when standard input ends.
import { createInterface } from "node:readline";
import { Centrifuge } from "centrifuge";
import WebSocket from "ws";

const input = createInterface({ input: process.stdin });
const clients = [];

input.once("line", (line) => {
  const { url, tabs, tokens } = JSON.parse(line);
  for (const [user, token] of Object.entries(tokens)) {
    for (let tab = 1; tab <= tabs; tab++) {
      const client = new Centrifuge(url, { websocket: WebSocket, token });
      const say = (event, ...details) => console.log(event, user, tab, ...details);
      client.on("connected", () => say("connected"));
      client.on("publication", ({ data }) => say("publication", JSON.stringify(data)));
      client.on("disconnected", ({ code, reason }) => say("disconnected", code, reason));
      client.connect();
      clients.push(client);
    }
  }
});

input.on("close", () => clients.forEach((client) => client.disconnect()));
