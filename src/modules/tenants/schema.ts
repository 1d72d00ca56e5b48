import { ENVIRONMENTS } from '../../domain/environment.js';
import {
  Body,
  Datetime,
  etagField,
  KnownOf,
  Named,
  OneOf,
  Page,
  Reply,
  ResponseText,
  Text,
  Uuid,
} from '../../http/primitives.js';

const stateCode = { description: 'A state code from `GET /v1/states`.', examples: ['NM'] };

export const TenantBodySchema = Named(
  'TenantInput',
  Body(
    {
      name: Text(200, { description: 'A label. Need not be unique.', examples: ['Example Mesa Farms'] }),
      state: Text(8, stateCode),
      environment: OneOf(ENVIRONMENTS, {
        description: "Whether to use the state's live data or its training data. Cannot change after the first sync.",
      }),
    },
    { examples: [{ name: 'Example Mesa Farms', state: 'NM', environment: 'training' }] },
  ),
);

export const TenantSchema = Named(
  'Tenant',
  Reply({
    id: Uuid(),
    name: ResponseText({ examples: ['Example Mesa Farms'] }),
    state: ResponseText(stateCode),
    environment: KnownOf(ENVIRONMENTS, {
      description: "Whether the tenant uses the state's live data or its training data.",
    }),
    ...etagField,
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);

export const TenantPageSchema = Page('TenantPage', TenantSchema);
