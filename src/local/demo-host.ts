import { exportJWK, generateKeyPair, type JSONWebKeySet, SignJWT } from 'jose';

/** Stands in for the host application: signs tokens for the two demo users of the example page. */

export const DEMO_ROLES = ['admin', 'user'] as const;
export type DemoRole = (typeof DEMO_ROLES)[number];

export interface DemoHost {
  /** How the service verifies the tokens. */
  readonly tokens: {
    readonly issuer: string;
    readonly audience: string;
    readonly keys: { readonly kind: 'set'; readonly set: JSONWebKeySet };
    readonly maxLifetimeSeconds: number;
  };
  /** A token of the demo user with this role. */
  sign(tenantId: string, role: DemoRole): Promise<string>;
}

const ISSUER = 'local';
const AUDIENCE = 'biotrack-connect-local';
const ALGORITHM = 'ES256';
const KEY_ID = 'local-mode';
const LIFETIME_SECONDS = 300;

/** Creates a key pair that exists until the process ends. */
export async function createDemoHost(): Promise<DemoHost> {
  const { publicKey, privateKey } = await generateKeyPair(ALGORITHM);
  const jwk = { ...(await exportJWK(publicKey)), kid: KEY_ID, alg: ALGORITHM, use: 'sig' };
  return {
    tokens: {
      issuer: ISSUER,
      audience: AUDIENCE,
      keys: { kind: 'set', set: { keys: [jwk] } },
      maxLifetimeSeconds: LIFETIME_SECONDS,
    },
    sign: (tenantId, role) =>
      new SignJWT({ tenant_id: tenantId, role })
        .setProtectedHeader({ alg: ALGORITHM, kid: KEY_ID, typ: 'JWT' })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(`demo-${role}`)
        .setIssuedAt()
        .setExpirationTime(`${LIFETIME_SECONDS} s`)
        .sign(privateKey),
  };
}
