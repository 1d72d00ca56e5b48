import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SimulatedResponse } from './dialect.js';
import type { FaultRule } from './faults.js';
import { byteLength } from './list-body.js';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Fires when the client disconnects or the simulator closes. All waits must end then. */
  readonly closed: AbortSignal;
}

/** Lets written bytes arrive, because a reset discards bytes that are still in transit. */
const RESET_DELAY_MS = 30;

/** Sends a response, changed by the fault if there is one. @returns the number of body bytes sent */
export const deliver = async (
  exchange: Exchange,
  simulated: SimulatedResponse,
  fault: FaultRule | undefined,
): Promise<number> => {
  switch (fault?.fault) {
    case 'slow_first_byte':
      await wait(fault.delayMs ?? 2_000, exchange.closed);
      return send(exchange, simulated);
    case 'drip':
      return drip(exchange, simulated, fault);
    case 'cut_body':
      return cut(exchange, simulated, fault.cutAt, 'end');
    case 'reset_in_body':
      return cut(exchange, simulated, fault.cutAt, 'reset');
    case 'cut_body_without_length':
      return cut(exchange, simulated, fault.cutAt, 'without_length');
    case 'two_documents':
      return send(exchange, { ...simulated, body: [...simulated.body, Buffer.from('\n'), ...simulated.body] });
    case 'leaked_header': {
      const line = fault.text ?? 'Content-Type: text/plain';
      return send(exchange, { ...simulated, body: [Buffer.from(`${line}\r\n\r\n`), ...simulated.body] });
    }
    case 'wrong_charset':
      return send(exchange, {
        ...simulated,
        body: [encode(Buffer.concat(simulated.body), fault.charset ?? 'utf16le')],
      });
    default:
      return send(exchange, simulated);
  }
};

/** No response until the client disconnects or the delay has passed. */
export const hang = async ({ request, closed }: Exchange, delayMs: number | undefined): Promise<void> => {
  await wait(delayMs ?? 2_147_483_647, closed);
  request.socket.destroy();
};

/** A connection reset instead of the response headers, or after the given number of their bytes. */
export const resetInHeaders = async ({ request, closed }: Exchange, bytes: number): Promise<void> => {
  const { socket } = request;
  if (bytes > 0) {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/JSON\r\nContent-Length: 2\r\n\r\n'.slice(0, bytes));
    await wait(RESET_DELAY_MS, closed);
  }
  socket.resetAndDestroy();
};

/** Bytes that are not HTTP. */
export const sendInvalidHttp = ({ request }: Exchange): void => {
  request.socket.end('%!PS-Adobe-3.0\r\nthis is not HTTP\r\n\r\n');
};

const HUGE_ROW =
  '{"location":"299999999","ubi":"499999999","name":"HUGE","transactionid":"1","transactionid_original":"1"}';

/** A very large list, generated while it is sent, so that it is never in memory as a whole. */
export const sendHugeBody = async (exchange: Exchange, contentType: string, fault: FaultRule): Promise<number> => {
  const { response } = exchange;
  const rows = Buffer.from(`,${HUGE_ROW}`.repeat(600));
  const head = Buffer.from(`{"success":1,"vendor":[${HUGE_ROW}`);
  const tail = Buffer.from(']}');
  const minBytes = fault.bytes ?? 160 * 1_024 * 1_024;
  const times = Math.max(0, Math.ceil((minBytes - head.length - tail.length) / rows.length));
  const total = head.length + times * rows.length + tail.length;
  response.writeHead(200, {
    'content-type': contentType,
    ...(fault.withLength === true ? { 'content-length': String(total) } : {}),
  });
  let sent = await write(exchange, head);
  for (let count = 0; count < times && !exchange.closed.aborted; count += 1) sent += await write(exchange, rows);
  if (exchange.closed.aborted) return sent;
  response.end(tail);
  return sent + tail.length;
};

const send = async (exchange: Exchange, simulated: SimulatedResponse): Promise<number> => {
  if (exchange.closed.aborted) return 0;
  writeHead(exchange, simulated, true);
  let sent = 0;
  for (const piece of simulated.body) sent += await write(exchange, piece);
  exchange.response.end();
  return sent;
};

const drip = async (exchange: Exchange, simulated: SimulatedResponse, fault: FaultRule): Promise<number> => {
  if (exchange.closed.aborted) return 0;
  const body = Buffer.concat(simulated.body);
  const step = Math.max(1, fault.bytes ?? 1);
  writeHead(exchange, simulated, true);
  let sent = 0;
  while (sent < body.length && !exchange.closed.aborted) {
    sent += await write(exchange, body.subarray(sent, sent + step));
    await wait(fault.intervalMs ?? 50, exchange.closed);
  }
  exchange.response.end();
  return sent;
};

/**
 * Sends the beginning of the body and closes the connection: with a `Content-Length`, so that a client can notice; by a
 * reset; or without a length, so that the end of the connection looks like the regular end of the body.
 */
const cut = async (
  exchange: Exchange,
  simulated: SimulatedResponse,
  cutAt: number | undefined,
  how: 'end' | 'reset' | 'without_length',
): Promise<number> => {
  if (exchange.closed.aborted) return 0;
  const { request, response } = exchange;
  const body = Buffer.concat(simulated.body);
  const part = body.subarray(0, cutAt ?? Math.floor(body.length / 2));
  if (how === 'without_length') {
    response.useChunkedEncodingByDefault = false;
    response.setHeader('connection', 'close');
    writeHead(exchange, simulated, false);
    response.end(part);
    return part.length;
  }
  writeHead(exchange, simulated, true);
  response.flushHeaders();
  if (part.length > 0) await write(exchange, part);
  if (how === 'end') {
    request.socket.destroySoon();
    return part.length;
  }
  await wait(RESET_DELAY_MS, exchange.closed);
  request.socket.resetAndDestroy();
  return part.length;
};

const writeHead = ({ response }: Exchange, simulated: SimulatedResponse, hasLength: boolean): void => {
  response.writeHead(simulated.status, {
    'content-type': simulated.contentType,
    ...(hasLength ? { 'content-length': String(byteLength(simulated.body)) } : {}),
    ...simulated.headers,
  });
};

const write = ({ response, closed }: Exchange, piece: Buffer): Promise<number> | number => {
  if (closed.aborted) return 0;
  if (response.write(piece)) return piece.length;
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      closed.removeEventListener('abort', done);
      resolve(piece.length);
    };
    response.once('drain', done);
    closed.addEventListener('abort', done);
  });
};

const wait = async (delayMs: number, closed: AbortSignal): Promise<void> => {
  if (closed.aborted) return;
  try {
    await sleep(delayMs, undefined, { signal: closed });
  } catch (error) {
    if (!closed.aborted) throw error;
  }
};

const encode = (body: Buffer, charset: 'utf16le' | 'latin1' | 'utf8_with_bom'): Buffer => {
  if (charset === 'utf8_with_bom') return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), body]);
  return Buffer.from(body.toString('utf8'), charset);
};
