import Type from 'typebox';
import {
  Body,
  Datetime,
  Named,
  Nullable,
  OneOf,
  Page,
  Reply,
  ResponseText,
  Text,
  Uuid,
} from '../../http/primitives.js';

const KEY_ROLES = ['operator', 'admin'] as const;
const roleNote = { description: '`operator`: access to all tenants. `admin`: access to one tenant.' };

export const ApiKeyBodySchema = Body(
  {
    description: Text(120, { description: 'What the key is for.', examples: ['onboarding script'] }),
    role: OneOf(KEY_ROLES, roleNote),
    tenant_id: Type.Optional(Uuid({ description: 'Required for `admin`; not allowed for `operator`.' })),
  },
  { examples: [{ description: 'onboarding script', role: 'operator' }] },
);

const fields = {
  id: Uuid(),
  description: ResponseText({ examples: ['onboarding script'] }),
  role: OneOf(KEY_ROLES, roleNote),
  tenant_id: Nullable(Uuid({ description: 'Null for `operator`.' })),
  inserted_datetime: Datetime(),
};

export const ApiKeySchema = Named('ApiKey', Reply(fields));

export const NewApiKeySchema = Named(
  'NewApiKey',
  Reply({
    ...fields,
    secret: ResponseText({ description: 'The bearer token. Store it now: it cannot be read again.' }),
  }),
);

export const ApiKeyPageSchema = Page('ApiKeyPage', ApiKeySchema);

export const ApiKeyParamsSchema = Body({ id: Uuid({ description: 'The API key.' }) });
