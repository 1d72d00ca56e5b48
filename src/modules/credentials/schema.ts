import Type from 'typebox';
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
      '`required` (unless told): saved only after a login at BioTrack. `attempt`: saved unverified if BioTrack cannot be reached. `skip`: saved unverified. A refused login is never saved.',
  }),
);

export const CredentialBody = Body(
  {
    description,
    username,
    password,
    owner: OneOf(OWNERS, {
      description: "`company`: for everybody's syncs. `user`: one person's own, which only that person can make.",
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

export const CredentialPatch = Body(
  {
    description: Type.Optional(description),
    username: Type.Optional(username),
    password: Type.Optional(password),
    verify,
  },
  { minProperties: 1, examples: [{ description: 'State login of the office' }] },
);

export const Credential = Named(
  'Credential',
  Reply({
    id: Uuid(),
    description: Shown(),
    username: Shown({ examples: ['user@example.com'] }),
    owner: OneOf(OWNERS),
    owner_user_id: Nullable(Shown()),
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
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);

export const CredentialPage = Page('CredentialPage', Credential);

export const Verification = Named(
  'Verification',
  Reply({
    result: OneOf(['valid', 'rejected', 'ubi_rejected', 'privilege_missing', 'unreachable']),
    missing_privilege: Nullable(Shown({ description: 'With `privilege_missing`: which.', examples: ['sync_vendor'] })),
    detail: Shown({ description: 'What it means and what to do.' }),
    credential: Credential,
  }),
);
