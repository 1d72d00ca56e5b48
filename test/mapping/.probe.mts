import fc from '/work/main/node_modules/fast-check/lib/fast-check.js';
import { LAWS } from '/work/main/test/mapping/laws.ts';
import * as w from '/work/main/test/mapping/world.ts';
for (const [name,size,n] of [['small',w.SMALL,2000],['middle',w.MIDDLE,50],['large',w.LARGE,3]] as const) {
  const tally = w.createTally(); const times = new Map<string, number>();
  const t0 = process.cpuUsage();
  const r = fc.check(fc.property(w.historyOf(size), h => w.play(w.REAL, h, tally, s => { for (const l of LAWS) { const b=performance.now(); l.check(s); times.set(l.name,(times.get(l.name)??0)+performance.now()-b);} })), {seed: w.readSeed(), numRuns: n});
  const c = process.cpuUsage(t0);
  console.log(name, r.numRuns, (c.user+c.system)/1e6, r.failed && String(fc.defaultReportMessage(r)).slice(0,1500));
  console.log([...times].map(([k,v])=>k+' '+v.toFixed(0)).join(', '));
  console.log({...tally, happenings: tally.happenings.size});
}
