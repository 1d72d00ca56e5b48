/** Why a created license is not what it was created as. */
export const LICENSE_PROBLEMS = ['archived', 'missing', 'deleted', 'other_ubi'] as const;
export type LicenseProblem = (typeof LICENSE_PROBLEMS)[number];
