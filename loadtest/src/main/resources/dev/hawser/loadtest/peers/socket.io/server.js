// A socket.io server on 127.0.0.1: a client's event "publish" goes to all others as "message".
const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { version } = require("socket.io/package.json");

console.log(`versions: socket.io ${version}, Node.js ${process.versions.node}`);
const http = createServer();
const io = new Server(http, { transports: ["websocket"] });
io.on("connection", (socket) => {
  socket.on("publish", (message) => socket.broadcast.emit("message", message));
});
http.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });

// Ends with the process that started it.
process.stdin.on("end", () => process.exit()).resume();
