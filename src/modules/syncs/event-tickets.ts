import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Db, withTenant } from '../../db/database.js';
import type { Principal } from '../../domain/principal.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import {
  deleteExpiredTickets,
  hasRecentTickets,
  insertTicket,
  isApiKeyValid,
  isTicketUsed,
  takeTicket,
} from './event-ticket-repository.js';
import { findRun } from './repository.js';

export interface EventTicket {
  readonly ticket: string;
  readonly expiresAt: Date;
}

/** A stream that a ticket is for. */
export interface TicketStream {
  readonly tenantId: string;
  readonly runId: string;
}

/** Tickets for the event stream of a run. Each works once, in any process, as the caller that requested it. */
export interface EventTickets {
  create(stream: TicketStream, principal: Principal): Promise<EventTicket>;
  /** Uses a ticket. `used`: it was used before. Undefined if it is forged or expired, or of another stream. */
  take(stream: TicketStream, ticket: string): Promise<Principal | 'used' | undefined>;
  /** Whether the caller of a ticket may still read: its key exists, and its token has not expired. */
  isStillValid(stream: TicketStream, principal: Principal): Promise<boolean>;
}

/** Long enough for a page to open the stream, too short to be found in a log. The API documentation states it. */
const LIFETIME_SECONDS = 60;
const KNOWN_SECONDS = 86_400;
/** Of a tenant, within their lifetime: more than it can have streams. */
const MAX_RECENT = 200;
const RANDOM_BYTES = 18;
const MAC_BYTES = 18;
/** Both in base64url. */
const FORM = /^[\w-]{48}$/;

/** @param keys the first one signs tickets, all of them verify: forged tickets never reach the database */
export function createEventTickets(db: Db, keys: readonly [Buffer, ...Buffer[]]): EventTickets {
  const toMac = (key: Buffer, { tenantId, runId }: TicketStream, random: Buffer): Buffer =>
    createHmac('sha256', key).update(`${tenantId}/${runId}/`).update(random).digest().subarray(0, MAC_BYTES);
  const isGenuine = (stream: TicketStream, bytes: Buffer): boolean => {
    const [random, mac] = [bytes.subarray(0, RANDOM_BYTES), bytes.subarray(RANDOM_BYTES)];
    return mac.length === MAC_BYTES && keys.some((key) => timingSafeEqual(mac, toMac(key, stream, random)));
  };
  return {
    create(stream, principal) {
      const random = randomBytes(RANDOM_BYTES);
      const bytes = Buffer.concat([random, toMac(keys[0], stream, random)]);
      return withTenant(db, stream.tenantId, async (tx) => {
        if ((await findRun(tx, stream.runId)) === undefined) throw notFound('sync run');
        await deleteExpiredTickets(tx, KNOWN_SECONDS);
        if (await hasRecentTickets(tx, MAX_RECENT))
          throw new ServiceError('rate_limited', `A tenant gets at most ${MAX_RECENT} tickets per minute.`, {
            retryAfterSeconds: LIFETIME_SECONDS,
          });
        const ticket = { ...stream, hash: toHash(bytes), principal, lifetimeSeconds: LIFETIME_SECONDS };
        return { ticket: bytes.toString('base64url'), expiresAt: await insertTicket(tx, ticket) };
      });
    },
    async take(stream, ticket) {
      const bytes = Buffer.from(ticket, 'base64url');
      if (!FORM.test(ticket) || !isGenuine(stream, bytes)) return undefined;
      const hash = toHash(bytes);
      return withTenant(db, stream.tenantId, async (tx) => {
        const principal = await takeTicket(tx, stream.runId, hash);
        return principal ?? ((await isTicketUsed(tx, stream.runId, hash)) ? 'used' : undefined);
      });
    },
    async isStillValid({ tenantId }, { kind, id, expiresAt }) {
      if (expiresAt !== null && expiresAt.getTime() <= Date.now()) return false;
      return kind === 'user' || withTenant(db, tenantId, (tx) => isApiKeyValid(tx, id));
    },
  };
}

const toHash = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();
