export const ROLES = ['operator', 'admin', 'user'] as const;
export type Role = (typeof ROLES)[number];

/** Who is calling. The tenant comes from here and from nowhere else, but for the operator, who may name any. */
export interface Principal {
  readonly kind: 'api_key';
  readonly id: string;
  readonly role: Role;
  /** Null for the operator only. */
  readonly tenantId: string | null;
}

/** How a principal is named in records: never a name or an e-mail address. */
export const toActor = (principal: Principal): string => `${principal.kind}:${principal.id}`;
