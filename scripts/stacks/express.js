// Express: answers 200 to a JSON object, 400 to anything else.
const express = require("express");

const app = express();
app.use(express.json({ limit: "1mb" }));
app.post("/", (request, response) => {
  const alarm = request.body;
  const isObject = alarm !== null && typeof alarm === "object" && !Array.isArray(alarm);
  response.status(isObject ? 200 : 400).end();
});
app.use((error, request, response, next) => response.status(error.status ?? 500).end());
app.listen(Number(process.argv[2]), "127.0.0.1");
