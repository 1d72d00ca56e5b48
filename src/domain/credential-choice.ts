/**
 * Why a credential was chosen. `own`: it belongs to the requesting user. All others are credentials of the company, chosen
 * because the request came from no user (`no_user`), or because the user's own credential is missing, was rejected by
 * BioTrack, or cannot be decrypted.
 */
export const CREDENTIAL_CHOICES = ['own', 'no_user', 'own_missing', 'own_rejected', 'own_unreadable'] as const;
export type CredentialChoice = (typeof CREDENTIAL_CHOICES)[number];
