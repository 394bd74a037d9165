// A web server on Hono and the web's own interfaces, as StarlingMonkey has them: made a component by ComponentizeJS.
//
//	GET  /            says hello
//	GET  /headers     gives the request's headers as JSON
//	GET  /ask?of=URL  gives what is at another address, as it comes
//	GET  /all?of=URL  the same of several at once, as JSON
//	GET  /sleep?ms=N  answers N milliseconds later
//	GET  /count?to=N  counts, a line every 10 ms
//	POST /echo        gives the body back as it comes
//	POST /sum         adds a JSON list of numbers
import { Hono } from 'hono';
import { fire } from 'hono/service-worker';

const sleep = (milliseconds) => new Promise((wake) => setTimeout(wake, milliseconds));

const textOf = async (address) => {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: status ${response.status}`);
  return response.text();
};

const app = new Hono();

app.use(async (context, next) => {
  await next();
  context.header('x-served-by', 'Hono');
});

app.get('/', (context) => context.text('hello from JavaScript\n'));

app.get('/headers', (context) => context.json(context.req.header()));

app.get('/ask', async (context) => {
  const response = await fetch(context.req.query('of'), { headers: { 'x-asked-by': 'Hono' } });
  const body = response.body.pipeThrough(new TransformStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode('it says: ')),
  }));
  return context.body(body, response.status);
});

app.get('/all', async (context) => {
  const texts = await Promise.all(context.req.queries('of').map(textOf));
  return context.json(texts.map((text) => text.trim()));
});

app.get('/sleep', async (context) => {
  await sleep(Number(context.req.query('ms')));
  return context.text('slept\n');
});

app.get('/count', (context) => {
  const to = Number(context.req.query('to'));
  const encoder = new TextEncoder();
  let count = 0;
  const lines = new ReadableStream({
    async pull(controller) {
      if (count === to) return controller.close();
      await sleep(10);
      count += 1;
      controller.enqueue(encoder.encode(`${count}\n`));
    },
  });
  return context.body(lines);
});

app.post('/echo', (context) => context.body(context.req.raw.body));

app.post('/sum', async (context) => {
  const numbers = await context.req.json();
  return context.json({ sum: numbers.reduce((sum, number) => sum + number, 0) });
});

fire(app);
