interface Document {
  readonly components: {
    readonly schemas: { readonly Problem: { readonly properties: { readonly code: CodeSchema } } };
  };
}

interface CodeSchema {
  readonly 'x-extensible-enum': readonly string[];
}

/** Renders the codes of problems in the OpenAPI document, which openapi-typescript turns into `string`. */
export function renderProblemCodes(document: string): string {
  const { code } = (JSON.parse(document) as Document).components.schemas.Problem.properties;
  const lines = code['x-extensible-enum'].map((each) => `  '${each}',`);
  return `// Derived from openapi/v1.json. Run: npm run derive problem-codes

/** The codes of problems that this version of the document lists. */
export const PROBLEM_CODES = [
${lines.join('\n')}
] as const;

export type ProblemCode = (typeof PROBLEM_CODES)[number];
`;
}
