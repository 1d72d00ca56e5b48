/** Why a created license no longer matches the state's list. */
export const LICENSE_PROBLEMS = ['archived', 'missing', 'deleted', 'other_ubi'] as const;
export type LicenseProblem = (typeof LICENSE_PROBLEMS)[number];
