import { posix } from 'node:path';
import { type Files, isDocument, isGenerated } from './files.js';
import type { Finding } from './finding.js';
import { parseMarkdown } from './markdown.js';

/** What a document may name without its being in the repository: made by a command, or by an operator. */
const MADE_LATER = /^(\.data|secrets|dist|node_modules)(\/|$)/;
const HAS_EXTENSION = /\.(ts|mjs|cjs|json|md|sql|ya?ml)$/;
const IS_PATH = /^[\w.@-]+(\/[\w.@-]+)*\/?$/;

/** The changelog is about the past, and the benchmark's notes name settings of other programs. */
const IS_EXEMPT = /^(CHANGELOG|docs\/performance)\.md$/;
/** `NNNN-noun.sql`, `ACFB0000681`: a form or a sample, not a name. */
const IS_SAMPLE = /^NNNN-|^[A-Z]+\d+$/;

/**
 * Names in documents that nothing in the repository has: files, links, identifiers, operations, npm scripts. Only what
 * stands in `code` or in a link counts.
 */
export function findBrokenReferences(files: Files): Finding[] {
  const known = collectKnown(files);
  return [...files].flatMap(([file, text]) =>
    isDocument(file) && !IS_EXEMPT.test(file) ? checkDocument(file, text, known) : [],
  );
}

interface Known {
  readonly files: Files;
  readonly folders: ReadonlySet<string>;
  readonly fileNames: ReadonlySet<string>;
  /** All words of code and strings, without comments. */
  readonly words: ReadonlySet<string>;
  /** The code itself, for what is no single word. */
  readonly code: string;
  /** `GET /v1/tenants/{}`. */
  readonly operations: readonly string[];
  readonly scripts: ReadonlySet<string>;
}

function collectKnown(files: Files): Known {
  const paths = [...files.keys()];
  const folders = new Set(paths.flatMap(listParents));
  const code = [...files]
    .filter(([path]) => !isDocument(path) && !path.endsWith('.test.ts') && !isGenerated(path))
    .map(([path, text]) => withoutComments(path, text))
    .join('\n');
  const { paths: operationPaths = {} } = parseJson(files.get('openapi/v1.json'));
  const { scripts = {} } = parseJson(files.get('package.json'));
  return {
    files,
    folders,
    fileNames: new Set(paths.map((path) => posix.basename(path))),
    words: new Set(code.match(/[A-Za-z_]\w*/g)),
    code,
    operations: Object.entries(operationPaths).flatMap(([path, methods]) =>
      Object.keys(methods as object).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '{}')}`),
    ),
    scripts: new Set(Object.keys(scripts)),
  };
}

const parseJson = (text = '{}'): Readonly<Record<string, object>> => JSON.parse(text);

function listParents(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function withoutComments(path: string, text: string): string {
  if (path.endsWith('.sql')) return text.replaceAll(/--.*$/gm, '');
  return /\.(ts|mjs|cjs)$/.test(path) ? text.replaceAll(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, '') : text;
}

function checkDocument(file: string, text: string, known: Known): Finding[] {
  const { blocks, prose } = parseMarkdown(text);
  const findings: Finding[] = [];
  const report = (line: number, problem: string): void => {
    findings.push({ file, line, problem, fix: 'name what is there now, or leave it out' });
  };
  for (const { text: line, line: number } of prose) {
    for (const [, span = ''] of line.matchAll(/`([^`]+)`/g)) {
      const problem = checkSpan(span, file, known);
      if (problem !== undefined) report(number, problem);
    }
    for (const [, target = ''] of line.matchAll(/\]\(([^)\s]+)\)/g)) {
      const problem = checkLink(target, file, known);
      if (problem !== undefined) report(number, problem);
    }
  }
  for (const { language, text: block, line } of blocks) {
    if (!['', 'text', 'mermaid'].includes(language)) continue;
    for (const [index, each] of block.split('\n').entries()) {
      for (const [path] of each.matchAll(/[\w-]+(\/[\w.-]+)+/g)) {
        const isOurs = known.folders.has(`src/${path.split('/')[0]}`);
        if (isOurs && !isPresent(path, file, known)) report(line + index, `there is no ${path}`);
      }
    }
  }
  return findings;
}

