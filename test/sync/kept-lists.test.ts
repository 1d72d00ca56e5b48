import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { ANSWERS } from '../../src/biotrack/answers.js';
import { type Biotrack, BiotrackError, type BiotrackSession, type VendorList } from '../../src/biotrack/index.js';
import { type Tx, withTenant } from '../../src/db/database.js';
import type { ListedLicense } from '../../src/domain/listed-license.js';
import { Secret } from '../../src/domain/secret.js';
import type { Vendor } from '../../src/domain/vendor.js';
import {
  createDirectoryService,
  type Directory,
  type DirectoryService,
  lockDirectoryShared,
} from '../../src/modules/directory/index.js';
import { pickCount } from '../helpers/counts.js';
import { makeTenant, startTestService, syncTenant } from '../helpers/service.js';
import { createTally, historyOf, MIDDLE, play, REAL, readSeed } from '../mapping/world.js';

const SEED = readSeed();
const TARGET = { state: 'NM', environment: 'production' } as const;

const toList = (vendors: readonly Vendor[]): VendorList => ({
  vendors,
  skips: [],
  fetched: vendors.length,
  transactionSum: null,
});

/** Of a state whose list is whatever it is told to be. */
function openDirectories() {
  let rows: readonly Vendor[] = [];
  const session = {
    fetchVendors: async () => toList(rows.filter(({ isLab }) => !isLab)),
    fetchLabs: async () => toList(rows.filter(({ isLab }) => isLab)),
    async fetchTransporters() {
      // One login may read that list, and another one may not.
      if (rows.length % 3 === 0) throw new BiotrackError(ANSWERS.missingPrivilege);
      return toList(rows.filter((_row, index) => index % 7 === 0));
    },
  } as unknown as BiotrackSession;
  const biotrack = { openSession: async () => session } as unknown as Biotrack;
  const create = (): DirectoryService =>
    createDirectoryService({ biotrack, maxAgeSeconds: 0, guardRemovalPercent: 100 });
  return {
    create,
    tell(told: readonly Vendor[]) {
      rows = told;
    },
  };
}

const inOrder = (licenses: readonly ListedLicense[]): string[] =>
  licenses.map((license) => JSON.stringify(Object.entries(license).sort(([a], [b]) => (a < b ? -1 : 1)))).sort();

const hold = async (tx: Tx): Promise<Directory> =>
  (await lockDirectoryShared(tx, TARGET.state, TARGET.environment)) as Directory;

/** Nobody who has the list in memory asks anything of it. */
const NOBODY = {} as Tx;

t.test(`a list that is kept is the one that Postgres has, whatever was published (seed ${SEED})`, async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 20 } });
  const { db } = service.service;
  const tenantId = await makeTenant(service);
  const state = openDirectories();
  const login = { ubi: 'x', username: 'x', password: new Secret('x') };
  const counts = { kept: 0, read: 0, licenses: 0 };
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
        // Of a list with a row without a number nothing can be concluded, and it is not kept.
        state.tell(isNumbered ? rows.map((row) => ({ ...row, transactionId: row.transactionId ?? '0' })) : rows);
        await directories.ensureFresh(db, {
          target: TARGET,
          login,
          confirmLogin: async () => undefined,
          recordLoginError: async () => undefined,
          includeLabs: labs[index % labs.length] === true,
          force: true,
        });
        await withTenant(db, tenantId, async (tx) => {
          const directory = await hold(tx);
          const published = inOrder(await state.create().listLicenses(tx, directory));
          counts.licenses += published.length;
          const isKept = await directories.listLicenses(NOBODY, directory).then(
            () => true,
            () => false,
          );
          counts[isKept ? 'kept' : 'read'] += 1;
          for (const when of ['at first', 'again'])
            assert.deepStrictEqual(inOrder(await directories.listLicenses(tx, directory)), published, when);
          const rest = directories.listLicenses(NOBODY, directory);
          if (directory.fingerprint === null) await assert.rejects(rest, 'it is not kept');
          else assert.deepStrictEqual(inOrder(await rest), published, 'what was read is kept');
        });
      }
    },
  );
  await fc.assert(property, { seed: SEED, numRuns: pickCount({ few: 6, full: 25, long: 25 }), endOnFailure: true });
  t.comment(`${counts.licenses} licenses; kept since they were published ${counts.kept}, read ${counts.read}`);
  t.ok(counts.kept > 0 && counts.read > 0, 'both ways were gone');
});

t.test('the tenants of a state do not read its list one after the other', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 120 } });
  const [first, second] = [await makeTenant(service), await makeTenant(service)];
  const { counts } = await syncTenant(service, first);
  // What is read now is not what is published: who read it would see.
  await service.sql(`update directory_licenses set name = 'Distorted'`);
  t.same((await syncTenant(service, second)).counts, counts);
  const { body } = await service.ask('GET', `/v1/tenants/${second}/companies?page%5Bsize%5D=500`);
  t.notOk(
    body.data.some(({ name }: { name: string }) => name === 'Distorted'),
    'it was not read',
  );
});

t.test('a database that was set back to another day is read, though its version has the same number', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 60, offersSyncCheck: false } });
  const other = await startTestService(t, { beside: service, role: 'api' });
  const { sql, simulator } = service;
  const [first, next] = [await makeTenant(service), await makeTenant(service)];
  await syncTenant(service, first);
  await sql('create table directories_then as select * from directories');
  await sql('create table licenses_then as select * from directory_licenses');
  const [row] = simulator.control.rows().filter(({ deleted }) => !deleted);
  const location = String(row?.location);
  simulator.control.rename({ location, name: 'TOLD AND FORGOTTEN' });
  await syncTenant(service, first, { refresh: 'force' });
  const getVersion = async (): Promise<unknown> => (await sql('select version from directories'))[0];
  const version = await getVersion();

  await sql('delete from directory_license_owners');
  await sql('delete from directory_licenses');
  await sql('delete from directories');
  await sql('insert into directories overriding system value select * from directories_then');
  await sql('insert into directory_licenses select * from licenses_then');
  await sql(`update directories set refreshed_datetime = now() - interval '1 hour'`);
  simulator.control.rename({ location, name: 'TOLD ANEW' });
  const { status } = await other.ask('GET', `/v1/tenants/${next}/available-licenses`);
  t.equal(status, 200, 'another process has read the list since');
  t.same(await getVersion(), version, 'which has the number of the forgotten one');

  await syncTenant(service, next);
  const { body } = await service.ask('GET', `/v1/tenants/${next}/companies?page%5Bsize%5D=500`);
  const names = body.data.map(({ name }: { name: string }) => name);
  t.ok(names.includes('TOLD ANEW'), 'what is so now');
  t.notOk(names.includes('TOLD AND FORGOTTEN'), 'and not what was read before');
});
