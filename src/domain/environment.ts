/** A state's BioTrack has two data sets on the same host: the real one, and one to practise on. */
export const ENVIRONMENTS = ['production', 'training'] as const;
export type Environment = (typeof ENVIRONMENTS)[number];
