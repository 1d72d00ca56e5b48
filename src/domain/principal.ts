export const ROLES = ['operator', 'admin', 'user'] as const;
export type Role = (typeof ROLES)[number];

/** Who is calling. The tenant comes from here and from nowhere else, but for the operator, who may name any. */
export type Principal = ApiKeyPrincipal | UserPrincipal;

/** A script: never a person, so it owns no credential of a user. */
export interface ApiKeyPrincipal {
  readonly kind: 'api_key';
  /** Of the key, not its secret. */
  readonly id: string;
  readonly role: 'operator' | 'admin';
  /** Null for the operator only. */
  readonly tenantId: string | null;
}

/** A person of the host application, who came with its token. */
export interface UserPrincipal {
  readonly kind: 'user';
  /** The host application's id of the person: the token's `sub`. */
  readonly id: string;
  readonly role: 'admin' | 'user';
  readonly tenantId: string;
}

/** How a principal is named in records: never a name or an e-mail address. */
export const toActor = (principal: Principal): string => `${principal.kind}:${principal.id}`;

/** The person who is calling; undefined for a script. */
export const toUserId = ({ kind, id }: Principal): string | undefined => (kind === 'user' ? id : undefined);

/** The person whom a record names; undefined for a script or a machine. */
export const toUserIdOf = (actor: string): string | undefined =>
  actor.startsWith('user:') ? actor.slice('user:'.length) : undefined;
