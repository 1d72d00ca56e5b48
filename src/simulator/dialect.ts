import type { IncomingMessage } from 'node:http';
import type { FaultOrder } from './faults.js';
import type { Random } from './random.js';

/** What a call asks for, in whichever dialect it came. */
export interface SimulatorCall {
  readonly action: string;
  readonly ubi: unknown;
  readonly username: unknown;
  readonly password: unknown;
  readonly sessionId: unknown;
  readonly training: boolean;
  /** The call carries the credentials itself and uses no session. */
  readonly nosession: boolean;
  /** Both bounds are inclusive; 0 means none. */
  readonly transactionStart: number;
  readonly transactionEnd: number;
  /** What only one dialect knows. */
  readonly details: Readonly<Record<string, unknown>>;
  /** Drawn from seed and call number: the variation of this answer. */
  readonly random: Random;
  readonly number: number;
}

export interface SimulatedAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: readonly Buffer[];
  /** For the request log, in one word. */
  readonly outcome: string;
}

export interface IncomingCall {
  readonly request: IncomingMessage;
  readonly body: Buffer;
  readonly number: number;
  readonly random: Random;
}

/** A dialect reads calls and writes answers; what is true of the state is the same in both. */
export interface DialectSpeaker {
  /** The call, or at once the answer to something that is none. */
  read(incoming: IncomingCall): SimulatorCall | SimulatedAnswer;
  answer(call: SimulatorCall, listFault: FaultOrder | undefined): Promise<SimulatedAnswer>;
  refuse(call: SimulatorCall, error: string | null, errorcode: number | string | null): SimulatedAnswer;
}

export const isAnswer = (readOrRefused: SimulatorCall | SimulatedAnswer): readOrRefused is SimulatedAnswer =>
  'status' in readOrRefused;

export const toHtml = (title: string): readonly Buffer[] => [
  Buffer.from(`<!DOCTYPE html>\n<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`),
];

/** Numbers arrive as numbers or as numeric strings; anything else is no bound. */
export const toBound = (value: unknown): number => {
  const bound = typeof value === 'string' || typeof value === 'number' ? Number(value) : 0;
  return Number.isSafeInteger(bound) && bound > 0 ? bound : 0;
};

export const isSet = (value: unknown): boolean => value === 1 || value === '1' || value === true;

export const toRecord = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
