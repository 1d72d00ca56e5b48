// Compiles src, test and tools for the test runner: once for all test files, in under a second, without checking types.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { transform, version } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TESTS = join(ROOT, 'test/');
const TAP_PROXY = join(ROOT, 'test/helpers/tap.ts');
/** Not below `node_modules`, because stack traces omit its frames. */
const CACHE = join(ROOT, '.test-build');
const MAX_AGE_MS = 24 * 3_600_000;
const SOURCES = ['src', 'test', 'tools', 'clients/typescript/src'];
/** `#client` is the compiled client package beside the compiled sources, not the one that was built last. */
const PACKAGE = { type: 'module', imports: { '#client': './clients/typescript/src/index.js' } };
/** Increase it when the esbuild options below or `PACKAGE` change. */
const OPTIONS_VERSION = 2;

/**
 * Returns the folder that holds `src/x.js` for `src/x.ts`, and so on. The folder is named after the content of all
 * sources, so a run never sees the edits of the next one; older folders are deleted.
 *
 * In compiled code `import.meta.url` is the URL of the source file, so paths relative to it stay correct.
 */
export async function compileTests(): Promise<string> {
  const sources = SOURCES.flatMap((folder) => listSources(join(ROOT, folder))).map((path) => ({
    path,
    text: readFileSync(path, 'utf8'),
  }));
  const hash = createHash('sha256').update(`${OPTIONS_VERSION} ${version} ${ROOT}`);
  for (const { path, text } of sources) hash.update(`\0${relative(ROOT, path)}\0${text}`);
  const folder = join(CACHE, hash.digest('hex').slice(0, 16));
  if (existsSync(folder)) {
    const now = new Date();
    utimesSync(folder, now, now);
    return folder;
  }
  deleteOldFolders();
  const unfinished = `${folder}.${process.pid}`;
  await Promise.all(
    sources.map(async ({ path, text }) => {
      const { code, map } = await transform(text, {
        loader: 'ts',
        format: 'esm',
        target: 'node20',
        sourcefile: path,
        sourcemap: 'external',
        sourcesContent: false,
        define: { 'import.meta.url': JSON.stringify(pathToFileURL(path).href) },
      });
      const target = join(unfinished, relative(ROOT, path).replace(/\.ts$/, '.js'));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(
        target,
        `${redirectTap(path, code)}//# sourceMappingURL=${encodeURI(target.replace(/.*\//, ''))}.map\n`,
      );
      writeFileSync(`${target}.map`, map);
    }),
  );
  writeFileSync(join(unfinished, 'package.json'), JSON.stringify(PACKAGE));
  // If another run has compiled the same sources in the meantime, use its folder.
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** Test files and their helpers import `t` from test/helpers/tap.ts, which explains why. */
function redirectTap(path: string, code: string): string {
  const proxy = relative(dirname(path), TAP_PROXY).replace(/\.ts$/, '.js');
  if (path === TAP_PROXY || !path.startsWith(TESTS)) return code;
  return code.replace(/^import t from "tap";$/m, `import t from "${proxy.startsWith('.') ? proxy : `./${proxy}`}";`);
}

/** Keeps recent folders, because another run may still load from them. */
function deleteOldFolders(): void {
  if (!existsSync(CACHE)) return;
  for (const name of readdirSync(CACHE)) {
    const path = join(CACHE, name);
    if (name !== 'node24' && Date.now() - statSync(path).mtimeMs > MAX_AGE_MS)
      rmSync(path, { recursive: true, force: true });
  }
}

function listSources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return listSources(path);
      return /\.ts$/.test(entry.name) && !entry.name.endsWith('.d.ts') ? [path] : [];
    })
    .sort();
}
