import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Api4Speaker } from './api4.js';
import { deliver, type Exchange, garbageHead, hang, hugeBody, resetAtHead } from './delivery.js';
import { type DialectSpeaker, isAnswer, type SimulatedAnswer, type SimulatorCall, toHtml } from './dialect.js';
import { type FaultOrder, SIMULATOR_FAULTS } from './faults.js';
import { toInsteadAnswer } from './instead.js';
import { Random } from './random.js';
import { RestSpeaker } from './rest.js';
import type { World } from './world.js';

/** Where the `redirect` fault points unless told otherwise: whoever comes here has followed it. */
export const REDIRECT_TARGET = '/redirected';
const MOST_REQUEST_BYTES = 1_024 * 1_024;

/**
 * The listener that plays BioTrack. node:http rather than a framework: half of the faults happen below one, at the
 * socket, and an answer has to come out byte by byte as it was meant.
 */
export const createProtocolListener = (world: World): Server => {
  const speaker: DialectSpeaker = world.setup.dialect === 'rest' ? new RestSpeaker(world) : new Api4Speaker(world);
  const server = createServer({ keepAliveTimeout: 30_000 }, (request, response) => {
    // A clock in the head would make two runs differ.
    response.sendDate = false;
    serve(world, speaker, request, response).catch((error: unknown) => {
      // A defect of the simulator itself must not pass for one of BioTrack's.
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end(`defect of the simulator: ${error}`);
    });
  });
  server.on('connection', (socket) => {
    world.counters.connected();
    socket.once('close', () => world.counters.disconnected());
    const fault = world.faults.takeAtConnect();
    if (fault === undefined) return;
    world.counters.faultFired(fault.fault);
    socket.resetAndDestroy();
  });
  return server;
};

const serve = async (
  world: World,
  speaker: DialectSpeaker,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const number = world.counters.arrived();
  const gone = new AbortController();
  response.once('close', () => {
    world.counters.left();
    gone.abort();
  });
  const exchange: Exchange = { request, response, gone: gone.signal };
  const body = await readBody(request);
  if (body === undefined) return;
  const random = Random.of(world.setup.seed, 'answer', number);
  if (request.url?.startsWith(REDIRECT_TARGET) === true) world.counters.redirectFollowed();
  const read = speaker.read({ request, body, number, random });
  if (isAnswer(read)) {
    world.counters.named('(unreadable)');
    const bytes = await deliver(exchange, read, undefined);
    log(world, exchange, undefined, { number, fault: undefined, outcome: read.outcome, status: read.status, bytes });
    return;
  }
  const isList = read.action === 'sync_vendor';
  world.counters.named(world.offers(read.action) || read.action === 'login' ? read.action : '(unknown)');
  if (isList) {
    world.counters.listArrived();
    response.once('close', () => world.counters.listLeft());
  }
  const fault = world.faults.take(read.action);
  if (fault !== undefined) world.counters.faultFired(fault.fault);
  const end = await answer(world, speaker, read, exchange, fault);
  log(world, exchange, read, { number, fault: fault?.fault, ...end });
};

interface End {
  readonly outcome: string;
  readonly status: number | null;
  readonly bytes: number;
}

const answer = async (
  world: World,
  speaker: DialectSpeaker,
  call: SimulatorCall,
  exchange: Exchange,
  fault: FaultOrder | undefined,
): Promise<End> => {
  if (fault === undefined || SIMULATOR_FAULTS[fault.fault] !== 'instead') {
    const listFault = fault !== undefined && SIMULATOR_FAULTS[fault.fault] === 'list' ? fault : undefined;
    const proper = await speaker.answer(call, listFault);
    const bytes = await deliver(exchange, proper, fault);
    return { outcome: proper.outcome, status: proper.status, bytes };
  }
  if (call.action === 'login') {
    world.counters.login(world.callerOf(call), 'undecided');
  }
  switch (fault.fault) {
    case 'hang':
      await hang(exchange, fault.delayMs);
      return NOTHING;
    case 'reset_at_head':
      await resetAtHead(exchange, fault.bytes ?? 0);
      return NOTHING;
    case 'garbage_head':
      garbageHead(exchange);
      return NOTHING;
    case 'huge_body': {
      const bytes = await hugeBody(exchange, toAnswer(world), fault);
      return { outcome: 'fault', status: 200, bytes };
    }
    default: {
      const other = toInsteadAnswer(world, speaker, call, fault);
      return { outcome: 'fault', status: other.status, bytes: await deliver(exchange, other, undefined) };
    }
  }
};

const NOTHING: End = { outcome: 'fault', status: null, bytes: 0 };

const toAnswer = (world: World): SimulatedAnswer => ({
  status: 200,
  contentType: world.settings.contentType,
  body: toHtml(''),
  outcome: 'fault',
});

const readBody = async (request: IncomingMessage): Promise<Buffer | undefined> => {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of request) {
      const buffer = piece as Buffer;
      bytes += buffer.length;
      if (bytes > MOST_REQUEST_BYTES) {
        request.destroy();
        return undefined;
      }
      pieces.push(buffer);
    }
  } catch {
    // The client went away in the middle of its request: there is nobody to answer.
    return undefined;
  }
  return Buffer.concat(pieces);
};

const log = (
  world: World,
  { request }: Exchange,
  call: SimulatorCall | undefined,
  end: End & { readonly number: number; readonly fault: string | undefined },
): void => {
  const safe = (value: unknown): string | null => world.withoutSecrets(value, call);
  world.log.add({
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
