import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SimulatedAnswer } from './dialect.js';
import type { FaultOrder } from './faults.js';
import { byteLength } from './list-body.js';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Fires when the client has gone or the simulator closes: nothing may wait longer than that. */
  readonly gone: AbortSignal;
}

/** Long enough for written bytes to arrive before the reset that would otherwise overtake them. */
const BEFORE_RESET_MS = 30;

/** Sends an answer, or harms it on its way. Returns the number of body bytes that were sent. */
export const deliver = async (
  exchange: Exchange,
  answer: SimulatedAnswer,
  fault: FaultOrder | undefined,
): Promise<number> => {
  switch (fault?.fault) {
    case 'slow_first_byte':
      await wait(fault.delayMs ?? 2_000, exchange.gone);
      return send(exchange, answer);
    case 'drip':
      return drip(exchange, answer, fault);
    case 'cut_body':
      return cut(exchange, answer, fault.cutAt, 'end');
    case 'reset_in_body':
      return cut(exchange, answer, fault.cutAt, 'reset');
    case 'cut_body_without_length':
      return cut(exchange, answer, fault.cutAt, 'unannounced');
    case 'two_documents':
      return send(exchange, { ...answer, body: [...answer.body, Buffer.from('\n'), ...answer.body] });
    case 'leaked_header': {
      const line = fault.text ?? 'Content-Type: text/plain';
      return send(exchange, { ...answer, body: [Buffer.from(`${line}\r\n\r\n`), ...answer.body] });
    }
    case 'wrong_charset':
      return send(exchange, { ...answer, body: [inCharset(Buffer.concat(answer.body), fault.charset ?? 'utf16le')] });
    default:
      return send(exchange, answer);
  }
};

/** No answer at all, until the client gives up. */
export const hang = async ({ request, gone }: Exchange, delayMs: number | undefined): Promise<void> => {
  await wait(delayMs ?? 2_147_483_647, gone);
  request.socket.destroy();
};

/** A reset instead of the head, or after some bytes of it. */
export const resetAtHead = async ({ request, gone }: Exchange, bytes: number): Promise<void> => {
  const { socket } = request;
  if (bytes > 0) {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/JSON\r\nContent-Length: 2\r\n\r\n'.slice(0, bytes));
    await wait(BEFORE_RESET_MS, gone);
  }
  socket.resetAndDestroy();
};

/** Something that is not HTTP. */
export const garbageHead = ({ request }: Exchange): void => {
  request.socket.end('%!PS-Adobe-3.0\r\nthis is not HTTP\r\n\r\n');
};

const HUGE_ROW =
  '{"location":"299999999","ubi":"499999999","name":"HUGE","transactionid":"1","transactionid_original":"1"}';

/** A list without end to speak of, made as it goes: it never lies in memory. */
export const hugeBody = async (exchange: Exchange, answer: SimulatedAnswer, fault: FaultOrder): Promise<number> => {
  const { response } = exchange;
  const rows = Buffer.from(`,${HUGE_ROW}`.repeat(600));
  const head = Buffer.from(`{"success":1,"vendor":[${HUGE_ROW}`);
  const tail = Buffer.from(']}');
  const wanted = fault.bytes ?? 160 * 1_024 * 1_024;
  const times = Math.max(0, Math.ceil((wanted - head.length - tail.length) / rows.length));
  const total = head.length + times * rows.length + tail.length;
  response.writeHead(200, {
    'content-type': answer.contentType,
    ...(fault.withLength === true ? { 'content-length': String(total) } : {}),
  });
  let sent = await write(exchange, head);
  for (let time = 0; time < times && !exchange.gone.aborted; time += 1) sent += await write(exchange, rows);
  if (exchange.gone.aborted) return sent;
  response.end(tail);
  return sent + tail.length;
};

const send = async (exchange: Exchange, answer: SimulatedAnswer): Promise<number> => {
  if (exchange.gone.aborted) return 0;
  head(exchange, answer, true);
  let sent = 0;
  for (const piece of answer.body) sent += await write(exchange, piece);
  exchange.response.end();
  return sent;
};

const drip = async (exchange: Exchange, answer: SimulatedAnswer, fault: FaultOrder): Promise<number> => {
  if (exchange.gone.aborted) return 0;
  const body = Buffer.concat(answer.body);
  const step = Math.max(1, fault.bytes ?? 1);
  head(exchange, answer, true);
  let sent = 0;
  while (sent < body.length && !exchange.gone.aborted) {
    sent += await write(exchange, body.subarray(sent, sent + step));
    await wait(fault.intervalMs ?? 50, exchange.gone);
  }
  exchange.response.end();
  return sent;
};

/**
 * The body up to a byte, and then the end of the connection: after its length was announced (a client can tell),
 * by a reset, or with no length at all, where the end of the connection is the regular end of the body.
 */
const cut = async (
  exchange: Exchange,
  answer: SimulatedAnswer,
  cutAt: number | undefined,
  how: 'end' | 'reset' | 'unannounced',
): Promise<number> => {
  if (exchange.gone.aborted) return 0;
  const { request, response } = exchange;
  const body = Buffer.concat(answer.body);
  const part = body.subarray(0, cutAt ?? Math.floor(body.length / 2));
  if (how === 'unannounced') {
    response.useChunkedEncodingByDefault = false;
    response.setHeader('connection', 'close');
    head(exchange, answer, false);
    response.end(part);
    return part.length;
  }
  head(exchange, answer, true);
  response.flushHeaders();
  if (part.length > 0) await write(exchange, part);
  if (how === 'end') {
    request.socket.destroySoon();
    return part.length;
  }
  await wait(BEFORE_RESET_MS, exchange.gone);
  request.socket.resetAndDestroy();
  return part.length;
};

const head = ({ response }: Exchange, answer: SimulatedAnswer, hasLength: boolean): void => {
  response.writeHead(answer.status, {
    'content-type': answer.contentType,
    ...(hasLength ? { 'content-length': String(byteLength(answer.body)) } : {}),
    ...answer.headers,
  });
};

const write = ({ response, gone }: Exchange, piece: Buffer): Promise<number> | number => {
  if (gone.aborted) return 0;
  if (response.write(piece)) return piece.length;
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      gone.removeEventListener('abort', done);
      resolve(piece.length);
    };
    response.once('drain', done);
    gone.addEventListener('abort', done);
  });
};

const wait = async (delayMs: number, gone: AbortSignal): Promise<void> => {
  if (gone.aborted) return;
  try {
    await sleep(delayMs, undefined, { signal: gone });
  } catch (error) {
    if (!gone.aborted) throw error;
  }
};

const inCharset = (body: Buffer, charset: 'utf16le' | 'latin1' | 'utf8_with_mark'): Buffer => {
  if (charset === 'utf8_with_mark') return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), body]);
  return Buffer.from(body.toString('utf8'), charset);
};
