import type { Db } from '../../db/database.js';
import { operation } from '../../http/operation.js';
import { TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import { Setup } from './schema.js';
import { getSetup } from './service.js';

export function useSetup(app: App, { db }: { readonly db: Db }): void {
  app.get(
    '/v1/tenants/:tenant_id/setup',
    {
      schema: operation({
        id: 'getSetup',
        tag: 'Set-up',
        summary: 'The steps as a checklist, and the call to make next',
        params: TenantParams,
        replies: { 200: { description: 'As it is at this moment.', schema: Setup } },
        faults: ['not_found'],
      }),
    },
    async ({ params }) => {
      const { items, nextStep } = await getSetup(db, params.tenant_id);
      return { steps: items.map((item) => ({ ...item, blockers: [...item.blockers] })), next_step: nextStep ?? null };
    },
  );
}
