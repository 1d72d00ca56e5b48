import type { BiotrackState } from '../../biotrack/index.js';
import { operation } from '../../http/operation.js';
import type { App } from '../../http/server.js';
import { StateListSchema } from './schema.js';

export function registerStatesRoutes(app: App, states: readonly BiotrackState[]): void {
  const data = states.map(toStateReply);
  app.get(
    '/v1/states',
    {
      schema: operation({
        id: 'listStates',
        tag: 'Tenants',
        summary: 'List states',
        description: 'Returns the BioTrack states that this deployment supports, in one page.',
        replies: { 200: { description: 'All states.', schema: StateListSchema } },
      }),
    },
    async () => ({ data }),
  );
}

function toStateReply(state: BiotrackState) {
  const environments = Object.entries(state.environments);
  return {
    code: state.code,
    name: state.name,
    status: state.status,
    left_date: state.leftOn,
    dialect: environments[0]?.[1].dialect ?? null,
    environments: environments.map(([name]) => name),
    license_types: Object.entries(state.licenseTypes).map(([code, name]) => ({ code, name })),
  };
}
