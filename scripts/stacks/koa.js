// Koa: answers 200 to a JSON object, 400 to anything else.
const Koa = require("koa");
const { bodyParser } = require("koa-bodyparser");
const parser = bodyParser ?? require("koa-bodyparser");

const app = new Koa();
app.silent = true;
app.use(parser({ jsonLimit: "1mb" }));
app.use((context) => {
  const alarm = context.request.body;
  if (context.method !== "POST") context.status = 405;
  else context.status = context.request.rawBody && alarm && !Array.isArray(alarm) ? 200 : 400;
  context.body = "";
});
app.listen(Number(process.argv[2]), "127.0.0.1");
