import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';

const waiting = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls back once when the response has been received, or its connection has ended; at once if it ended before. A response that waits
 * behind another one of its connection reports no end of its own.
 */
export function onceResponseEnds(
  { raw: { socket } }: FastifyRequest,
  { raw }: FastifyReply,
  callBack: () => void,
): void {
  if (socket.destroyed || raw.destroyed) {
    callBack();
    return;
  }
  const callBacks = waiting.get(socket) ?? new Set();
  if (!waiting.has(socket)) {
    waiting.set(socket, callBacks);
    socket.once('close', () => {
      for (const each of callBacks) each();
    });
  }
  const end = (): void => {
    if (callBacks.delete(end)) callBack();
  };
  callBacks.add(end);
  raw.once('close', end);
}
