// A receiver of TCOP callbacks on Node's own http: `node node_receiver.js [PORT]`, 0 takes a free one.

const http = require("node:http");

const server = http.createServer((request, response) => {
  if (request.method !== "POST") return response.writeHead(405, { Allow: "POST" }).end();
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("error", () => {}); // a sender that goes away before its body is whole leaves nothing to answer
  request.on("end", () => {
    let alarm = null;
    try {
      alarm = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts)));
    } catch {} // no UTF-8, or no JSON
    if (alarm === null || typeof alarm !== "object" || Array.isArray(alarm)) return response.writeHead(400).end();
    console.log(JSON.stringify(alarm)); // your own work goes here; keep it under five seconds
    response.writeHead(204).end();
  });
});
server.listen(Number(process.argv[2] ?? 8080), "127.0.0.1", 1024, () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
