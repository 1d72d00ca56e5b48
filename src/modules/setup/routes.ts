import type { Db } from '../../db/database.js';
import { principalOf } from '../../http/auth.js';
import { operation } from '../../http/operation.js';
import { TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { SetupItem } from './checklist.js';
import { SetupSchema } from './schema.js';
import { getSetup, type Setup, type SetupPorts } from './service.js';

export function registerSetupRoutes(app: App, { db, ...ports }: SetupPorts & { readonly db: Db }): void {
  app.get(
    '/v1/tenants/:tenant_id/setup',
    {
      schema: operation({
        id: 'getSetup',
        tag: 'Setup',
        summary: 'Get the setup checklist',
        description:
          'Returns every setup step with its blockers and warnings, who must act, and the next call to make. For users, the step `credentials` includes their own.',
        params: TenantParams,
        replies: { 200: { description: 'The current checklist.', schema: SetupSchema } },
        errors: ['not_found'],
      }),
    },
    async (request) => toSetupReply(await getSetup(db, ports, request.params.tenant_id, principalOf(request))),
  );
}

export const toSetupReply = ({ items, nextStep }: Setup) => ({
  steps: items.map(toItemReply),
  next_step: nextStep ?? null,
});

const toItemReply = ({ step, status, blockers, warnings, who }: SetupItem) => ({
  step,
  status,
  blockers: [...blockers],
  warnings: [...warnings],
  who,
});
