import t, { type Test } from 'tap';
import { makeTenant, startTestService, syncTenant, type TestResponse, type TestService } from '../helpers/service.js';

/** Sequences of license changes on real Postgres, from the simulator's list to the API. */

type Body = TestResponse['body'];
type Strategy = 'one_per_license' | 'one_per_vendor';

const service = await startTestService(t, { simulator: { licenses: 60 } });
const { control } = service.simulator;
let vendors = 0;

/** A tenant and the requests of a scenario. */
class Scenario {
  readonly tenantId: string;
  readonly #service: TestService;

  constructor(ours: TestService, tenantId: string) {
    this.#service = ours;
    this.tenantId = tenantId;
  }

  static async create(strategy: Strategy): Promise<Scenario> {
    return new Scenario(service, await makeTenant(service, 'credential', strategy));
  }

  async sync(): Promise<Body> {
    const run = await syncTenant(this.#service, this.tenantId, { refresh: 'force' });
    if (!/^succeeded/.test(run.status)) throw new Error(`${run.status} ${run.reason} ${run.reason_message?.text}`);
    return run;
  }

  async switchTo(strategy: Strategy): Promise<Body> {
    const path = `/v1/tenants/${this.tenantId}/company-creation-preference`;
    const { body: preview } = await this.#service.ask('POST', `${path}/preview`, { body: { strategy } });
    const { headers } = await this.#service.ask('GET', path);
    const chosen = await this.#service.ask('PUT', path, {
      body: { strategy, preview_id: preview.id },
      headers: { 'if-match': headers.get('etag') as string },
    });
    if (chosen.status !== 200) throw new Error(JSON.stringify(chosen.body));
    return preview;
  }

  /** The company of a license, active or not. */
  async holder(number: string): Promise<Body> {
    const query = `license_number=${encodeURIComponent(number)}&archived=include&licenses=all`;
    const { body } = await this.#service.ask('GET', `/v1/tenants/${this.tenantId}/companies?${query}`);
    return body.data[0];
  }

  async holders(...numbers: string[]): Promise<string[]> {
    return Promise.all(numbers.map(async (number) => (await this.holder(number)).id));
  }

  async company(id: string): Promise<Body> {
    return (await this.#service.ask('GET', `/v1/tenants/${this.tenantId}/companies/${id}`)).body;
  }

  async kinds(number: string): Promise<string[]> {
    const rows = await this.#service.sql<{ kind: string }>(
      `select kind from changes join company_licenses using (tenant_id)
        where company_licenses.id = changes.license_id and tenant_id = $1 and license_number = $2 order by seq`,
      [this.tenantId, number],
    );
    return rows.map(({ kind }) => kind);
  }
}

/** Adds a vendor with this many licenses, oldest first. */
function addVendor(sites: number, name = `VENDOR ${vendors}`): { ubi: string; numbers: string[] } {
  vendors += 1;
  const ubi = `77${String(vendors).padStart(7, '0')}`;
  const numbers = Array.from({ length: sites }, (_, index) => `88${String(vendors).padStart(4, '0')}${index}00`);
  for (const [index, location] of numbers.entries()) control.addSite({ ubi, location, name: `${name} #${index}` });
  return { ubi, numbers };
}

async function checkSale(t: Test, strategy: Strategy): Promise<void> {
  const seller = addVendor(2);
  const buyer = addVendor(2);
  const [sold, kept] = seller.numbers as [string, string];
  const scenario = await Scenario.create(strategy);
  await scenario.sync();
  const [soldBefore, keptBefore, buyersBefore] = await scenario.holders(sold, kept, buyer.numbers[0] as string);
  control.sell({ location: sold, toUbi: buyer.ubi });
  const run = await scenario.sync();
  t.match(run.counts, { created: 0, moved: strategy === 'one_per_vendor' ? 1 : 0 });
  t.ok((await scenario.kinds(sold)).includes('license.transferred'), 'reported as a sale');
  const holder = await scenario.holder(sold);
  t.equal(holder.ubi, buyer.ubi);
  t.equal(holder.id, strategy === 'one_per_vendor' ? buyersBefore : soldBefore);
  t.strictSame(await scenario.holders(kept), [keptBefore], 'the other license keeps its company');

  const there = await scenario.holders(...seller.numbers, ...buyer.numbers);
  const other: Strategy = strategy === 'one_per_vendor' ? 'one_per_license' : 'one_per_vendor';
  await scenario.switchTo(other);
  const [soldThere, , buyerThere] = await scenario.holders(sold, kept, buyer.numbers[0] as string);
  if (other === 'one_per_vendor') t.equal(soldThere, buyerThere, 'grouped with the buyer');
  else t.not(soldThere, buyerThere, 'in its own company');
  t.match(await scenario.sync(), { counts: { created: 0, updated: 0, archived: 0, moved: 0 } });
  await scenario.switchTo(strategy);
  t.strictSame(await scenario.holders(...seller.numbers, ...buyer.numbers), there, 'switching back restores the ids');
}

