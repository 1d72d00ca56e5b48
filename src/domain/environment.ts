/** A state's BioTrack system has two data sets on the same host: live data and training data. */
export const ENVIRONMENTS = ['production', 'training'] as const;
export type Environment = (typeof ENVIRONMENTS)[number];
