// node:http: answers 200 to a JSON object, 400 to anything else.
const http = require("node:http");

http
  .createServer((request, response) => {
    if (request.method !== "POST") return response.writeHead(405).end();
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      let alarm = null;
      try {
        alarm = JSON.parse(Buffer.concat(parts).toString());
      } catch {}
      const isObject = alarm !== null && typeof alarm === "object" && !Array.isArray(alarm);
      response.writeHead(isObject ? 200 : 400).end();
    });
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
