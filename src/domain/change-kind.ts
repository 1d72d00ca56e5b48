/** What a plan does with a company. */
export const COMPANY_CHANGE_KINDS = [
  'company.created',
  'company.updated',
  'company.archived',
  'company.reactivated',
] as const;

/** What a plan does with a license of a company. */
export const LICENSE_CHANGE_KINDS = [
  'license.created',
  'license.updated',
  /** Moved to another company of the same vendor. */
  'license.moved',
  /** Sold: another vendor holds it. */
  'license.transferred',
  'license.deactivated',
  'license.reactivated',
] as const;

/** The kinds of the changes that a plan makes. */
export const PLAN_KINDS = [...COMPANY_CHANGE_KINDS, ...LICENSE_CHANGE_KINDS] as const;
export type PlanKind = (typeof PLAN_KINDS)[number];

/** What users do with the tenant's own licenses. */
export const OWN_LICENSE_CHANGE_KINDS = [
  'own_license.created',
  'own_license.updated',
  'own_license.archived',
  'own_license.restored',
] as const;

/** The kinds of all changes that the feed has after its snapshot. */
export const CHANGE_KINDS = [...PLAN_KINDS, 'company.edited', ...OWN_LICENSE_CHANGE_KINDS] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];
