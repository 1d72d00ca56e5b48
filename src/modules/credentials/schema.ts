import Type from 'typebox';
import { CREDENTIAL_CHOICES } from '../../domain/credential-choice.js';
import {
  Body,
  Datetime,
  Named,
  Nullable,
  OneOf,
  OpaqueText,
  Page,
  Reply,
  Shown,
  Text,
  Uuid,
} from '../../http/primitives.js';

const OWNERS = ['company', 'user'] as const;
const STATUSES = ['unverified', 'valid', 'rejected', 'ubi_rejected', 'privilege_missing'] as const;

const description = Text(120, {
  description: 'Unique among the credentials of its owner.',
  examples: ['State login of the office'],
});
const username = Text(200, { description: 'The BioTrack user name.', examples: ['user@example.com'] });
const password = OpaqueText(200, {
  description: 'Taken to the last blank, sealed, and never shown again.',
  examples: ['correct horse battery staple'],
});
const verify = Type.Optional(
  OneOf(['required', 'attempt', 'skip'], {
    description:
      '`required` (unless told): saved only after a login at BioTrack. `attempt`: saved unverified if BioTrack cannot be reached. `skip`: saved unverified. A login that is refused is not saved, and not tried again for a day.',
    examples: ['required'],
  }),
);

export const CredentialBodySchema = Body(
  {
    description,
    username,
    password,
    owner: OneOf(OWNERS, {
      description: "`company`: for everybody's syncs. `user`: the caller's own, which only a person can make.",
      examples: ['company'],
    }),
    verify,
  },
  {
    examples: [
      {
        description: 'State login of the office',
        username: 'user@example.com',
        password: 'correct horse',
        owner: 'company',
      },
    ],
  },
);

export const CredentialPatchSchema = Body(
  {
    description: Type.Optional(description),
    username: Type.Optional(username),
    password: Type.Optional(password),
    verify,
  },
  { minProperties: 1, examples: [{ description: 'State login of the office' }] },
);

export const CredentialSchema = Named(
  'Credential',
  Reply({
    id: Uuid(),
    description: Shown(),
    username: Shown({ examples: ['user@example.com'] }),
    owner: OneOf(OWNERS),
    owner_user_id: Nullable(Shown({ description: 'With `user`: whose.', examples: ['user-1'] })),
    ubi: Shown({ description: "The tenant's UBI, which BioTrack wants at login.", examples: ['422000931'] }),
    status: OneOf(STATUSES, {
      description:
        'What BioTrack said at the last login. An outage changes nothing. A rejected password is not tried again by machine.',
    }),
    status_detail: Nullable(Shown({ description: 'What to do about the status.' })),
    checked_datetime: Nullable(Datetime({ description: 'When BioTrack last judged it.' })),
    last_used_datetime: Nullable(
      Datetime({ description: 'When it was last taken up for a sync, or to look licenses up.' }),
    ),
    etag: Shown({ description: 'Its version, for If-Match: the ETag without another read.', examples: ['"1"'] }),
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);

export const CredentialPageSchema = Page('CredentialPage', CredentialSchema);

export const VerificationSchema = Named(
  'Verification',
  Reply({
    result: OneOf(['valid', 'rejected', 'ubi_rejected', 'privilege_missing', 'unreachable']),
    missing_privilege: Nullable(Shown({ description: 'With `privilege_missing`: which.', examples: ['sync_vendor'] })),
    detail: Shown({ description: 'What it means and what to do.' }),
    credential: CredentialSchema,
  }),
);

export const CredentialCoverageSchema = Named(
  'CredentialCoverage',
  Reply({
    user_id: Shown({ examples: ['user-1'] }),
    display_name: Nullable(Shown({ examples: ['Ada Example'] })),
    active: Type.Boolean({ description: 'As the host application says.' }),
    last_seen_datetime: Nullable(Datetime()),
    covered: Type.Boolean({ description: 'Whether there is a login that a sync of this person could work with now.' }),
    credential: Type.Union(
      [
        Reply({
          id: Uuid(),
          owner: OneOf(OWNERS),
          status: OneOf(['valid', 'unverified']),
          reason: OneOf(CREDENTIAL_CHOICES, {
            description:
              "Why this one. `own`: it is the person's own. The company's, because the person has none (`own_missing`), BioTrack refused it (`own_refused`) or its password cannot be opened any more (`own_unreadable`); or because nobody in person asks (`no_person`).",
          }),
        }),
        Type.Null(),
      ],
      { description: 'The login that a sync of this person would work with.' },
    ),
    own_status: Nullable(OneOf(STATUSES, { description: "Of the person's own credential; null for none." })),
    own_status_detail: Nullable(Shown({ description: 'What to do about it.' })),
  }),
);

export const CredentialCoveragePageSchema = Page('CredentialCoveragePage', CredentialCoverageSchema);
