import { CONFIG_VARIABLES } from '../../src/config.js';
import { type Files, isSource } from './files.js';
import { type Finding, toLine } from './finding.js';

const DOCUMENT = 'docs/configuration.md';
/** Set by the shell or the system, not by an operator of the service. */
const OF_THE_SYSTEM = new Set(['PATH', 'HOME', 'COLUMNS']);

/** Environment variables that the service reads and the tables of docs/configuration.md lack. */
export function findUndocumentedVariables(
  files: Files,
  variables: readonly string[] = CONFIG_VARIABLES.map(({ name }) => name),
): Finding[] {
  const document = files.get(DOCUMENT) ?? '';
  const documented = new Set([...document.matchAll(/^\| `([A-Z][A-Z_]+)`/gm)].map(([, name]) => name));
  const missing = (name: string): boolean => !documented.has(name) && !OF_THE_SYSTEM.has(name);
  const config = files.get('src/config.ts') ?? '';
  const configured = variables.filter(missing).map((name) => ({
    file: 'src/config.ts',
    line: toLine(config, Math.max(config.indexOf(`${name}:`), 0)),
    problem: `${DOCUMENT} lacks ${name}`,
    fix: 'npm run derive configuration',
  }));
  const read = [...files].flatMap(([file, text]) =>
    isSource(file) && file !== 'src/config.ts'
      ? [...text.matchAll(/\benv(?:ironment)?(?:\?\.|\.)([A-Z][A-Z_]+)\b/g)]
          .filter(([, name = '']) => missing(name))
          .map((match) => ({
            file,
            line: toLine(text, match.index),
            problem: `${DOCUMENT} lacks ${match[1]}`,
            fix: `add a row for it to a table of ${DOCUMENT}`,
          }))
      : [],
  );
  return [...configured, ...read];
}
