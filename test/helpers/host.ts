import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { TokenOptions } from '../../src/http/tokens.js';

/** The user that a token names. */
export interface TokenUser {
  readonly tenantId: string;
  readonly role: 'admin' | 'user';
  readonly userId?: string;
  /** From now; negative: in the past. */
  readonly expiresInSeconds?: number;
}

/** The host application that issues tokens. Signs them without the library that verifies them. */
export interface Host {
  readonly tokens: TokenOptions;
  readonly privateKey: KeyObject;
  tokenOf(user: TokenUser): string;
}

export const ISSUER = 'https://host.example';
export const AUDIENCE = 'biotrack-connect';
export const KEY_ID = 'host-1';

export function createHost(): Host {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const jwk = { ...publicKey.export({ format: 'jwk' }), kty: 'OKP', kid: KEY_ID, alg: 'EdDSA', use: 'sig' };
  return {
    tokens: {
      issuer: ISSUER,
      audience: AUDIENCE,
      keys: { kind: 'set', set: { keys: [jwk] } },
      maxLifetimeSeconds: 86_400,
    },
    privateKey,
    tokenOf: (user) =>
      signToken({ alg: 'EdDSA', kid: KEY_ID, typ: 'JWT' }, toClaims(user), (text) => sign(null, text, privateKey)),
  };
}

export function toClaims({ tenantId, role, userId = 'user-1', expiresInSeconds = 3_600 }: TokenUser) {
  const now = Math.floor(Date.now() / 1_000);
  return {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: userId,
    tenant_id: tenantId,
    role,
    iat: now - 10,
    exp: now + expiresInSeconds,
  };
}

export const toPart = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export function signToken(header: unknown, claims: unknown, signText: (text: Buffer) => Buffer): string {
  const text = `${toPart(header)}.${toPart(claims)}`;
  return `${text}.${signText(Buffer.from(text)).toString('base64url')}`;
}