t.test('a sale with one_per_license, then switches in both directions', (t) => checkSale(t, 'one_per_license'));
t.test('a sale with one_per_vendor, then switches in both directions', (t) => checkSale(t, 'one_per_vendor'));

t.test('the first license of a vendor becomes missing and returns while grouped', async (t) => {
  const { numbers } = addVendor(3);
  const [first, second, third] = numbers as [string, string, string];
  const scenario = await Scenario.create('one_per_license');
  await scenario.sync();
  const [own, ownOfSecond] = await scenario.holders(first, second);
  await scenario.switchTo('one_per_vendor');
  t.strictSame(
    await scenario.holders(...numbers),
    [own, own, own],
    "the oldest license's company stands for the vendor",
  );
  control.vanish({ location: first });
  await scenario.sync();
  t.strictSame(await scenario.holders(second, third), [own, own], 'unchanged while the first license is missing');
  t.match(await scenario.company(own as string), { archived: false });
  await scenario.switchTo('one_per_license');
  t.match(await scenario.company(own as string), { archived: true }, 'archived without an active license');
  t.strictSame(await scenario.holders(second), [ownOfSecond]);
  control.restore({ location: first });
  await scenario.sync();
  t.match(await scenario.company(own as string), { archived: false }, 'the same company is reactivated');
  await scenario.switchTo('one_per_vendor');
  t.strictSame(await scenario.holders(...numbers), [own, own, own]);
});

t.test('all licenses of a vendor become missing and return', async (t) => {
  const { numbers } = addVendor(2);
  for (const strategy of ['one_per_license', 'one_per_vendor'] as const) {
    const scenario = await Scenario.create(strategy);
    await scenario.sync();
    const before = await scenario.holders(...numbers);
    for (const location of numbers) control.vanish({ location });
    t.match(await scenario.sync(), { counts: { created: 0, archived: new Set(before).size } });
    for (const location of numbers) control.restore({ location });
    t.match(await scenario.sync(), { counts: { created: 0, reactivated: new Set(before).size } });
    t.strictSame(await scenario.holders(...numbers), before, strategy);
  }
});

t.test('two licenses swap their UBIs, and two swap their names', async (t) => {
  const left = addVendor(1, 'LEFT');
  const right = addVendor(1, 'RIGHT');
  const [a, b] = [left.numbers[0] as string, right.numbers[0] as string];
  const single = await Scenario.create('one_per_license');
  const grouped = await Scenario.create('one_per_vendor');
  await single.sync();
  await grouped.sync();
  const [alone, together] = [await single.holders(a, b), await grouped.holders(a, b)];
  control.swapUbis({ a, b });
  await single.sync();
  await grouped.sync();
  t.strictSame(await single.holders(a, b), alone, 'one_per_license: each company is its site');
  t.equal((await single.holder(a)).ubi, right.ubi);
  t.strictSame(await grouped.holders(a, b), together.toReversed(), 'one_per_vendor: each company is its vendor');
  control.swapNames({ a, b });
  await single.sync();
  await grouped.sync();
  t.strictSame(await single.holders(a, b), alone);
  t.match(await single.holder(a), { name: 'RIGHT #0', display_name: 'RIGHT #0' });
  control.swapUbis({ a, b });
  await grouped.sync();
  t.strictSame(await grouped.holders(a, b), together, 'swapping back restores the companies');
});

