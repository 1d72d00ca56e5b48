/** Why a created license is not what it was created as. */
export const LICENSE_CONFLICTS = ['archived', 'missing', 'deleted', 'other_ubi'] as const;
export type LicenseConflict = (typeof LICENSE_CONFLICTS)[number];
