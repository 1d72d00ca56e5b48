import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** Long enough for a request that was on its way. */
const FIRST_REQUEST_MS = 1_000;

/**
 * Once the server is closing, each connection ends with the answer that is due on it. Node closes only those that are idle
 * at that moment: a client that keeps its connection open would hold up the end of the process for as long as it likes,
 * and so would one that has never asked anything, which Node does not take for idle.
 */
export function registerDrain(app: FastifyInstance): void {
  let isClosing = false;
  const silent = new Set<Socket>();
  app.server.on('connection', (socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  app.server.on('request', ({ socket }) => silent.delete(socket));
  app.addHook('preClose', async () => {
    isClosing = true;
    // Nothing waits for it where nobody is silent.
    setTimeout(() => {
      for (const socket of silent) socket.destroy();
    }, FIRST_REQUEST_MS).unref();
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (isClosing) reply.header('connection', 'close');
    done();
  });
  // A stream of events told its headers long ago.
  app.addHook('onResponse', (request, _reply, done) => {
    if (isClosing) request.raw.socket.destroySoon();
    done();
  });
}
