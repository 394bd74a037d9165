// A client on fetch, made a component by ComponentizeJS: asks its neighbours, and says what they say.
//
// TARGETS are addresses, with spaces between them. Each is asked until it answers, for as long as PATIENCE seconds.
// ECHOES are addresses that give a body back.
import { getEnvironment } from 'wasi:cli/environment@0.2.10';

const sleep = (milliseconds) => new Promise((wake) => setTimeout(wake, milliseconds));

async function ask(address, deadline) {
  for (;;) {
    try {
      const response = await fetch(address);
      return await response.text();
    } catch (error) {
      // A neighbour that has not begun to listen.
      if (performance.now() > deadline) throw error;
      await sleep(100);
    }
  }
}

/** What is sent in pieces comes back whole. */
async function echo(address) {
  const body = Uint8Array.from({ length: 512 * 1024 }, (_, index) => index % 251);
  let sent = 0;
  const pieces = new ReadableStream({
    pull(controller) {
      controller.enqueue(body.slice(sent, sent + 16384));
      sent += 16384;
      if (sent === body.length) controller.close();
    },
  });
  const response = await fetch(address, { method: 'POST', body: pieces, duplex: 'half' });
  const answer = new Uint8Array(await response.arrayBuffer());
  if (answer.length !== body.length || answer.some((byte, index) => byte !== body[index])) {
    throw new Error(`${address}: ${answer.length} bytes of ${body.length} came back, or others`);
  }
  console.log(`${address}: ${answer.length} bytes came back`);
}

export const run = {
  async run() {
    const environment = Object.fromEntries(getEnvironment());
    const deadline = performance.now() + Number(environment.PATIENCE ?? 60) * 1000;
    const texts = await Promise.all(environment.TARGETS.split(' ').map(async (address) => {
      const text = await ask(address, deadline);
      return `${address}: ${text.trim()}`;
    }));
    for (const text of texts) console.log(text);
    for (const address of environment.ECHOES.split(' ')) await echo(address);
  },
};
