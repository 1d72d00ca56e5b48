/** One instruction of a Dockerfile, with continuation lines joined. */
export interface Instruction {
  readonly name: string;
  readonly args: string;
}

export interface Stage {
  readonly image: string;
  readonly instructions: readonly Instruction[];
}

export interface Copy {
  /** The source stage; `undefined` is the build context. */
  readonly stage: string | undefined;
  readonly sources: readonly string[];
  readonly target: string;
}

/** Supports only the syntax that our Dockerfile uses. */
export function parseDockerfile(text: string): Stage[] {
  const stages: { image: string; instructions: Instruction[] }[] = [];
  const lines = text.replace(/^\s*#.*\n/gm, '').replace(/\\\n/g, ' ');
  for (const line of lines.split('\n').filter((each) => each.trim() !== '')) {
    const [, name = '', args = ''] = /^\s*([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') stages.push({ image: args, instructions: [] });
    else stages.at(-1)?.instructions.push({ name, args: args.trim() });
  }
  return stages;
}

export const argsOf = ({ instructions }: Stage, name: string): string[] =>
  instructions.filter((each) => each.name === name).map(({ args }) => args);

export function listCopies(stage: Stage): Copy[] {
  return argsOf(stage, 'COPY').map((args) => {
    const words = args.split(/\s+/);
    const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
    const paths = words.filter((word) => !word.startsWith('--'));
    return { stage: from, sources: paths.slice(0, -1), target: paths.at(-1) ?? '' };
  });
}

/** The variables that a stage sets. Does not support values with spaces or quotes. */
export const variablesOf = (stage: Stage): Record<string, string> =>
  Object.fromEntries(
    argsOf(stage, 'ENV').flatMap((args) => args.split(/\s+/).map((pair) => pair.split('=') as [string, string])),
  );

/** Parses a command in exec form. @throws SyntaxError for shell form */
export const toCommand = (args: string): string[] => JSON.parse(args) as string[];
