import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A request on its way to the service. */
export interface Passing {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

export interface InBetween {
  readonly url: string;
  readonly passed: Passing[];
  close(): Promise<void>;
}

/** Answers a request itself and returns true, or lets it pass. */
export type Meddle = (passing: Passing, response: ServerResponse, passOn: () => Promise<void>) => boolean;

/** Stands between the command and the service, sees every request, and spoils some. */
export async function startInBetween(serviceUrl: string, meddle?: Meddle): Promise<InBetween> {
  const passed: Passing[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', serviceUrl);
    const passing = { method: request.method ?? '', path: url.pathname, headers: request.headers };
    passed.push(passing);
    const passOn = () => forward(request, url, response);
    if (meddle?.(passing, response, passOn) !== true) passOn().catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** The service does what was asked, and nobody hears of it. */
export function loseAnswer(passOn: () => Promise<void>, response: ServerResponse): true {
  response.end = () => response.destroy();
  void passOn().catch(() => response.destroy());
  return true;
}

/** Of what is told bit by bit the first bit arrives, and then the connection breaks. */
export function cutAfterFirst(passOn: () => Promise<void>, response: ServerResponse): true {
  const write = response.write.bind(response) as (piece: unknown, done: () => void) => boolean;
  response.write = (piece: unknown) => write(piece, () => response.destroy());
  void passOn().catch(() => response.destroy());
  return true;
}

async function forward(request: IncomingMessage, url: URL, response: ServerResponse): Promise<void> {
  const body = await text(request);
  const headers: Record<string, string> = {};
  for (const name of [
    'authorization',
    'content-type',
    'if-match',
    'if-none-match',
    'idempotency-key',
    'last-event-id',
  ]) {
    const value = request.headers[name];
    if (typeof value === 'string') headers[name] = value;
  }
  const answer = await fetch(url, { method: request.method ?? 'GET', headers, ...(body === '' ? {} : { body }) });
  const isStream = answer.headers.get('content-type')?.startsWith('text/event-stream') === true;
  const pieces = isStream && answer.body !== null ? answer.body : [await answer.text()];
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  for await (const piece of pieces) {
    if (response.destroyed) return;
    response.write(piece);
  }
  response.end();
}
