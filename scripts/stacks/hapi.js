// hapi: answers 200 to a JSON object, 400 to anything else.
const Hapi = require("@hapi/hapi");

const server = Hapi.server({ port: Number(process.argv[2]), host: "127.0.0.1" });
server.route({
  method: "POST",
  path: "/",
  handler: (request, toolkit) => {
    const alarm = request.payload;
    const isObject = alarm !== null && typeof alarm === "object" && !Array.isArray(alarm);
    return toolkit.response("").code(isObject ? 200 : 400);
  },
});
server.start();
