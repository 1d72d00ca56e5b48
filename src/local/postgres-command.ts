import { spawn } from 'node:child_process';

/** A program, and the user and group to run it as. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

export interface CommandResult {
  readonly ok: boolean;
  /** Standard output and standard error, interleaved. */
  readonly output: string;
}

/** A fixed environment: PGDATA, LC_ALL, TZ and similar variables of the caller would change the cluster. */
export const POSTGRES_ENVIRONMENT = {
  LC_ALL: 'C',
  TZ: 'UTC',
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
} as const;

/** Runs a program to its end. Never rejects: a missing program is a failed result with the reason as its output. */
export function runCommand(command: Command): Promise<CommandResult> {
  return new Promise((done) => {
    let output = '';
    const child = spawn(command.file, [...command.args], {
      uid: command.uid,
      gid: command.gid,
      // The only folder that every user can enter.
      cwd: '/',
      env: POSTGRES_ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => done({ ok: false, output: error.message }));
    child.on('close', (code, signal) =>
      done({ ok: code === 0, output: signal === null ? output : `${output}\nended by ${signal}` }),
    );
  });
}

/** The path of a program on the caller's PATH. */
export async function findProgram(name: string): Promise<string | undefined> {
  const path = await new Promise<string>((done) => {
    let output = '';
    // Inherits the caller's environment, unlike runCommand.
    const child = spawn('/bin/sh', ['-c', 'command -v -- "$1"', 'sh', name], { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on('error', () => done(''));
    child.on('close', () => done(output.trim()));
  });
  return path.startsWith('/') ? path : undefined;
}