t.test('a UBI becomes blank and returns', async (t) => {
  const { ubi, numbers } = addVendor(2);
  const [first, second] = numbers as [string, string];
  const scenario = await Scenario.create('one_per_vendor');
  await scenario.sync();
  const before = await scenario.holders(first, second);
  control.setUbi({ location: first, ubi: null });
  const run = await scenario.sync();
  t.match(run, { status: 'succeeded_with_warnings', counts: { moved: 0, archived: 0 } });
  t.ok(
    run.warnings.some(({ params }: Body) => params.license_number === first),
    'with a warning',
  );
  t.strictSame(await scenario.holders(first, second), before, 'a blank never replaces a known UBI');
  control.setUbi({ location: first, ubi });
  const back = await scenario.sync();
  t.notOk(back.warnings.some(({ params }: Body) => params.license_number === first));
  t.strictSame(await scenario.holders(first, second), before);
  const owners = async (number: string): Promise<Body[]> => {
    const { id } = await scenario.holder(number);
    const { body } = await service.ask('GET', `/v1/tenants/${scenario.tenantId}/companies/${id}/history`);
    return body.owners.filter(({ license_number }: Body) => license_number === number);
  };
  t.match(await owners(first), [{ ubi, until_datetime: null }], 'the owner is unchanged');
  t.equal((await owners(first)).length, 1);
  control.setUbi({ location: second, ubi: null });
  await scenario.sync();
  const buyer = addVendor(1).ubi;
  control.setUbi({ location: second, ubi: buyer });
  await scenario.sync();
  t.match(
    (await owners(second)).map((owner) => [owner.ubi, owner.until_datetime === null]),
    [
      [ubi, false],
      [buyer, true],
    ],
    'a sale after a blank UBI is reported once',
  );

  const blank = `99${Date.now() % 10_000_000}`;
  control.addSite({ ubi: null, location: blank, name: 'NOBODY’S' });
  await scenario.sync();
  const alone = await scenario.holder(blank);
  t.match(alone, { ubi: null, licenses: [{ license_number: blank }] }, 'without a UBI it has its own company');
  control.setUbi({ location: blank, ubi });
  await scenario.sync();
  t.equal((await scenario.holder(blank)).id, before[0], 'with a UBI it joins its vendor');
  t.notOk((await scenario.kinds(blank)).includes('license.transferred'), 'not reported as a sale');
  t.match(await scenario.company(alone.id), { archived: true, superseded_by: before[0] });
});

t.test('companies with the same name appear and disappear', async (t) => {
  const name = `NAMESAKE ${vendors}`;
  const site = (ubi: string, location: string, city: string) => control.addSite({ ubi, location, name, city });
  site('661000001', '661000001', 'TAOS');
  const scenario = await Scenario.create('one_per_license');
  await scenario.sync();
  const first = await scenario.holder('661000001');
  t.equal(first.display_name, name);
  site('661000002', '661000002', 'GALLUP');
  await scenario.sync();
  t.match(
    await scenario.company(first.id),
    { name, display_name: `${name} – TAOS` },
    'the unchanged company gets another display name',
  );
  t.match(await scenario.holder('661000002'), { display_name: `${name} – GALLUP` });
  site('661000003', '661000003', 'TAOS');
  await scenario.sync();
  t.match(await scenario.company(first.id), { display_name: `${name} – 661000001` });
  control.vanish({ location: '661000003' });
  control.vanish({ location: '661000002' });
  await scenario.sync();
  t.match(await scenario.company(first.id), { display_name: name, archived: false }, 'unique again');
});

t.test('another license number is another license', async (t) => {
  const { ubi, numbers } = addVendor(1);
  const old = numbers[0] as string;
  for (const strategy of ['one_per_license', 'one_per_vendor'] as const) {
    const number = `${old}${strategy.length}`;
    const scenario = await Scenario.create(strategy);
    await scenario.sync();
    const before = await scenario.holder(old);
    control.vanish({ location: old });
    control.addSite({ ubi, location: number, name: 'RENUMBERED' });
    await scenario.sync();
    const after = await scenario.holder(number);
    if (strategy === 'one_per_vendor') t.equal(after.id, before.id, 'the vendor keeps its company');
    else t.match(await scenario.company(before.id), { archived: true }, 'the old company is archived');
    control.restore({ location: old });
    control.vanish({ location: number });
  }
});
