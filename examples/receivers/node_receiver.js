// A receiver of TCOP callbacks on Node's own http: `node node_receiver.js [PORT]`, 0 takes a free one.

const http = require("node:http");

const server = http.createServer((request, response) => {
  if (request.method !== "POST") return response.writeHead(405, { Allow: "POST" }).end();
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("error", () => {}); // a sender that goes away before its body is whole leaves nothing to answer
  request.on("end", () => {
    try {
      const alarm = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts)));
      if (alarm === null || typeof alarm !== "object" || Array.isArray(alarm)) throw new SyntaxError("no object");
      console.log(JSON.stringify(alarm)); // your own work goes here; keep it under five seconds
      response.writeHead(204).end();
    } catch {
      response.writeHead(400).end(); // no UTF-8, no JSON, or too deep: what is thrown here would end the process
    }
  });
});
server.listen(Number(process.argv[2] ?? 8080), "127.0.0.1", 1024, () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
