/** Why a created license no longer matches the state's list. With `deleted`, a license cannot be created either. */
export const LICENSE_PROBLEMS = ['archived', 'missing', 'deleted', 'other_ubi'] as const;
export type LicenseProblem = (typeof LICENSE_PROBLEMS)[number];

/** Why the state's list offers no license under a UBI. */
export const LIST_PROBLEMS = ['none_listed', 'all_deleted'] as const;
export type ListProblem = (typeof LIST_PROBLEMS)[number];
