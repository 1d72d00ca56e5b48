import type { AddressInfo } from 'node:net';
import express from 'express';
import Fastify, { type FastifyInstance } from 'fastify';
import pg from 'pg';
import { DataSource, EntitySchema } from 'typeorm';
import { listNamedSchemas } from '../../src/http/primitives.js';
import { toPageStatement } from '../../src/modules/companies/list-repository.js';
import { toCompanyStatement } from '../../src/modules/companies/repository.js';
import { toCompanyReply } from '../../src/modules/companies/routes.js';
import { CompanyPageSchema, CompanySchema } from '../../src/modules/companies/schema.js';
import { answerParent } from './child.js';

/** The servers that reads are compared with, without authentication, row security, logging and additional headers. */
const POOL_SIZE = 10;

type CompanyRow = Parameters<typeof toCompanyReply>[0];

interface RivalServerOptions {
  readonly databaseUrl: string;
  readonly tenantId: string;
}

/** A bare Fastify with `pg`: the same unnamed query and the same response schema as the service. */
async function startBare({ databaseUrl, tenantId }: RivalServerOptions): Promise<string> {
  // The same query plans as the service: see INDEX_ORDER_SETTING.
  const options = '-c enable_bitmapscan=off';
  const pool = new pg.Pool({ connectionString: databaseUrl, max: POOL_SIZE, options });
  const app: FastifyInstance = Fastify();
  for (const schema of listNamedSchemas()) app.addSchema(schema);
  const query = async ({ text, values }: ReturnType<typeof toCompanyStatement>): Promise<CompanyRow[]> =>
    (await pool.query<CompanyRow>(text, [...values])).rows;
  app.get('/hello', async () => ({ hello: 'world' }));
  app.get<{ Params: { id: string } }>(
    '/companies/:id',
    { schema: { response: { 200: CompanySchema } } },
    async ({ params }, reply) => {
      const [row] = await query(toCompanyStatement(tenantId, params.id, 'active'));
      return row === undefined ? reply.code(404).send() : toCompanyReply(row);
    },
  );
  app.get('/companies', { schema: { response: { 200: CompanyPageSchema } } }, async () => {
    const rows = await query(
      toPageStatement(tenantId, {
        filters: { archived: 'exclude' },
        page: { size: 100, after: undefined },
        shown: 'active',
      }),
    );
    return { data: rows.slice(0, 100).map(toCompanyReply), next_page: null };
  });
  return app.listen({ host: '127.0.0.1', port: 0 });
}

interface CompanyEntity {
  tenant_id: string;
  id: string;
  archived_datetime: Date | null;
  licenses: LicenseEntity[];
}

interface LicenseEntity {
  tenant_id: string;
  id: string;
  company_id: string;
  active: boolean;
  company: CompanyEntity;
}

const text = { type: 'text', nullable: true } as const;
const datetime = { type: 'timestamptz', nullable: true } as const;

const LicenseSchema = new EntitySchema<LicenseEntity>({
  name: 'License',
  tableName: 'company_licenses',
  columns: {
    tenant_id: { type: 'uuid', primary: true },
    id: { type: 'uuid', primary: true },
    company_id: { type: 'uuid' },
    active: { type: 'boolean' },
    ...({
      leaflink_customer_id: text,
      license_number: text,
      name: text,
      license_type: text,
      license_type_raw: text,
      activities: { type: 'text', array: true },
      address_line1: text,
      address_line2: text,
      city: text,
      address_state: text,
      zip: text,
      ubi: text,
      missing_since_datetime: datetime,
    } as object),
  },
  relations: {
    company: {
      type: 'many-to-one',
      target: 'Company',
      inverseSide: 'licenses',
      joinColumn: [
        { name: 'tenant_id', referencedColumnName: 'tenant_id' },
        { name: 'company_id', referencedColumnName: 'id' },
      ],
    },
  },
});

const CompanyEntitySchema = new EntitySchema<CompanyEntity>({
  name: 'Company',
  tableName: 'companies',
  columns: {
    tenant_id: { type: 'uuid', primary: true },
    id: { type: 'uuid', primary: true },
    archived_datetime: datetime,
    ...({
      source_name: text,
      edited_name: text,
      display_name: text,
      legal_business_name: text,
      ubi: text,
      origin: text,
      is_own_company: { type: 'boolean' },
      superseded_by: { type: 'uuid', nullable: true },
      relationship_type: text,
      custom_data: { type: 'jsonb', nullable: true },
      inserted_datetime: datetime,
      updated_datetime: datetime,
    } as object),
  },
  relations: { licenses: { type: 'one-to-many', target: 'License', inverseSide: 'company' } },
});

/** Express with TypeORM, each used as documented: find with relations, take and order; the result is returned as JSON. */
async function startOrm({ databaseUrl, tenantId }: RivalServerOptions): Promise<string> {
  const source = await new DataSource({
    type: 'postgres',
    url: databaseUrl,
    entities: [CompanyEntitySchema, LicenseSchema],
    poolSize: POOL_SIZE,
  }).initialize();
  const companies = source.getRepository(CompanyEntitySchema);
  const app = express();
  app.get('/companies', async (_request, response) => {
    const data = await companies.find({
      where: { tenant_id: tenantId },
      relations: { licenses: true },
      order: { id: 'ASC' },
      take: 100,
    });
    response.json({ data, next_page: null });
  });
  return new Promise((resolve) => {
    const server = app.listen(0, '127.0.0.1', () =>
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    );
  });
}

answerParent({ startBare, startOrm });
