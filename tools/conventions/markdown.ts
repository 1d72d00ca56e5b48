/** A fenced block. */
export interface CodeBlock {
  readonly language: string;
  readonly text: string;
  /** Of its first line inside the fence, counted from 1. */
  readonly line: number;
}

/** A line outside of code blocks. */
export interface ProseLine {
  readonly text: string;
  readonly line: number;
}

/** Separates the fenced code blocks of a document from its prose. */
export function parseMarkdown(text: string): { readonly blocks: CodeBlock[]; readonly prose: ProseLine[] } {
  const blocks: CodeBlock[] = [];
  const prose: ProseLine[] = [];
  let open: { language: string; lines: string[]; line: number } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^\s*```(\w*)/.exec(line);
    if (open === undefined && fence !== null) open = { language: fence[1] ?? '', lines: [], line: index + 2 };
    else if (open !== undefined && fence !== null) {
      blocks.push({ language: open.language, text: open.lines.join('\n'), line: open.line });
      open = undefined;
    } else if (open !== undefined) open.lines.push(line);
    else prose.push({ text: line, line: index + 1 });
  }
  return { blocks, prose };
}
