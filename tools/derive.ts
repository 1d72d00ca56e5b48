// Writes the derived files: all of them, or those named. With `--check`, writes nothing, reports each file that is stale and
// exits with 1 if there is one.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { migrate } from '../src/db/migrate.js';
import { startTestServer, type TestServer } from '../test/helpers/postgres.js';
import { DERIVED_FILES } from './derived/index.js';
import { createSources, ROOT } from './derived/sources.js';

const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const isCheck = args.includes('--check');
  const names = args.filter((argument) => argument !== '--check');
  const unknown = names.filter((name) => !DERIVED_FILES.some((file) => file.name === name));
  if (unknown.length > 0) {
    print(`Unknown derived file: ${unknown.join(', ')}. Known files: ${DERIVED_FILES.map((f) => f.name).join(', ')}.`);
    process.exitCode = 2;
    return;
  }
  let server: TestServer | undefined;
  const sources = createSources(async () => {
    server = await startTestServer();
    await migrate({ url: server.url, folder: new URL('../migrations/', import.meta.url) });
    return server.url;
  });
  try {
    for (const { name, path, render } of DERIVED_FILES) {
      if (names.length > 0 && !names.includes(name)) continue;
      const text = await render(sources);
      const isCurrent = text === (await sources.read(path));
      if (isCurrent) {
        print(`${path} is current`);
      } else if (isCheck) {
        print(`${path} is stale; run: npm run derive ${name}`);
        process.exitCode = 1;
      } else {
        await mkdir(join(ROOT, dirname(path)), { recursive: true });
        await writeFile(join(ROOT, path), text);
        print(`${path} was updated`);
      }
    }
  } finally {
    await server?.stop();
  }
}

await main();
