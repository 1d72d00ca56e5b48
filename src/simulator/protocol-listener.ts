import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Api4Handler } from './api4.js';
import { deliver, type Exchange, hang, resetInHeaders, sendHugeBody, sendInvalidHttp } from './delivery.js';
import { type DialectHandler, isResponse, type SimulatorCall } from './dialect.js';
import { toFaultResponse } from './fault-response.js';
import { type FaultRule, SIMULATOR_FAULTS } from './faults.js';
import { Random } from './random.js';
import { RestHandler } from './rest.js';
import type { Simulation } from './simulation.js';

/** The default target of the `redirect` fault. A request for it means that the client followed the redirect. */
export const REDIRECT_TARGET = '/redirected';
const MAX_REQUEST_BYTES = 1_024 * 1_024;

/** The simulated BioTrack API. Uses node:http instead of a framework, because many faults need access to the socket. */
export const createProtocolListener = (simulation: Simulation): Server => {
  const handler: DialectHandler =
    simulation.setup.dialect === 'rest' ? new RestHandler(simulation) : new Api4Handler(simulation);
  const server = createServer({ keepAliveTimeout: 30_000 }, (request, response) => {
    // The header Date would make two runs differ.
    response.sendDate = false;
    serve(simulation, handler, request, response).catch((error: unknown) => {
      // A bug of the simulator must not look like a fault of BioTrack.
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end(`simulator bug: ${error}`);
    });
  });
  server.on('connection', (socket) => {
    simulation.counters.recordConnection();
    socket.once('close', () => simulation.counters.recordDisconnection());
    const fault = simulation.faults.claimAtConnect();
    if (fault === undefined) return;
    simulation.counters.recordFault(fault.fault);
    socket.resetAndDestroy();
  });
  return server;
};

const serve = async (
  simulation: Simulation,
  handler: DialectHandler,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const number = simulation.counters.recordCall();
  const closed = new AbortController();
  response.once('close', () => {
    simulation.counters.recordCallEnd();
    closed.abort();
  });
  const exchange: Exchange = { request, response, closed: closed.signal };
  const body = await readBody(request);
  if (body === undefined) return;
  const random = Random.of(simulation.setup.seed, 'answer', number);
  if (request.url?.startsWith(REDIRECT_TARGET) === true) simulation.counters.recordRedirectFollowed();
  const parsed = handler.parseRequest({ request, body, number, random });
  if (isResponse(parsed)) {
    simulation.counters.recordAction('(unreadable)');
    const bytes = await deliver(exchange, parsed, undefined);
    recordRequest(simulation, exchange, undefined, {
      number,
      fault: undefined,
      outcome: parsed.outcome,
      status: parsed.status,
      bytes,
    });
    return;
  }
  const isList = parsed.action === 'sync_vendor';
  simulation.counters.recordAction(
    simulation.offers(parsed.action) || parsed.action === 'login' ? parsed.action : '(unknown)',
  );
  if (isList) {
    simulation.counters.recordListCall();
    response.once('close', () => simulation.counters.recordListCallEnd());
  }
  const fault = simulation.faults.claim(parsed);
  if (fault !== undefined) simulation.counters.recordFault(fault.fault);
  const end = await respond(simulation, handler, parsed, exchange, fault);
  recordRequest(simulation, exchange, parsed, { number, fault: fault?.fault, ...end });
};

interface CallEnd {
  readonly outcome: string;
  readonly status: number | null;
  readonly bytes: number;
}

const respond = async (
  simulation: Simulation,
  handler: DialectHandler,
  call: SimulatorCall,
  exchange: Exchange,
  fault: FaultRule | undefined,
): Promise<CallEnd> => {
  if (fault === undefined || SIMULATOR_FAULTS[fault.fault] !== 'response') {
    const listFault = fault !== undefined && SIMULATOR_FAULTS[fault.fault] === 'list' ? fault : undefined;
    const response = await handler.respond(call, listFault);
    const bytes = await deliver(exchange, response, fault);
    return { outcome: response.outcome, status: response.status, bytes };
  }
  if (call.action === 'login') {
    simulation.counters.recordLogin(simulation.toCaller(call), 'undecided');
  }
  switch (fault.fault) {
    case 'hang':
      await hang(exchange, fault.delayMs);
      return NO_RESPONSE;
    case 'reset_in_headers':
      await resetInHeaders(exchange, fault.bytes ?? 0);
      return NO_RESPONSE;
    case 'invalid_http':
      sendInvalidHttp(exchange);
      return NO_RESPONSE;
    case 'huge_body': {
      const bytes = await sendHugeBody(exchange, simulation.options.contentType, fault);
      return { outcome: 'fault', status: 200, bytes };
    }
    default: {
      const response = toFaultResponse(simulation, handler, call, fault);
      return { outcome: 'fault', status: response.status, bytes: await deliver(exchange, response, undefined) };
    }
  }
};

const NO_RESPONSE: CallEnd = { outcome: 'fault', status: null, bytes: 0 };

const readBody = async (request: IncomingMessage): Promise<Buffer | undefined> => {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of request) {
      const buffer = piece as Buffer;
      bytes += buffer.length;
      if (bytes > MAX_REQUEST_BYTES) {
        request.destroy();
        return undefined;
      }
      pieces.push(buffer);
    }
  } catch {
    // The client disconnected before the end of its request.
    return undefined;
  }
  return Buffer.concat(pieces);
};

const recordRequest = (
  simulation: Simulation,
  { request }: Exchange,
  call: SimulatorCall | undefined,
  end: CallEnd & { readonly number: number; readonly fault: string | undefined },
): void => {
  const safe = (value: unknown): string | null => simulation.redact(value, call);
  simulation.log.add({
    call: end.number,
    method: request.method ?? '',
    path: safe((request.url ?? '').split('?')[0]) ?? '',
    action: safe(call?.action) ?? '',
    ubi: safe(call?.ubi),
    username: safe(call?.username),
    training: call?.training ?? false,
    nosession: call?.nosession ?? false,
    transactionStart: call?.transactionStart || null,
    transactionEnd: call?.transactionEnd || null,
    contentType: safe(request.headers['content-type']),
    userAgent: safe(request.headers['user-agent']),
    fault: end.fault ?? null,
    outcome: end.outcome,
    status: end.status,
    bytes: end.bytes,
  });
};
