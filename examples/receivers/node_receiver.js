// A receiver of TCOP callbacks on Node's own http: `node node_receiver.js [PORT]`; 0: a free port.

const http = require("node:http");

const server = http.createServer((request, response) => {
  if (request.method !== "POST") return response.writeHead(405, { Allow: "POST" }).end();
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("error", () => {}); // the sender disconnected before the end of its body: no response is possible
  request.on("end", () => {
    try {
      const alarm = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts)));
      if (alarm === null || typeof alarm !== "object" || Array.isArray(alarm)) throw new SyntaxError("not an object");
      console.log(JSON.stringify(alarm)); // your code goes here; respond within five seconds
      response.writeHead(204).end();
    } catch {
      response.writeHead(400).end(); // not UTF-8, not JSON, or nested too deeply: an uncaught exception would end the process
    }
  });
});
server.listen(Number(process.argv[2] ?? 8080), "127.0.0.1", 1024, () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
