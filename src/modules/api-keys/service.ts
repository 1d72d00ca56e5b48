import { createHash, randomBytes } from 'node:crypto';
import { type Db, withOperator } from '../../db/database.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import type { Principal } from '../../domain/principal.js';
import { Secret } from '../../domain/secret.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import { tenantExists } from '../tenants/index.js';
import { type ApiKey, deleteApiKeyRow, findApiKey, insertApiKey, selectApiKeys } from './repository.js';

const PREFIX = 'btk_';
const SECRET_BYTES = 32;

export interface ApiKeyInput {
  readonly description: string;
  readonly role: ApiKey['role'];
  readonly tenantId: string | undefined;
}

export interface NewApiKey {
  readonly key: ApiKey;
  /** Only its hash is stored. */
  readonly secret: Secret;
}

export function createApiKey(db: Db, newId: () => string, input: ApiKeyInput): Promise<NewApiKey> {
  return withOperator(db, async (tx) => {
    const { description, role, tenantId = null } = input;
    if ((role === 'operator') !== (tenantId === null)) {
      throw tenantError(
        role === 'operator' ? 'is not allowed for the role `operator`' : 'is required for the role `admin`',
      );
    }
    if (tenantId !== null && !(await tenantExists(tx, tenantId))) throw tenantError('is not an existing tenant');
    const secret = new Secret(PREFIX + randomBytes(SECRET_BYTES).toString('base64url'));
    const key = await insertApiKey(tx, { id: newId(), description, role, tenantId }, toHash(secret.reveal()));
    return { key, secret };
  });
}

const tenantError = (detail: string): ServiceError =>
  new ServiceError('invalid_request', `/tenant_id ${detail}.`, { errors: [{ pointer: '/tenant_id', detail }] });

export const listApiKeys = (db: Db, { size, after }: PageRequest): Promise<PageOf<ApiKey>> =>
  withOperator(db, async (tx) => toPage(await selectApiKeys(tx, size, after), size));

export const deleteApiKey = (db: Db, id: string): Promise<void> =>
  withOperator(db, async (tx) => {
    if (!(await deleteApiKeyRow(tx, id))) throw notFound('API key');
  });

/** Undefined for unknown and deleted keys. */
export async function authenticateApiKey(db: Db, token: string): Promise<Principal | undefined> {
  if (!token.startsWith(PREFIX)) return undefined;
  const key = await withOperator(db, (tx) => findApiKey(tx, toHash(token)));
  return key === undefined ? undefined : { kind: 'api_key', id: key.id, role: key.role, tenantId: key.tenantId };
}

/** Keys are looked up by hash, so the time that a query takes reveals nothing about valid keys. */
export const toHash = (token: string): Buffer => createHash('sha256').update(token).digest();
