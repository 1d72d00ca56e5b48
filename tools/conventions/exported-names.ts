import ts from 'typescript';
import { type Files, isSource } from './files.js';
import { type Finding, toLine } from './finding.js';

interface Declaration {
  readonly name: string;
  readonly file: string;
  readonly line: number;
}

/** Exported names that two source files of a package declare: one name has one meaning. */
export function findDoubledExports(files: Files): Finding[] {
  const byName = new Map<string, Declaration[]>();
  for (const [file, content] of files) {
    if (!isSource(file)) continue;
    for (const declaration of listExports(file, content)) {
      // The client package has names of its own, such as those of the nouns of the API.
      const key = `${file.startsWith('src/') ? '' : 'client '}${declaration.name}`;
      const others = byName.get(key) ?? [];
      // An overload, or a type beside a value of the same name.
      if (!others.some((other) => other.file === file)) byName.set(key, [...others, declaration]);
    }
  }
  return [...byName.values()].flatMap(([first, ...others]) =>
    others.map(({ name, file, line }) => ({
      file,
      line,
      problem: `${name} is exported by ${first?.file} as well`,
      fix: 'rename one of them, or declare it once and import it',
    })),
  );
}

function listExports(file: string, content: string): Declaration[] {
  const source = ts.createSourceFile(file, content, ts.ScriptTarget.Latest, true);
  return source.statements.flatMap((statement) => {
    const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
    if (!modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return [];
    const line = toLine(content, statement.getStart(source));
    return listNames(statement).map((name) => ({ name, file, line }));
  });
}

function listNames(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap(({ name }) => (ts.isIdentifier(name) ? name.text : []));
  const { name } = statement as { readonly name?: ts.Node };
  return name !== undefined && ts.isIdentifier(name) ? [name.text] : [];
}
