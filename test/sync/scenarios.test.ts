import t, { type Test } from 'tap';
import { makeTenant, startTestService, syncTenant, type TestResponse, type TestService } from '../helpers/service.js';

/** What happens to licenses over days, walked by hand: on real Postgres, from the simulator's list to what a caller reads. */

type Body = TestResponse['body'];
type Strategy = 'one_per_license' | 'one_per_vendor';

const service = await startTestService(t, { simulator: { licenses: 60 } });
const { control } = service.simulator;
let vendors = 0;

/** A tenant, and two vendors of its own that nothing else happens to. */
class Walk {
  readonly tenantId: string;
  readonly #service: TestService;

  constructor(ours: TestService, tenantId: string) {
    this.#service = ours;
    this.tenantId = tenantId;
  }

  static async begin(strategy: Strategy): Promise<Walk> {
    return new Walk(service, await makeTenant(service, 'credential', strategy));
  }

  async sync(): Promise<Body> {
    const run = await syncTenant(this.#service, this.tenantId, { refresh: 'force' });
    if (!/^succeeded/.test(run.status)) throw new Error(`${run.status} ${run.reason} ${run.reason_detail}`);
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

  /** The company that holds a license, also while it is inactive. */
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

/** A vendor with this many licenses, the oldest first. */
function addVendor(sites: number, name = `VENDOR ${vendors}`): { ubi: string; numbers: string[] } {
  vendors += 1;
  const ubi = `77${String(vendors).padStart(7, '0')}`;
  const numbers = Array.from({ length: sites }, (_, index) => `88${String(vendors).padStart(4, '0')}${index}00`);
  for (const [index, location] of numbers.entries()) control.addSite({ ubi, location, name: `${name} #${index}` });
  return { ubi, numbers };
}

async function walkSale(t: Test, strategy: Strategy): Promise<void> {
  const seller = addVendor(2);
  const buyer = addVendor(2);
  const [sold, kept] = seller.numbers as [string, string];
  const walk = await Walk.begin(strategy);
  await walk.sync();
  const [soldBefore, keptBefore, buyersBefore] = await walk.holders(sold, kept, buyer.numbers[0] as string);
  control.sell({ location: sold, toUbi: buyer.ubi });
  const run = await walk.sync();
  t.match(run.counts, { created: 0, moved: strategy === 'one_per_vendor' ? 1 : 0 });
  t.ok((await walk.kinds(sold)).includes('license.transferred'), 'told as a sale');
  const holder = await walk.holder(sold);
  t.equal(holder.ubi, buyer.ubi);
  t.equal(holder.id, strategy === 'one_per_vendor' ? buyersBefore : soldBefore);
  t.strictSame(await walk.holders(kept), [keptBefore], 'the other license stays');

  const there = await walk.holders(...seller.numbers, ...buyer.numbers);
  const other: Strategy = strategy === 'one_per_vendor' ? 'one_per_license' : 'one_per_vendor';
  await walk.switchTo(other);
  const [soldThere, , buyerThere] = await walk.holders(sold, kept, buyer.numbers[0] as string);
  if (other === 'one_per_vendor') t.equal(soldThere, buyerThere, 'grouped with the buyer');
  else t.not(soldThere, buyerThere, 'by itself');
  t.match(await walk.sync(), { counts: { created: 0, updated: 0, archived: 0, moved: 0 } });
  await walk.switchTo(strategy);
  t.strictSame(await walk.holders(...seller.numbers, ...buyer.numbers), there, 'and back to the same ids');
}

t.test('sold under one_per_license, then switched both ways', (t) => walkSale(t, 'one_per_license'));
t.test('sold under one_per_vendor, then switched both ways', (t) => walkSale(t, 'one_per_vendor'));

t.test('the first license of a vendor vanishes and returns while grouped', async (t) => {
  const { numbers } = addVendor(3);
  const [first, second, third] = numbers as [string, string, string];
  const walk = await Walk.begin('one_per_license');
  await walk.sync();
  const [own, ownOfSecond] = await walk.holders(first, second);
  await walk.switchTo('one_per_vendor');
  t.strictSame(await walk.holders(...numbers), [own, own, own], "the oldest license's company stands for the vendor");
  control.vanish({ location: first });
  await walk.sync();
  t.strictSame(await walk.holders(second, third), [own, own], 'it stays so when that license is gone');
  t.match(await walk.company(own as string), { archived: false });
  await walk.switchTo('one_per_license');
  t.match(await walk.company(own as string), { archived: true }, 'alone it has nothing to hold');
  t.strictSame(await walk.holders(second), [ownOfSecond]);
  control.restore({ location: first });
  await walk.sync();
  t.match(await walk.company(own as string), { archived: false }, 'the same company is back');
  await walk.switchTo('one_per_vendor');
  t.strictSame(await walk.holders(...numbers), [own, own, own]);
});

t.test('all licenses of a vendor vanish and return', async (t) => {
  const { numbers } = addVendor(2);
  for (const strategy of ['one_per_license', 'one_per_vendor'] as const) {
    const walk = await Walk.begin(strategy);
    await walk.sync();
    const before = await walk.holders(...numbers);
    for (const location of numbers) control.vanish({ location });
    t.match(await walk.sync(), { counts: { created: 0, archived: new Set(before).size } });
    for (const location of numbers) control.restore({ location });
    t.match(await walk.sync(), { counts: { created: 0, reactivated: new Set(before).size } });
    t.strictSame(await walk.holders(...numbers), before, strategy);
  }
});

t.test('two licenses swap their UBIs, and two their names', async (t) => {
  const left = addVendor(1, 'LEFT');
  const right = addVendor(1, 'RIGHT');
  const [a, b] = [left.numbers[0] as string, right.numbers[0] as string];
  const single = await Walk.begin('one_per_license');
  const grouped = await Walk.begin('one_per_vendor');
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
  t.strictSame(await grouped.holders(a, b), together, 'and back');
});

t.test('a UBI turns blank and back', async (t) => {
  const { ubi, numbers } = addVendor(2);
  const [first, second] = numbers as [string, string];
  const walk = await Walk.begin('one_per_vendor');
  await walk.sync();
  const before = await walk.holders(first, second);
  control.setUbi({ location: first, ubi: null });
  const run = await walk.sync();
  t.match(run, { status: 'succeeded_with_warnings', counts: { moved: 0, archived: 0 } });
  t.ok(
    run.warnings.some(({ license_number }: Body) => license_number === first),
    'warned of',
  );
  t.strictSame(await walk.holders(first, second), before, 'a blank never replaces a known UBI');
  control.setUbi({ location: first, ubi });
  const back = await walk.sync();
  t.notOk(back.warnings.some(({ license_number }: Body) => license_number === first));
  t.strictSame(await walk.holders(first, second), before);
  const owners = async (number: string): Promise<Body[]> => {
    const { id } = await walk.holder(number);
    const { body } = await service.ask('GET', `/v1/tenants/${walk.tenantId}/companies/${id}/history`);
    return body.owners.filter(({ license_number }: Body) => license_number === number);
  };
  t.match(await owners(first), [{ ubi, until_datetime: null }], 'nobody else held it meanwhile');
  t.equal((await owners(first)).length, 1);
  control.setUbi({ location: second, ubi: null });
  await walk.sync();
  const buyer = addVendor(1).ubi;
  control.setUbi({ location: second, ubi: buyer });
  await walk.sync();
  t.match(
    (await owners(second)).map((owner) => [owner.ubi, owner.until_datetime === null]),
    [
      [ubi, false],
      [buyer, true],
    ],
    'sold over a blank is sold once',
  );

  const blank = `99${Date.now() % 10_000_000}`;
  control.addSite({ ubi: null, location: blank, name: 'NOBODY’S' });
  await walk.sync();
  const alone = await walk.holder(blank);
  t.match(alone, { ubi: null, licenses: [{ license_number: blank }] }, 'without a UBI it stands alone');
  control.setUbi({ location: blank, ubi });
  await walk.sync();
  t.equal((await walk.holder(blank)).id, before[0], 'told its vendor, it is with it');
  t.notOk((await walk.kinds(blank)).includes('license.transferred'), 'which is no sale');
  t.match(await walk.company(alone.id), { archived: true, superseded_by: before[0] });
});

t.test('two namesakes appear and leave', async (t) => {
  const name = `NAMESAKE ${vendors}`;
  const site = (ubi: string, location: string, city: string) => control.addSite({ ubi, location, name, city });
  site('661000001', '661000001', 'TAOS');
  const walk = await Walk.begin('one_per_license');
  await walk.sync();
  const first = await walk.holder('661000001');
  t.equal(first.display_name, name);
  site('661000002', '661000002', 'GALLUP');
  await walk.sync();
  t.match(await walk.company(first.id), { name, display_name: `${name} – TAOS` }, 'an untouched company is told apart');
  t.match(await walk.holder('661000002'), { display_name: `${name} – GALLUP` });
  site('661000003', '661000003', 'TAOS');
  await walk.sync();
  t.match(await walk.company(first.id), { display_name: `${name} – 661000001` });
  control.vanish({ location: '661000003' });
  control.vanish({ location: '661000002' });
  await walk.sync();
  t.match(await walk.company(first.id), { display_name: name, archived: false }, 'alone again');
});

t.test('renumbered: another number is another license', async (t) => {
  const { ubi, numbers } = addVendor(1);
  const old = numbers[0] as string;
  for (const strategy of ['one_per_license', 'one_per_vendor'] as const) {
    const number = `${old}${strategy.length}`;
    const walk = await Walk.begin(strategy);
    await walk.sync();
    const before = await walk.holder(old);
    control.vanish({ location: old });
    control.addSite({ ubi, location: number, name: 'RENUMBERED' });
    await walk.sync();
    const after = await walk.holder(number);
    if (strategy === 'one_per_vendor') t.equal(after.id, before.id, 'the vendor keeps its company');
    else t.match(await walk.company(before.id), { archived: true }, 'the old site is archived, with its id');
    control.restore({ location: old });
    control.vanish({ location: number });
  }
});
