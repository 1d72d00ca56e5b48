import type { FastifyInstance } from 'fastify';

/**
 * Once the server is closing, each connection ends with the answer that is due on it. Node closes only those that are idle
 * at that moment: a client that keeps its connection open would hold up the end of the process for as long as it likes.
 */
export function useDrain(app: FastifyInstance): void {
  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
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
