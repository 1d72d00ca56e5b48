import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Db, type OperatorTx, withCommitHooks, withOperator, writesOf } from '../../db/database.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import type { ApiKeyPrincipal, Principal } from '../../domain/principal.js';
import { Secret } from '../../domain/secret.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import { tenantExists } from '../tenants/index.js';
import {
  type ApiKey,
  deleteApiKeyRow,
  findKeyByHash,
  insertApiKey,
  isKeyValid,
  limitApiKey,
  lockApiKey,
  saveKeyUse,
  selectApiKeys,
} from './repository.js';

const SECRET_BYTES = 32;
/** 32 random bytes, and their CRC-32: a mistyped or invented key is recognized without the database. */
const KEY = /^btk_([\w-]{43})_([0-9a-f]{8})$/;
/** The last use of a key is saved this often. */
const LAST_USED_MS = 60_000;

export interface ApiKeyInput {
  readonly description: string;
  readonly role: ApiKey['role'];
  readonly tenantId: string | undefined;
  /** Undefined: never. */
  readonly expiresAt?: Date | undefined;
}

export interface NewApiKey {
  readonly key: ApiKey;
  /** Only its hash is stored. */
  readonly secret: Secret;
}

export function createApiKey(db: Db, newId: () => string, input: ApiKeyInput): Promise<NewApiKey> {
  return withOperator(db, async (tx) => {
    const { description, role, tenantId = null, expiresAt = null } = input;
    if ((role === 'operator') !== (tenantId === null)) {
      throw tenantError(
        role === 'operator' ? 'is not allowed for the role `operator`' : 'is required for the role `admin`',
      );
    }
    if (tenantId !== null && !(await tenantExists(tx, tenantId))) throw tenantError('is not an existing tenant');
    rejectPast(expiresAt);
    return insertNewKey(tx, newId(), { description, role, tenantId, expiresAt });
  });
}

async function insertNewKey(
  tx: OperatorTx,
  id: string,
  key: Pick<ApiKey, 'description' | 'role' | 'tenantId' | 'expiresAt'>,
): Promise<NewApiKey> {
  const random = randomBytes(SECRET_BYTES).toString('base64url');
  const secret = new Secret(`btk_${random}_${toChecksum(random)}`);
  return { key: await insertApiKey(tx, { id, ...key }, toHash(secret.reveal())), secret };
}

const toChecksum = (random: string): string => crc32(random).toString(16).padStart(8, '0');

function rejectPast(expiresAt: Date | null): void {
  if (expiresAt === null || expiresAt.getTime() > Date.now()) return;
  throw new ServiceError('invalid_request', '/expires_datetime must be in the future.', {
    errors: [{ pointer: '/expires_datetime', detail: 'must be in the future' }],
  });
}

export interface Rotation {
  readonly id: string;
  /** How long the present key stays valid. */
  readonly overlapSeconds: number;
  /** Of the successor. Undefined: never. */
  readonly expiresAt: Date | undefined;
}

/** Creates a key with the same description, role and tenant, and ends the present one after the overlap. */
export const rotateApiKey = (
  db: Db,
  newId: () => string,
  { id, overlapSeconds, expiresAt }: Rotation,
  principal: Principal,
): Promise<NewApiKey> =>
  endKey(db, id, principal, async (tx) => {
    const present = await lockApiKey(tx, id);
    if (present === undefined) throw notFound('API key');
    const { description, role, tenantId } = present;
    rejectPast(expiresAt ?? null);
    const successor = await insertNewKey(tx, newId(), { description, role, tenantId, expiresAt: expiresAt ?? null });
    await limitApiKey(tx, id, overlapSeconds);
    return successor;
  });

const tenantError = (detail: string): ServiceError =>
  new ServiceError('invalid_request', `/tenant_id ${detail}.`, { errors: [{ pointer: '/tenant_id', detail }] });

export const listApiKeys = (db: Db, { size, after }: PageRequest): Promise<PageOf<ApiKey>> =>
  withOperator(db, async (tx) => toPage(await selectApiKeys(tx, size, after), size));

export const deleteApiKey = (db: Db, id: string, principal: Principal): Promise<void> =>
  endKey(db, id, principal, async (tx) => {
    const key = await lockApiKey(tx, id);
    if (key === undefined) throw notFound('API key');
    await deleteApiKeyRow(tx, id);
    writesOf(tx).record('delete', 'api_keys', `${id} (${key.role}: ${key.description})`);
  });

/** @param principal the caller: a key may end itself, although it is no longer valid at the end of the transaction */
function endKey<T>(db: Db, id: string, principal: Principal, work: (tx: OperatorTx) => Promise<T>): Promise<T> {
  if (principal.id !== id) return withOperator(db, work);
  return withCommitHooks({ caller: undefined }, () =>
    withOperator(db, async (tx) => {
      if (!(await isKeyValid(tx, id)))
        throw new ServiceError('unauthenticated', 'The API key was deleted or has expired.');
      return work(tx);
    }),
  );
}

/** Whether a token has the form of an API key, with the right checksum. */
export function isApiKeyForm(token: string): boolean {
  const [, random, checksum] = KEY.exec(token) ?? [];
  return random !== undefined && toChecksum(random) === checksum;
}

/** Undefined for unknown, deleted and expired keys. */
export async function authenticateApiKey(db: Db, token: string): Promise<ApiKeyPrincipal | undefined> {
  const key = await withOperator(db, async (tx) => {
    const found = await findKeyByHash(tx, toHash(token));
    const isSaved = found !== undefined && Date.now() - (found.lastUsedAt?.getTime() ?? 0) < LAST_USED_MS;
    if (found !== undefined && !isSaved) await saveKeyUse(tx, found.id);
    return found;
  });
  if (key === undefined) return undefined;
  const { id, role, tenantId, expiresAt } = key;
  return { kind: 'api_key', id, role, tenantId, expiresAt };
}

/** Keys are looked up by hash, so the time that a query takes reveals nothing about valid keys. */
export const toHash = (token: string): Buffer => createHash('sha256').update(token).digest();
