import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A request to the service. */
export interface ProxiedRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

export interface Proxy {
  readonly url: string;
  readonly requests: ProxiedRequest[];
  close(): Promise<void>;
}

/** Responds itself and returns true, or returns false to forward the request. */
export type Meddle = (
  request: ProxiedRequest,
  response: ServerResponse,
  forwardRequest: () => Promise<void>,
) => boolean;

/** A proxy between the command and the service, which records all requests and can disturb them. */
export async function startProxy(serviceUrl: string, meddle?: Meddle): Promise<Proxy> {
  const requests: ProxiedRequest[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', serviceUrl);
    const proxied = { method: request.method ?? '', path: url.pathname, headers: request.headers };
    requests.push(proxied);
    const forwardRequest = () => forward(request, url, response);
    if (meddle?.(proxied, response, forwardRequest) !== true) forwardRequest().catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** Forwards the request, but closes the connection instead of responding. */
export function loseResponse(forwardRequest: () => Promise<void>, response: ServerResponse): true {
  response.end = () => response.destroy();
  void forwardRequest().catch(() => response.destroy());
  return true;
}

/** Forwards the first chunk of the response, then closes the connection. */
export function cutAfterFirst(forwardRequest: () => Promise<void>, response: ServerResponse): true {
  const write = response.write.bind(response) as (piece: unknown, done: () => void) => boolean;
  response.write = (piece: unknown) => write(piece, () => response.destroy());
  void forwardRequest().catch(() => response.destroy());
  return true;
}

async function forward(request: IncomingMessage, url: URL, response: ServerResponse): Promise<void> {
  const body = await text(request);
  // The body is forwarded as it was read, without compression.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
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
