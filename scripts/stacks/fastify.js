// Fastify: answers 200 to a JSON object, 400 to anything else.
const app = require("fastify")();

app.post("/", (request, reply) => {
  const alarm = request.body;
  const isObject = alarm !== null && typeof alarm === "object" && !Array.isArray(alarm);
  reply.code(isObject ? 200 : 400).send();
});
app.listen({ port: Number(process.argv[2]), host: "127.0.0.1" });
