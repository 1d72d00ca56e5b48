// Writes the files that are made from others: all of them, or those named. With `--check` it writes nothing, names each
// file that is not as it has to be, and ends with exit code 1 if there is one.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { migrate } from '../src/db/migrate.js';
import { startTestServer, type TestServer } from '../test/helpers/postgres.js';
import { DERIVED_FILES } from './derived/index.js';
import { createSources, ROOT } from './derived/sources.js';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const isCheck = args.includes('--check');
  const names = args.filter((argument) => argument !== '--check');
  const unknown = names.filter((name) => !DERIVED_FILES.some((file) => file.name === name));
  if (unknown.length > 0) {
    say(
      `There is no derived file called ${unknown.join(', ')}. Known: ${DERIVED_FILES.map((f) => f.name).join(', ')}.`,
    );
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
        say(`${path} is current`);
      } else if (isCheck) {
        say(`${path} is stale; run: npm run derive ${name}`);
        process.exitCode = 1;
      } else {
        await mkdir(join(ROOT, dirname(path)), { recursive: true });
        await writeFile(join(ROOT, path), text);
        say(`${path} is written`);
      }
    }
  } finally {
    await server?.stop();
  }
}

await main();
