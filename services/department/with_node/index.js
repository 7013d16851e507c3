// A department's own program, written from docs/asyncapi.json alone: signs for what it is called to, and reports in.
const { createHash, randomUUID } = require("node:crypto");
const amqp = require("amqplib");

const PASSING = "Unavailable";
const user = decodeURIComponent(new URL(process.env.AMQP_URI).username);
const waiting = new Map();

function actOf(fact, call) { // the same fact again is the same act: a UUID made of the fact's id
  const hex = createHash("sha256").update(`${fact.id}/${call}`).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join("-");
}

function ask(channel, call, order) {
  return new Promise((resolve) => {
    const correlationId = randomUUID(), until = Date.now() + 5000;
    const gone = setTimeout(() => resolve({ refused: { kind: PASSING } }), 5000);
    waiting.set(correlationId, (answer) => { clearTimeout(gone); waiting.delete(correlationId); resolve(answer); });
    channel.publish(user, call, Buffer.from(JSON.stringify(order)), {
      userId: user, correlationId, replyTo: `${user}.replies`, expiration: "5000", mandatory: true,
      headers: { deadline: (until / 1000).toFixed(3) },
    });
  });
}

async function called(channel, fact) {
  for (const call of ["whistle.sign", "whistle.report"]) {
    let answer = await ask(channel, call, { id: fact.subject, act: actOf(fact, call) });
    while (answer.refused?.kind === PASSING) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      answer = await ask(channel, call, { id: fact.subject, act: actOf(fact, call) });
    }
    if (answer.fault || (answer.refused && !["Conflict", "Forbidden"].includes(answer.refused.kind)))
      throw new Error(JSON.stringify(answer));
  }
}

async function main() {
  const connection = await amqp.connect(process.env.AMQP_URI, { heartbeat: 10 });
  connection.on("close", () => process.exit(1)); // whoever keeps it starts it anew
  const channel = await connection.createConfirmChannel();
  channel.on("return", (message) => waiting.get(message.properties.correlationId)?.({ refused: { kind: "Forbidden" } }));
  await channel.consume(`${user}.replies`, (message) => {
    waiting.get(message.properties.correlationId)?.(JSON.parse(message.content));
  }, { noAck: true, exclusive: true });
  await channel.prefetch(1);
  await channel.consume(`${user}.facts`, async (message) => {
    const { messageId, type } = message.properties;
    try {
      await called(channel, JSON.parse(message.content));
    } catch (error) { // put aside with its reason, and confirmed before the fact is let go
      const reason = { "x-reason": String(error) };
      channel.publish(user, "parked", message.content, { userId: user, messageId, type, persistent: true, headers: reason });
      await channel.waitForConfirms();
    }
    channel.ack(message);
  });
}

main();
