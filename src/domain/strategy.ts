/** How vendors become companies. There is no default: a user must choose. */
export const STRATEGIES = ['one_per_license', 'one_per_vendor'] as const;
export type Strategy = (typeof STRATEGIES)[number];
