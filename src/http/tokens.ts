import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import type { UserPrincipal } from '../domain/principal.js';
import { ServiceError } from '../domain/service-error.js';
import type { Authenticate } from './auth.js';

/** How to verify the tokens of the host application. */
export interface TokenOptions {
  readonly issuer: string;
  readonly audience: string;
  readonly keys: TokenKeys;
  /** Tokens that expire later than this from now are rejected. */
  readonly maxLifetimeSeconds: number;
}

/** The host application's public keys, or their URL. */
export type TokenKeys =
  | { readonly kind: 'set'; readonly set: JSONWebKeySet }
  | { readonly kind: 'url'; readonly url: string };

/** Describes an invalid key set; contains no key material. */
export class TokenKeysError extends Error {}

/** Asymmetric algorithms only: with HS*, the public key could be used to sign. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
/** A token must not bring keys, URLs of keys, or extensions. */
const HEADERS = ['alg', 'kid', 'typ'];
/** Rejects padding, which jose accepts but the standard does not. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const TYPES = [undefined, 'jwt', 'at+jwt', 'application/at+jwt'];
const CLOCK_TOLERANCE_SECONDS = 30;
const FETCH_TIMEOUT_MS = 3_000;
const KEYS_MAX_BYTES = 1024 * 1024;
/** A revoked key is accepted for up to this long. */
const KEYS_MAX_AGE_MS = 600_000;
/** Limits how often tokens with unknown key ids cause a refetch. */
const REFETCH_AFTER_MS = 30_000;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** One line without control characters or surrounding white space. */
const USER_ID = /^[^\p{Cc}\p{Cs}\s](?:[^\p{Cc}\p{Cs}]*[^\p{Cc}\p{Cs}\s])?$/u;
const USER_ID_MAX_LENGTH = 200;

/** Verifies the tokens of the host application; undefined for an invalid token. */
export function createTokenReader({ issuer, audience, keys, maxLifetimeSeconds }: TokenOptions): Authenticate {
  const getKey = keys.kind === 'set' ? createLocalJWKSet(keys.set) : fetchKeys(keys.url);
  return async (token) => {
    if (!COMPACT.test(token)) return undefined;
    try {
      const header = decodeProtectedHeader(token);
      if (Object.keys(header).some((name) => !HEADERS.includes(name))) return undefined;
      if (typeof header.kid !== 'string' || header.kid === '') return undefined;
      if (!TYPES.includes(header.typ?.toLowerCase())) return undefined;
      const { payload } = await jwtVerify(token, getKey, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        requiredClaims: ['exp'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
      });
      return isTooLong(payload.exp, maxLifetimeSeconds) ? undefined : toPrincipal(payload);
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      // The token, or the key that it refers to, is invalid.
      if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined;
      throw error;
    }
  };
}

const isTooLong = (exp: number | undefined, maxSeconds: number): boolean =>
  !(Number.isFinite(exp) && (exp as number) * 1_000 - Date.now() <= (maxSeconds + CLOCK_TOLERANCE_SECONDS) * 1_000);

function toPrincipal({
  sub,
  tenant_id: tenantId,
  role,
  exp,
}: Readonly<Record<string, unknown>>): UserPrincipal | undefined {
  if (typeof sub !== 'string' || sub.length > USER_ID_MAX_LENGTH || !USER_ID.test(sub)) return undefined;
  if (typeof tenantId !== 'string' || !UUID.test(tenantId)) return undefined;
  if (role !== 'admin' && role !== 'user') return undefined;
  return { kind: 'user', id: sub, role, tenantId: tenantId.toLowerCase(), expiresAt: new Date(Number(exp) * 1_000) };
}

/** Fetches and caches keys. While they cannot be fetched, tokens are neither accepted nor rejected: 503. */
function fetchKeys(url: string): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(new URL(url), {
    timeoutDuration: FETCH_TIMEOUT_MS,
    cacheMaxAge: KEYS_MAX_AGE_MS,
    cooldownDuration: REFETCH_AFTER_MS,
    [customFetch]: fetchLimited,
  });
  return async (header, token) => {
    try {
      return await remote(header, token);
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JWKSMultipleMatchingKeys) throw cause;
      if (cause instanceof errors.JOSENotSupported) throw cause;
      throw new ServiceError('identity_unavailable', 'The token could not be verified. Retry later.', {
        cause,
      });
    }
  };
}

/** Fails for a response that is longer than any key set. */
async function fetchLimited(url: string, options: RequestInit): Promise<Response> {
  const response = await fetch(url, options);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > KEYS_MAX_BYTES) throw new TypeError(`the key set has more than ${KEYS_MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), { status: response.status, headers: response.headers });
}

/** Parses a JWK Set file of public keys. @throws TokenKeysError */
export function parseTokenKeys(text: string): TokenKeys {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    throw new TokenKeysError('the file is not JSON');
  }
  const keys = typeof set === 'object' && set !== null && 'keys' in set ? set.keys : undefined;
  if (!Array.isArray(keys) || keys.length === 0) throw new TokenKeysError('the file has no {"keys": [...]}');
  for (const key of keys) {
    if (typeof key !== 'object' || key === null || typeof key.kty !== 'string') {
      throw new TokenKeysError('a key in the file is not a JSON Web Key');
    }
    if (key.kty === 'oct' || 'd' in key) throw new TokenKeysError('a key in the file is not a public key');
  }
  return { kind: 'set', set: { keys } };
}
