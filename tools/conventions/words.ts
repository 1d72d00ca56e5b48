import ts from 'typescript';
import { type Files, isDocument, isSource } from './files.js';
import { type Finding, toLine } from './finding.js';

interface BannedWord {
  readonly pattern: RegExp;
  readonly instead: string;
}

/** Words that made the first version hard to read. Applies to everything that a user, an operator or a developer reads. */
const BANNED: readonly BannedWord[] = [
  { pattern: /\bunless told\b/gi, instead: 'state the default: "Defaults to …"' },
  {
    pattern: /\b(whoever|somebody|someone|nobody)\b/gi,
    instead: 'name the actor: the caller, the user, a worker, none',
  },
  { pattern: /\b(he|his|him|himself)\b/gi, instead: 'they, or the role: the user, the owner' },
  { pattern: /\b(person|persons|people)\b/gi, instead: 'user, caller, admin or operator' },
  { pattern: /\b(tell|tells|told|telling)\b/gi, instead: 'report, return, include, say or list' },
  { pattern: /\bmend(s|ed|er|ers|ing)?\b/gi, instead: 'fix' },
  { pattern: /\bshall\b/gi, instead: 'must, or the present tense' },
  { pattern: /\bin turns\b/gi, instead: 'yielding to the event loop' },
  { pattern: /\bbef[ae]ll(en)?\b/gi, instead: 'why it failed, what happened' },
  { pattern: /\b(is|are|be|machine) at it\b/gi, instead: 'in progress' },
  { pattern: /\b(carr(y|ies|ied|ying)(?! out)( \w+){0,2} out|carr(y|ies|ied|ying) out)\b/gi, instead: 'apply, run' },
  { pattern: /\b(put off|bring forward|keeps? going|insists?)\b/gi, instead: 'retry later, reschedule' },
  { pattern: /\bbeliev(e|es|ed|ing)\b/gi, instead: 'accept, trust' },
  { pattern: /\b(house|heart|birth|guests?|voices?|tether)\b/gi, instead: 'the literal term; no metaphors' },
  { pattern: /\btrials?\b/gi, instead: 'login attempt' },
  { pattern: /\bset-up\b/gi, instead: '"setup" (noun) or "set up" (verb)' },
  { pattern: /\blicen[c]e[sd]?\b/gi, instead: 'license' },
  {
    pattern: /\b(behaviour|colour|cancelled|catalogue|normalis|organis|recognis|analys(?=ed|e\b))\w*/gi,
    instead: 'US spelling',
  },
];

/** The same words as parts of names: `tellApart`, `put_off`. */
const BANNED_IN_NAMES =
  /(?<![a-z])(tell|tells|told|mend|mender|mending|nobody|somebody|whoever|person|people|trial|insist|shall|befell)(?![a-z])/;

const HAS_BANNED_NAME = new RegExp(BANNED_IN_NAMES.source.replaceAll(/\(\?<?!\[a-z\]\)/g, ''), 'i');

/** Where a banned word is a name of something else. */
const EXCEPTIONS: readonly { readonly file: string; readonly word: RegExp }[] = [
  // The Unix user.
  { file: 'src/local/postgres-identity.ts', word: /nobody/i },
];

interface Passage {
  readonly text: string;
  /** Where it starts in its file. */
  readonly offset: number;
}

/** Banned words in documents, in the OpenAPI document, and in the strings, comments and names of the source. */
export function findBannedWords(files: Files): Finding[] {
  const findings: Finding[] = [];
  for (const [file, content] of files) {
    // Parsing takes long, and most files have none of these words anywhere.
    if (!BANNED.some(({ pattern }) => content.search(pattern) >= 0) && !HAS_BANNED_NAME.test(content)) continue;
    const passages = toPassages(file, content);
    for (const { text, offset } of passages) {
      for (const { pattern, instead } of BANNED) {
        for (const match of text.matchAll(pattern)) {
          const line = toLine(content, offset + match.index);
          findings.push({ file, line, problem: `"${match[0]}"`, fix: `write instead: ${instead}` });
        }
      }
    }
    if (isSource(file)) findings.push(...findNames(file, content));
  }
  return findings.filter(
    ({ file, problem }) => !EXCEPTIONS.some((exception) => exception.file === file && exception.word.test(problem)),
  );
}

function toPassages(file: string, content: string): readonly Passage[] {
  if (isSource(file)) return listPassages(file, content);
  if (file === 'openapi/v1.json' || isDocument(file)) return [{ text: content, offset: 0 }];
  if (/^migrations\/\d.*\.sql$/.test(file))
    return [...content.matchAll(/--.*$/gm)].map((match) => ({ text: match[0], offset: match.index }));
  return [];
}

const parse = (file: string, content: string): ts.SourceFile =>
  ts.createSourceFile(file, content, ts.ScriptTarget.Latest, true);

/** The strings and comments of a source file. */
function listPassages(file: string, content: string): Passage[] {
  const source = parse(file, content);
  const passages: Passage[] = [];
  const seen = new Set<number>();
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || node.kind === ts.SyntaxKind.TemplateHead || isTemplateRest(node))
      passages.push({ text: node.getText(source), offset: node.getStart(source) });
    for (const { pos, end } of ts.getLeadingCommentRanges(content, node.getFullStart()) ?? []) {
      if (seen.has(pos)) continue;
      seen.add(pos);
      passages.push({ text: content.slice(pos, end), offset: pos });
    }
    for (const { pos, end } of ts.getTrailingCommentRanges(content, node.getEnd()) ?? []) {
      if (seen.has(pos)) continue;
      seen.add(pos);
      passages.push({ text: content.slice(pos, end), offset: pos });
    }
    for (const child of node.getChildren(source)) visit(child);
  };
  visit(source);
  return passages;
}

const isTemplateRest = ({ kind }: ts.Node): boolean =>
  kind === ts.SyntaxKind.TemplateMiddle || kind === ts.SyntaxKind.TemplateTail;

function findNames(file: string, content: string): Finding[] {
  const source = parse(file, content);
  const findings: Finding[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) {
      const words = node.text.replaceAll(/([a-z\d])([A-Z])/g, '$1_$2').toLowerCase();
      if (BANNED_IN_NAMES.test(words)) {
        const line = toLine(content, node.getStart(source));
        findings.push({ file, line, problem: `the name ${node.text}`, fix: 'rename it: language.md has the words' });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return findings;
}
