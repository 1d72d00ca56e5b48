import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** Grace period for connections that have not sent a request yet. */
const FIRST_REQUEST_MS = 1_000;

/**
 * Closes each connection after its current response once the server is closing. Node only closes connections that are idle
 * at that moment, so keep-alive clients could delay the shutdown forever; so could connections that never sent a request,
 * which Node does not count as idle.
 */
export function registerDrain(app: FastifyInstance): void {
  let isClosing = false;
  const unused = new Set<Socket>();
  app.server.on('connection', (socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  app.server.on('request', ({ socket }) => unused.delete(socket));
  app.addHook('preClose', async () => {
    isClosing = true;
    // Unreferenced, so that the timer does not delay the shutdown itself.
    setTimeout(() => {
      for (const socket of unused) socket.destroy();
    }, FIRST_REQUEST_MS).unref();
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (isClosing) reply.header('connection', 'close');
    done();
  });
  // Event streams sent their headers before the server was closing.
  app.addHook('onResponse', (request, _reply, done) => {
    if (isClosing) request.raw.socket.destroySoon();
    done();
  });
}
