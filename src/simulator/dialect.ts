import type { IncomingMessage } from 'node:http';
import type { FaultRule } from './faults.js';
import type { Random } from './random.js';

/** A call, independent of the dialect. */
export interface SimulatorCall {
  readonly action: string;
  readonly ubi: unknown;
  readonly username: unknown;
  readonly password: unknown;
  readonly sessionId: unknown;
  readonly training: boolean;
  /** The call contains the credentials and uses no session. */
  readonly nosession: boolean;
  /** Both bounds are inclusive. 0 means no bound. */
  readonly transactionStart: number;
  readonly transactionEnd: number;
  /** Everything else that was sent; depends on the dialect. */
  readonly members: Readonly<Record<string, unknown>>;
  /** Seeded by seed and call number. Decides how this response varies. */
  readonly random: Random;
  readonly number: number;
}

export interface SimulatedResponse {
  readonly status: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: readonly Buffer[];
  /** One word for the request log. */
  readonly outcome: string;
}

export interface IncomingCall {
  readonly request: IncomingMessage;
  readonly body: Buffer;
  readonly number: number;
  readonly random: Random;
}

/** Parses requests and writes responses in one dialect. */
export interface DialectHandler {
  /** The call, or the response to a request that is not a valid call. */
  parseRequest(incoming: IncomingCall): SimulatorCall | SimulatedResponse;
  respond(call: SimulatorCall, listFault: FaultRule | undefined): Promise<SimulatedResponse>;
  refuse(call: SimulatorCall, error: string | null, errorcode: number | string | null): SimulatedResponse;
}

export const isResponse = (parsed: SimulatorCall | SimulatedResponse): parsed is SimulatedResponse =>
  'status' in parsed;

export const toHtml = (title: string): readonly Buffer[] => [
  Buffer.from(`<!DOCTYPE html>\n<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`),
];

/** Accepts numbers and numeric strings. Anything else is 0, which means no bound. */
export const toBound = (value: unknown): number => {
  const bound = typeof value === 'string' || typeof value === 'number' ? Number(value) : 0;
  return Number.isSafeInteger(bound) && bound > 0 ? bound : 0;
};

export const isSet = (value: unknown): boolean => value === 1 || value === '1' || value === true;

export const toRecord = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
