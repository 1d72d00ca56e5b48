import Type from 'typebox';
import { CREDENTIAL_CHOICES } from '../../domain/credential-choice.js';
import {
  Body,
  Datetime,
  etagField,
  KnownOf,
  MessageSchema,
  Named,
  Nullable,
  NullableObject,
  OneOf,
  OpaqueText,
  Page,
  Reply,
  ResponseText,
  Text,
  Uuid,
} from '../../http/primitives.js';

const OWNERS = ['company', 'user'] as const;
const STATUSES = ['unverified', 'valid', 'rejected', 'refused', 'ubi_rejected', 'privilege_missing'] as const;

const description = Text(120, {
  description: 'A label. Unique among the credentials of the owner.',
  examples: ['Office login'],
});
const username = Text(200, {
  description:
    'The BioTrack username. Sent as it is; unique among the credentials of the owner in any case and with or without surrounding spaces.',
  examples: ['user@example.com'],
});
const password = OpaqueText(200, {
  description:
    'The BioTrack password. Leading and trailing spaces are significant. Stored encrypted and never returned.',
  examples: ['correct horse battery staple'],
});
export const licenseNumber = Type.Optional(
  Nullable(
    Text(64, {
      description:
        "A license number of the UBI, which BioTrack requires at login in some states (Florida). Only allowed if the tenant's state uses the BioTrack REST API.",
      // It is sent in an HTTP header.
      pattern: '^[!-~](?:[ -~]{0,62}[!-~])?$',
      examples: ['MMTC-2017-0001'],
    }),
  ),
);
const verify = Type.Optional(
  OneOf(['required', 'attempt', 'skip'], {
    description:
      'When to log in to BioTrack before saving. `required` (default): save only after a successful login. `attempt`: the same, but save as `unverified` if BioTrack is unavailable. `skip`: save without a login, as `unverified`. A login that BioTrack rejected is not sent again for 24 hours: until then, `required` and `attempt` return `credentials_rejected` or `login_refused` immediately, and `skip` saves the login with the status `rejected` or `refused`, so that it is not used. After three rejected logins of one BioTrack user, other passwords are held back for a minute, then longer: the call returns 429 `logins_held`.',
    examples: ['required'],
  }),
);

export const CredentialBodySchema = Named(
  'CredentialInput',
  Body(
    {
      description,
      username,
      password,
      license_number: licenseNumber,
      owner: OneOf(OWNERS, {
        description:
          '`company`: used for syncs of all users, the schedule and API keys. `user`: used only for syncs of the calling user; not available to API keys.',
        examples: ['company'],
      }),
      verify,
    },
    {
      examples: [
        {
          description: 'Office login',
          username: 'user@example.com',
          password: 'correct horse',
          owner: 'company',
        },
      ],
    },
  ),
);

export const CredentialPatchSchema = Named(
  'CredentialPatch',
  Body(
    {
      description: Type.Optional(description),
      username: Type.Optional(username),
      password: Type.Optional(password),
      license_number: licenseNumber,
      verify,
    },
    { minProperties: 1, examples: [{ description: 'Office login' }] },
  ),
);

export const CredentialSchema = Named(
  'Credential',
  Reply({
    id: Uuid(),
    description: ResponseText(),
    username: ResponseText({ examples: ['user@example.com'] }),
    license_number: Nullable(
      ResponseText({ description: 'The license number sent with every login; null if none is sent.' }),
    ),
    owner: KnownOf(OWNERS),
    owner_user_id: Nullable(
      ResponseText({ description: 'The user that owns it; null if `owner` is `company`.', examples: ['user-1'] }),
    ),
    ubi: ResponseText({ description: "The tenant's UBI, which every BioTrack login sends.", examples: ['422000931'] }),
    status: KnownOf(STATUSES, {
      description:
        'The result of the last login. `unverified`: no login yet, or the UBI, state or environment changed since. `rejected`: wrong username or password. `refused`: BioTrack refused the login for another reason, for example because the account is locked or inactive. Only `valid` and `unverified` credentials are used; the others must be fixed first. An outage of BioTrack does not change the status.',
    }),
    status_message: NullableObject(MessageSchema, { description: 'What to do about the status; null for `valid`.' }),
    checked_datetime: Nullable(Datetime({ description: 'When BioTrack last accepted or rejected it.' })),
    last_used_datetime: Nullable(
      Datetime({
        description:
          'When a sync or a license lookup last logged in with it. Syncs that use a list of the state from the last minutes do not log in.',
      }),
    ),
    ...etagField,
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);

export const CredentialPageSchema = Page('CredentialPage', CredentialSchema);

export const VerificationBodySchema = Named(
  'VerificationInput',
  Body(
    {
      force: Type.Optional(
        Type.Boolean({
          description:
            'Send the login to BioTrack even if the credential is `rejected` or `refused`. Only for users: API keys get the remembered result. Defaults to `false`.',
        }),
      ),
    },
    { examples: [{ force: true }] },
  ),
);

export const VerificationSchema = Named(
  'Verification',
  Reply({
    result: KnownOf(['valid', 'rejected', 'refused', 'ubi_rejected', 'privilege_missing', 'unavailable'], {
      description: '`unavailable`: BioTrack neither accepted nor rejected the login. All other values are the status.',
    }),
    remembered: Type.Boolean({
      description: 'True if the login was not sent, because BioTrack rejected the same login before.',
    }),
    missing_privilege: Nullable(
      ResponseText({
        description:
          'The missing privilege, if any. With the result `privilege_missing`, it is the privilege to read vendors. With `valid`, it is the privilege to read laboratories, which is checked if the company creation preference includes laboratories.',
        examples: ['sync_vendor'],
      }),
    ),
    message: MessageSchema,
    credential: CredentialSchema,
  }),
);

export const CredentialCoverageSchema = Named(
  'CredentialCoverage',
  Reply({
    user_id: ResponseText({ examples: ['user-1'] }),
    display_name: Nullable(ResponseText({ examples: ['Ada Example'] })),
    active: Type.Boolean({ description: 'False if the host application deactivated the user.' }),
    last_seen_datetime: Nullable(Datetime()),
    covered: Type.Boolean({ description: 'Whether a sync of this user has a usable credential now.' }),
    credential: NullableObject(
      Named(
        'ChosenCredential',
        Reply({
          id: Uuid(),
          owner: KnownOf(OWNERS),
          status: KnownOf(['valid', 'unverified']),
          reason: KnownOf(CREDENTIAL_CHOICES, {
            description:
              "Why this credential was chosen. `own`: it belongs to the user. The others are company credentials, chosen because the user has none (`own_missing`), BioTrack rejected the user's own (`own_rejected`), its password cannot be decrypted (`own_unreadable`), or no user made the request (`no_user`).",
          }),
        }),
      ),
      { description: 'The credential that a sync of this user would use; null if `covered` is false.' },
    ),
    own_status: Nullable(
      KnownOf(STATUSES, { description: "The status of the user's own credential; null if there is none." }),
    ),
    own_status_message: NullableObject(MessageSchema, { description: 'What to do about `own_status`.' }),
  }),
);

export const CredentialCoveragePageSchema = Page('CredentialCoveragePage', CredentialCoverageSchema);
