import t from 'tap';
import { Random } from '../../src/simulator/random.js';
import { pickCount } from '../helpers/counts.js';
import { readSeed } from '../helpers/seed.js';
import { makeTenant, startTestService, syncTenant, type TestResponse, type TestService } from '../helpers/service.js';

/**
 * A value that cannot be read, in any field of any one row of a list that is otherwise believed, archives nothing, moves
 * nothing, reactivates nothing and changes no license, in both dialects and with both strategies.
 */

const CASES = pickCount({ few: 8, full: 150, long: 1_500 });
const SEED = readSeed();
t.setTimeout(7_200_000);
t.comment(`TEST_SEED=${SEED}, ${CASES} values for each dialect`);

type Kind = 'text' | 'identifier' | 'flag' | 'number';

/** The fields of a row by what they contain. `rest` sends the license number as `LocationLicense`. */
const DIALECTS = {
  api4: {
    state: 'nm',
    location: 'location',
    ubi: 'ubi',
    fields: {
      location: 'identifier',
      ubi: 'identifier',
      name: 'text',
      locationtype: 'text',
      address1: 'text',
      address2: 'text',
      city: 'text',
      state: 'text',
      zip: 'text',
      producer: 'flag',
      processor: 'flag',
      retail: 'flag',
      medical: 'flag',
      deleted: 'flag',
      transactionid: 'number',
      transactionid_original: 'number',
    },
  },
  rest: {
    state: 'fl',
    location: 'LocationLicense',
    ubi: 'UBI',
    fields: {
      LocationLicense: 'identifier',
      UBI: 'identifier',
      Name: 'text',
      Type: 'text',
      Address: 'text',
      Address2: 'text',
      City: 'text',
      State: 'text',
      Zip: 'text',
      Producer: 'flag',
      Processor: 'flag',
      Retail: 'flag',
      Transporter: 'flag',
      Deleted: 'flag',
      TransactionID: 'number',
    },
  },
} as const satisfies Record<
  string,
  { readonly fields: Readonly<Record<string, Kind>>; readonly [key: string]: unknown }
>;

/** JSON that no field can contain. */
const drawAnyUnreadable = (random: Random): string =>
  random.pick([
    '{}',
    `{"value":"${random.digits(3)}"}`,
    '[]',
    `[${random.digits(1)},null]`,
    `-${random.between(1, 99)}`,
    '1.5',
    // Without the exponent, long numbers of identifiers are read digit by digit.
    `9${random.digits(20)}e1`,
    '1e999',
    '"A \\ud83c B"',
    `"\\udc00${random.digits(2)}"`,
    '"NUL \\u0000"',
    `"${'X'.repeat(random.between(2_001, 3_000))}"`,
  ]);

const UNREADABLE: Readonly<Record<Kind, (random: Random) => string>> = {
  text: (random) => random.pick(['true', 'false', drawAnyUnreadable(random)]),
  identifier: (random) => random.pick(['true', 'false', `"${'7'.repeat(201)}"`, drawAnyUnreadable(random)]),
  flag: (random) => random.pick(['2', '-1', '"Y"', '"maybe"', '"true"', '" 1"', drawAnyUnreadable(random)]),
  number: (random) =>
    random.pick(['true', '"31019131-A"', '"-5"', '"1.5"', '"1e3"', `"${'1'.repeat(101)}"`, drawAnyUnreadable(random)]),
};

/** Companies and licenses as a user sees them. */
const readCompanies = async ({ sql }: TestService, tenantId: string): Promise<unknown> =>
  sql(
    `select c.id, c.source_name, c.ubi, c.archived_datetime is not null as archived,
            array(select to_jsonb(l) - '{company_id,content_hash,inserted_datetime,updated_datetime}'::text[]
                    from company_licenses l where (l.tenant_id, l.company_id) = (c.tenant_id, c.id)
                   order by l.license_key) as licenses
       from companies c where c.tenant_id = $1 order by c.id`,
    [tenantId],
  );

for (const [dialect, { state, location: numberField, ubi: ubiField, fields }] of Object.entries(DIALECTS)) {
  t.test(`a value of a row that cannot be read changes no company (${dialect})`, async (t) => {
    const random = Random.of(SEED, dialect);
    const service = await startTestService(t, {
      simulator: { state, licenses: 40, seed: random.below(1_000) },
      states: ({ url }) => ({ NM: { environments: { production: { dialect, url, origin_id: 'test' } } } }),
    });
    const { control } = service.simulator;
    const strategies = ['one_per_license', 'one_per_vendor'] as const;
    const tenants = await Promise.all(strategies.map((strategy) => makeTenant(service, 'credential', strategy)));
    const syncAll = async (): Promise<TestResponse['body'][]> => {
      const runs: TestResponse['body'][] = [];
      for (const tenantId of tenants) runs.push(await syncTenant(service, tenantId, { refresh: 'force' }));
      return runs;
    };
    const readAll = () => Promise.all(tenants.map((tenantId) => readCompanies(service, tenantId)));

    await syncAll();
    const active = () => control.rows().filter(({ deleted }) => !deleted);
    // A deleted license must not become active because of a value that cannot be read.
    const gone = random.shuffle(active().map(({ location }) => location)).slice(0, 2);
    for (const location of gone) control.delete({ location });
    for (const run of await syncAll()) t.match(run.status, /^succeeded/);
    const before = await readAll();

    const drawn = random.shuffle(Object.entries<Kind>(fields));
    const locations = control.rows().map(({ location }) => location);
    for (let number = 0; number < CASES; number += 1) {
      const location = random.pick(random.chance(0.2) ? gone : locations);
      const [field, kind] = drawn[number % drawn.length] as [string, Kind];
      const json = UNREADABLE[kind](random);
      control.setField({ location, field, json, unchanged: random.chance(0.5) });
      const what = `${number}: ${field} of ${location} as ${json.slice(0, 60)}`;
      for (const [index, run] of (await syncAll()).entries()) {
        const { created, archived, moved, reactivated } = run.counts ?? {};
        t.notOk(created || archived || moved || reactivated, `${what}: nothing archived, moved or reactivated`);
        t.not(run.status, 'failed', `${what}: ${strategies[index]} ${run.reason}`);
        if (field === numberField) continue;
        const warned = run.warnings.map(({ code, params }: TestResponse['body']) => `${code} ${params.license_number}`);
        t.ok(warned.includes(`row_partly_read ${location}`), `${what}: the run warns, ${JSON.stringify(run.warnings)}`);
      }
      t.same(await readAll(), before, `${what}: the companies are unchanged`);
      control.clearFields({ location, unchanged: true });
      // The next case starts from a list in which all license numbers are readable.
      if (field === numberField) await syncAll();
    }

    const sold = random.pick(active()).location;
    control.setField({ location: sold, field: ubiField, value: '612345678' });
    await syncAll();
    const owners = await service.sql('select distinct ubi from company_licenses where license_number = $1', [sold]);
    t.same(owners, [{ ubi: '612345678' }], 'another readable UBI is a sale');
    t.notSame(await readAll(), before);
  });
}
