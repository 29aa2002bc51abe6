// uWebSockets on 127.0.0.1, in Bun, which npm has: what comes on one path goes to all who are on the other. Who
// subscribes is known to the C++ of uWebSockets, and so is the way to them; JavaScript runs once a message.
console.log(`versions: uWebSockets in Bun ${Bun.version}`);
const server = Bun.serve({
  port: Number(process.argv[2]),
  hostname: "127.0.0.1",
  fetch(request, server) {
    const publishes = new URL(request.url).pathname === "/publish";
    return server.upgrade(request, { data: { publishes } }) ? undefined : new Response(null, { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 0,
    open(socket) {
      if (!socket.data.publishes) {
        socket.subscribe("messages");
      }
    },
    message(socket, message) {
      server.publish("messages", message);
    },
  },
});

// Ends with the process that started it.
process.stdin.on("end", () => process.exit()).resume();