function checkLink(target: string, file: string, { files, folders }: Known): string | undefined {
  if (/^[a-z]+:/.test(target)) return undefined;
  const [path = '', anchor] = target.split('#');
  const resolved = path === '' ? file : posix.join(posix.dirname(file), path).replace(/\/$/, '');
  const text = files.get(resolved);
  if (text === undefined) return folders.has(resolved) ? undefined : `the link leads nowhere: ${target}`;
  if (anchor === undefined || listAnchors(text).includes(anchor)) return undefined;
  return `${resolved} has no heading for #${anchor}`;
}

/** Headings as GitHub links to them. */
const listAnchors = (text: string): string[] =>
  parseMarkdown(text).prose.flatMap(({ text: line }) => {
    const heading = /^#+ (.*)$/.exec(line)?.[1];
    if (heading === undefined) return [];
    return heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .trim()
      .replaceAll(/\s/g, '-');
  });

function checkSpan(span: string, file: string, known: Known): string | undefined {
  const script = /^npm (?:run )?(?:--silent )?([\w:-]+)/.exec(span)?.[1];
  if (script !== undefined && span.startsWith('npm run ') && !known.scripts.has(script))
    return `package.json has no script "${script}"`;
  const call = /^(GET|PUT|POST|PATCH|DELETE) (\S+)$/.exec(span);
  if (call !== null) return checkOperation(call[1] as string, call[2] as string, known);
  if (/[\s<>*]/.test(span) || IS_SAMPLE.test(span)) return undefined;
  // As an argument of `npm test`.
  if (known.fileNames.has(`${span}.test.ts`)) return undefined;
  if (/^[/…]/.test(span)) {
    const isKnown = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE'].some(
      (method) => checkOperation(method, span, known) === undefined,
    );
    return isKnown || isInCode(span, known) ? undefined : `there is no path ${span}`;
  }
  if (/^[A-Za-z_]\w*(\(\))?$/.test(span))
    return isWord(span.replace('()', ''), known) ? undefined : `nothing in the code is called ${span}`;
  if (IS_PATH.test(span) && (span.includes('/') || HAS_EXTENSION.test(span))) {
    if (MADE_LATER.test(span) || isPresent(span, file, known) || known.code.includes(span)) return undefined;
    return `there is no file or folder ${span}`;
  }
  if (/^[A-Za-z][\w.-]*$/.test(span) && !known.code.toLowerCase().includes(span.toLowerCase()))
    return `nothing in the code is called ${span}`;
  return undefined;
}

/** Headers such as `Location` are written in lower case in the code. */
const isWord = (word: string, { words }: Known): boolean =>
  words.has(word) || (/^[A-Z][A-Za-z]+$/.test(word) && words.has(word.toLowerCase()));

/** A path may begin with `…`, which stands for any beginning. */
function checkOperation(method: string, path: string, known: Known): string | undefined {
  const wanted = path.replace(/\?.*$/, '').replaceAll(/\{\w+\}/g, '{}');
  const isFound = known.operations.some((operation) => {
    const [ours, template = ''] = operation.split(' ');
    if (ours !== method) return false;
    return wanted.startsWith('…') ? template.endsWith(wanted.slice(1)) : template === wanted;
  });
  return isFound || isInCode(path, known) ? undefined : `the API has no ${method} ${path}`;
}

/** Paths of other servers, such as BioTrack's, and the simulator's commands, which the code writes in camelCase. */
function isInCode(path: string, { code, words }: Known): boolean {
  const name = path.replace(/\?.*$/, '');
  if (name.startsWith('/v1/tenants') || name.startsWith('…')) return false;
  const camelCase = name.slice(1).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  return code.includes(name.slice(1)) || words.has(camelCase);
}

/** As written: from the root, from the document's own folder, from `src`, or a file's bare name. */
function isPresent(path: string, file: string, { files, folders, fileNames }: Known): boolean {
  const bare = path.replace(/\/$/, '');
  const candidates = [bare, posix.join(posix.dirname(file), bare), posix.join('src', bare)];
  return (
    candidates.some((each) => files.has(each) || files.has(`${each}.ts`) || folders.has(each)) ||
    (!path.includes('/') && fileNames.has(path))
  );
}
