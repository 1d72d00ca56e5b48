import pino, { type DestinationStream, type Logger } from 'pino';
import type { LogEvent } from '../domain/log-event.js';

/** Fastify logs lines without an event of ours. */
const UNNAMED: { readonly event: LogEvent } = { event: 'server.message' };

/** Writes JSON lines, each with an `event`. */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options: pino.LoggerOptions = {
    level,
    mixin: (entry) => ('event' in entry ? {} : UNNAMED),
    // A safety net only: secrets are instances of Secret, which never prints its value.
    redact: ['*.password', '*.authorization', 'req.headers.authorization'],
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
