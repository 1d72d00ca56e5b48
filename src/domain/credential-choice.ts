/**
 * Why this login is the one: a person's own comes before the company's. `own`: it is his own. The company's, because…
 * `no_person`: no person asked; `own_missing`: he has none; `own_refused`: BioTrack refused his own; `own_unreadable`:
 * his own password cannot be opened.
 */
export const CREDENTIAL_CHOICES = ['own', 'no_person', 'own_missing', 'own_refused', 'own_unreadable'] as const;
export type CredentialChoice = (typeof CREDENTIAL_CHOICES)[number];
