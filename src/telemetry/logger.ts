import pino, { type DestinationStream, type Logger } from 'pino';
import type { LogEvent } from '../domain/log-event.js';

/** What a line is called that the server writes by itself. */
const UNNAMED: { readonly event: LogEvent } = { event: 'server.message' };

/** Lines of JSON, each with the name of its event. */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options: pino.LoggerOptions = {
    level,
    mixin: (entry) => ('event' in entry ? {} : UNNAMED),
    // The last net: what is secret lives in a class that does not print.
    redact: ['*.password', '*.authorization', 'req.headers.authorization'],
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
