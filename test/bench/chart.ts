import * as echarts from 'echarts';
import type { Key } from './catalog.js';
import type { Result } from './report.js';

const OVER_LICENSES: readonly Key[] = [
  'first_sync_vs_copy',
  'next_tenant_vs_copy',
  'switch_vs_copy',
  'refresh_shuffled_vs_copy',
  'delta_sync_vs_copy',
  'nothing_new_vs_copy',
];

/** The figures of growth, with the number of tenants that each one is of. */
const OVER_TENANTS: readonly (readonly [key: Key, tenants: number])[] = [
  ['next_10_tenants_vs_copy', 10],
  ['next_100_tenants_vs_copy', 100],
  ['next_500_tenants_vs_copy', 500],
];

const STRATEGY = 'one_per_vendor';

/** Draws the cost of syncs over licenses and over tenants, as ratios to a bare COPY, both on logarithmic scales. */
export function renderChart(results: readonly Result[]): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 960, height: 420 });
  const axis = { type: 'log', nameLocation: 'middle', nameGap: 28 } as const;
  const valueAxis = { type: 'log', name: '÷ the time of a bare COPY', nameLocation: 'middle', nameGap: 44 } as const;
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    legend: { bottom: 0 },
    grid: [
      { left: 70, right: '52%', top: 40, bottom: 90 },
      { left: '58%', right: 30, top: 40, bottom: 90 },
    ],
    xAxis: [
      { ...axis, name: `licenses of a tenant (${STRATEGY})`, gridIndex: 0 },
      { ...axis, name: 'tenants of one state, 2,000 licenses each', gridIndex: 1 },
    ],
    yAxis: [
      { ...valueAxis, gridIndex: 0 },
      { ...valueAxis, gridIndex: 1 },
    ],
    series: [
      ...OVER_LICENSES.map((key) => ({
        name: key.replace('_vs_copy', ''),
        type: 'line' as const,
        data: results
          .filter((result) => result.key === key && result.strategy === STRATEGY)
          .map(({ licenses, median }) => [licenses, median]),
      })),
      {
        name: 'first syncs requested at once, each',
        type: 'line' as const,
        xAxisIndex: 1,
        yAxisIndex: 1,
        data: OVER_TENANTS.flatMap(([key, tenants]) =>
          results.filter((result) => result.key === key).map(({ median }) => [tenants, median]),
        ),
      },
    ],
  });
  const title = '<title>Cost of syncs over licenses and over tenants, as ratios to a bare COPY</title>';
  const svg = chart.renderToSVGString().replace(/<svg[^>]*>/, `$&${title}`);
  chart.dispose();
  return `${svg}\n`;
}
