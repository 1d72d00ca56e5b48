import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly search: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface HostileServer {
  readonly url: string;
  readonly requests: ReceivedRequest[];
  /** Answers each further request with the next of these; the last one stays. */
  respond(...answers: readonly Answer[]): void;
  close(): Promise<void>;
}

export type Answer = (response: ServerResponse, request: ReceivedRequest) => void;

/** An HTTP server on a socket with the answers of the test. */
export async function startHostileServer(): Promise<HostileServer> {
  const requests: ReceivedRequest[] = [];
  let waiting: Answer[] = [];
  const server = createServer(async (request, response) => {
    const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
    const { method = '', headers } = request;
    const received = { method, path: pathname, search, headers, body: await text(request).catch(() => '') };
    requests.push(received);
    const answer = waiting.length > 1 ? waiting.shift() : waiting[0];
    if (answer === undefined) response.destroy();
    else answer(response, received);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    respond(...answers) {
      waiting = [...answers];
      requests.length = 0;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

export const json =
  (body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };

export const problem = (
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
  more: object = {},
): Answer =>
  json(
    { type: `urn:biotrack-connect:problem:${code}`, code, title: 'T', status, detail: 'D', request_id: 'r', ...more },
    status,
    { 'content-type': 'application/problem+json', ...headers },
  );

/** Closes the connection after half of the body. */
export const cutMidway: Answer = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
  response.write('{"data": [', () => response.destroy());
};

/** Never answers. */
export const hang: Answer = () => {};

/** Sends events; then the stream ends, is cut, or stays open. */
export const events =
  (chunks: readonly string[], then: 'end' | 'cut' | 'stay'): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const sendNext = (index: number): void => {
      const chunk = chunks[index];
      if (chunk !== undefined) response.write(chunk, () => sendNext(index + 1));
      else if (then === 'end') response.end();
      else if (then === 'cut') response.destroy();
    };
    sendNext(0);
  };
