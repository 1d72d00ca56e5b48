// Builds the example page into the folder that is the argument: copies its HTML and CSS, and bundles its script with the client
// package. Without esbuild, for example in a production install, prints that and builds nothing.
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const page = join(root, 'examples/settings-page');

const folder = process.argv[2];
const esbuild = await findEsbuild();
if (esbuild === undefined) process.stderr.write('esbuild is not installed, so the example page is not built.\n');
else await bundle(esbuild);

async function findEsbuild() {
  try {
    const found = await import('esbuild');
    // The package can be installed without its program.
    await found.transform('');
    return found;
  } catch {
    return undefined;
  }
}

async function bundle({ build }) {
  mkdirSync(folder, { recursive: true });
  for (const name of ['index.html', 'style.css']) copyFileSync(join(page, name), join(folder, name));
  await build({
    entryPoints: [join(page, 'settings-page.ts')],
    outfile: join(folder, 'settings-page.js'),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    alias: { '@biotrack-connect/client': join(root, 'clients/typescript/src/index.ts') },
    logLevel: 'warning',
  });
}
