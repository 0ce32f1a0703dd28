// Receives events in the standard format as a program does that is built on the npm
// package standardwebhooks: it verifies the signature and reads the body.
//
// It takes its signing secret from SECRET, tells on its first line of output where it
// listens, then a line for each event that it accepts, and ends with its input.
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.SECRET);

// told is what is printed of an event. before and after are the payment status.
function told(headers, { id, type, timestamp, data }) {
  if (headers["webhook-id"] !== id) throw new Error("the header names another event than the body");
  const change = data.changes?.find(({ path }) => path === "/paymentStatus");
  return {
    id,
    type,
    time: Date.parse(timestamp) / 1000,
    store: data.store.id,
    order: data.objectId,
    before: change?.old ?? "",
    after: data.raw?.paymentStatus ?? "",
  };
}

async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const server = createServer(async (request, response) => {
  try {
    const event = webhook.verify(await read(request), request.headers);
    console.log(JSON.stringify(told(request.headers, event)));
    response.writeHead(200).end();
  } catch (error) {
    response.writeHead(400).end(error.message);
  }
});

server.listen(0, "127.0.0.1", () => console.log(`127.0.0.1:${server.address().port}`));
process.stdin.on("end", () => process.exit(0)).resume();
