import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { ANSWERS } from '../../src/biotrack/answers.js';
import { BiotrackError, type BiotrackSession, type VendorList } from '../../src/biotrack/index.js';
import { type Tx, withTenant } from '../../src/db/database.js';
import type { ListedLicense } from '../../src/domain/listed-license.js';
import type { Vendor } from '../../src/domain/vendor.js';
import {
  createDirectoryService,
  type Directory,
  type DirectoryService,
  findDirectory,
} from '../../src/modules/directory/index.js';
import { pickCount } from '../helpers/counts.js';
import { makeTenant, startTestService, syncTenant } from '../helpers/service.js';
import { createTally, historyOf, MIDDLE, play, REAL, readSeed } from '../mapping/world.js';

const SEED = readSeed();
const TARGET = { state: 'NM', environment: 'production' } as const;

const toList = (vendors: readonly Vendor[]): VendorList => ({
  vendors,
  partlyRead: [],
  skips: [],
  skippedDigests: [],
  fetched: vendors.length,
  transactionSum: null,
});

/** Directory services of a state whose list the test sets. */
function createState() {
  let rows: readonly Vendor[] = [];
  const session = {
    fetchVendors: async () => toList(rows.filter(({ isLab }) => !isLab)),
    fetchLabs: async () => toList(rows.filter(({ isLab }) => isLab)),
    async fetchTransporters() {
      // Some logins cannot read this list.
      if (rows.length % 3 === 0) throw new BiotrackError(ANSWERS.missingPrivilege);
      return toList(rows.filter((_row, index) => index % 7 === 0));
    },
  } as unknown as BiotrackSession;
  const create = (): DirectoryService => createDirectoryService({ maxAgeSeconds: 0, guardRemovalPercent: 100 });
  return {
    create,
    openSession: async () => session,
    setRows(next: readonly Vendor[]) {
      rows = next;
    },
  };
}

const toSortedJson = (licenses: readonly ListedLicense[]): string[] =>
  licenses.map((license) => JSON.stringify(Object.entries(license).sort(([a], [b]) => (a < b ? -1 : 1)))).sort();

const lock = async (tx: Tx): Promise<Directory> =>
  (await findDirectory(tx, TARGET.state, TARGET.environment)) as Directory;

/** Fails every query: a cached list must not read from the database. */
const NO_DATABASE = {} as Tx;

t.test(`a cached list always equals the published one (seed ${SEED})`, async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 20 } });
  const { db } = service.service;
  const tenantId = await makeTenant(service);
  const state = createState();
  const counts = { cached: 0, read: 0, licenses: 0 };
  const property = fc.asyncProperty(
    historyOf(MIDDLE),
    fc.array(fc.boolean(), { minLength: 8 }),
    fc.boolean(),
    async (history, labs, isNumbered) => {
      await service.sql('delete from directory_license_owners');
      await service.sql('delete from directory_licenses');
      await service.sql('delete from directories');
      const lists: (readonly Vendor[])[] = [];
      play(REAL, history, createTally(), ({ rows }) => lists.push([...rows]));
      const directories = state.create();
      for (const [index, rows] of lists.entries()) {
        // A list with a row without a transaction number has no fingerprint and is not cached.
        state.setRows(isNumbered ? rows.map((row) => ({ ...row, transactionId: row.transactionId ?? '0' })) : rows);
        await directories.ensureFresh(db, {
          target: TARGET,
          openSession: state.openSession,
          includeLabs: labs[index % labs.length] === true,
          force: true,
        });
        await withTenant(db, tenantId, async (tx) => {
          const directory = await lock(tx);
          const published = toSortedJson(await state.create().listLicenses(tx, directory));
          counts.licenses += published.length;
          const isCached = await directories.listLicenses(NO_DATABASE, directory).then(
            () => true,
            () => false,
          );
          counts[isCached ? 'cached' : 'read'] += 1;
          for (const when of ['first', 'second'])
            assert.deepStrictEqual(toSortedJson(await directories.listLicenses(tx, directory)), published, when);
          const rest = directories.listLicenses(NO_DATABASE, directory);
          if (directory.fingerprint === null) await assert.rejects(rest, 'not cached');
          else assert.deepStrictEqual(toSortedJson(await rest), published, 'cached after reading');
        });
      }
    },
  );
  await fc.assert(property, { seed: SEED, numRuns: pickCount({ few: 6, full: 25, long: 25 }), endOnFailure: true });
  t.comment(`${counts.licenses} licenses; ${counts.cached} lists cached when published, ${counts.read} read`);
  t.ok(counts.cached > 0 && counts.read > 0, 'both cases occurred');
});

t.test('tenants of the same state share the cached list', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 120 } });
  const [first, second] = [await makeTenant(service), await makeTenant(service)];
  const { counts } = await syncTenant(service, first);
  // Distort the table, so that a sync that reads it produces other companies.
  await service.sql(`update directory_licenses set name = 'Distorted'`);
  t.same((await syncTenant(service, second)).counts, counts);
  const { body } = await service.ask('GET', `/v1/tenants/${second}/companies?page%5Bsize%5D=500`);
  t.notOk(
    body.data.some(({ name }: { name: string }) => name === 'Distorted'),
    'the table was not read',
  );
});

t.test('a list from before a database restore is not reused, even with the same version number', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 60, offersSyncCheck: false } });
  const other = await startTestService(t, { beside: service, role: 'api' });
  const { sql, simulator } = service;
  const [first, next] = [await makeTenant(service), await makeTenant(service)];
  await syncTenant(service, first);
  await sql('create table saved_directories as select * from directories');
  await sql('create table saved_licenses as select * from directory_licenses');
  const [row] = simulator.control.rows().filter(({ deleted }) => !deleted);
  const location = String(row?.location);
  simulator.control.rename({ location, name: 'BEFORE RESTORE' });
  await syncTenant(service, first, { refresh: 'force' });
  const getVersion = async (): Promise<unknown> => (await sql('select version from directories'))[0];
  const version = await getVersion();

  await sql('delete from directory_license_owners');
  await sql('delete from directory_licenses');
  await sql('delete from directories');
  await sql('insert into directories overriding system value select * from saved_directories');
  await sql('insert into directory_licenses select * from saved_licenses');
  await sql(`update directories set refreshed_datetime = now() - interval '1 hour'`);
  simulator.control.rename({ location, name: 'AFTER RESTORE' });
  const { status } = await other.ask('GET', `/v1/tenants/${next}/available-licenses`);
  t.equal(status, 200, 'another process published a list after the restore');
  t.same(await getVersion(), version, 'it has the same version number');

  await syncTenant(service, next);
  const { body } = await service.ask('GET', `/v1/tenants/${next}/companies?page%5Bsize%5D=500`);
  const names = body.data.map(({ name }: { name: string }) => name);
  t.ok(names.includes('AFTER RESTORE'), 'contains the new name');
  t.notOk(names.includes('BEFORE RESTORE'), 'and not the cached one');
});
