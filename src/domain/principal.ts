export const ROLES = ['operator', 'admin', 'user'] as const;
export type Role = (typeof ROLES)[number];

/** The authenticated caller. It determines the tenant, except for operators, who can access every tenant. */
export type Principal = ApiKeyPrincipal | UserPrincipal;

/** A script. It cannot own user credentials. */
export interface ApiKeyPrincipal {
  readonly kind: 'api_key';
  /** The id of the API key, not its secret. */
  readonly id: string;
  readonly role: 'operator' | 'admin';
  /** Null only for operators. */
  readonly tenantId: string | null;
  /** Null: never. */
  readonly expiresAt: Date | null;
}

/** A user of the host application, authenticated by its token. */
export interface UserPrincipal {
  readonly kind: 'user';
  /** The host application's user id: the `sub` claim of the token. */
  readonly id: string;
  readonly role: 'admin' | 'user';
  readonly tenantId: string;
  /** When the token expires. */
  readonly expiresAt: Date;
}

/** The caller as stored in records: contains no name or email address. */
export const toActor = (principal: Principal): string => `${principal.kind}:${principal.id}`;

/** The calling user; undefined for an API key. */
export const toUserId = ({ kind, id }: Principal): string | undefined => (kind === 'user' ? id : undefined);

/** The user named by a stored actor; undefined for an API key or the service itself. */
export const toUserIdFromActor = (actor: string): string | undefined =>
  actor.startsWith('user:') ? actor.slice('user:'.length) : undefined;
