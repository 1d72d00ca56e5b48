import type { TestResponse, TestService } from './service.js';

type Body = TestResponse['body'];

/** The path of a tenant. */
export const pathOf = (tenantId: string): string => `/v1/tenants/${tenantId}`;

/** The requests that tests of one tenant repeat: reading every page, previewing and switching, editing with `If-Match`. */
export function createTenantClient({ ask }: Pick<TestService, 'ask'>) {
  async function readAll(path: string): Promise<Body[]> {
    const all: Body[] = [];
    for (let next: string | null = path; next !== null; ) {
      const { status, body } = await ask('GET', next);
      if (status !== 200) throw new Error(`${next} → ${status} ${JSON.stringify(body)}`);
      all.push(...body.data);
      next = body.next_page;
    }
    return all;
  }

  const readCompanies = (tenantId: string, query = ''): Promise<Body[]> =>
    readAll(`${pathOf(tenantId)}/companies?page[size]=500${query}`);

  async function holderOf(tenantId: string, number: string, query = ''): Promise<Body> {
    const [company] = await readCompanies(tenantId, `&license_number=${encodeURIComponent(number)}${query}`);
    return company;
  }

  async function preference(tenantId: string): Promise<{ etag: string; body: Body }> {
    const answer = await ask('GET', `${pathOf(tenantId)}/company-creation-preference`);
    return { etag: answer.headers.get('etag') as string, body: answer.body };
  }

  const preview = (tenantId: string, body: object): Promise<TestResponse> =>
    ask('POST', `${pathOf(tenantId)}/company-creation-preference/preview`, { body });

  async function choose(tenantId: string, body: object): Promise<TestResponse> {
    const { etag } = await preference(tenantId);
    return ask('PUT', `${pathOf(tenantId)}/company-creation-preference`, { body, headers: { 'if-match': etag } });
  }

  async function switchTo(tenantId: string, strategy: string): Promise<Body> {
    const { body: run } = await preview(tenantId, { strategy });
    const chosen = await choose(tenantId, { strategy, preview_id: run.id });
    if (chosen.status !== 200) throw new Error(JSON.stringify(chosen.body));
    return run;
  }

  const edit = async (tenantId: string, id: string, body: object): Promise<TestResponse> => {
    const { headers } = await ask('GET', `${pathOf(tenantId)}/companies/${id}`);
    return ask('PATCH', `${pathOf(tenantId)}/companies/${id}`, {
      body,
      headers: { 'if-match': headers.get('etag') as string },
    });
  };

  return { readAll, readCompanies, holderOf, preference, preview, choose, switchTo, edit };
}
