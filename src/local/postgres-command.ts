import { spawn } from 'node:child_process';

/** A program to start, and as whom. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

export interface CommandResult {
  readonly ok: boolean;
  /** Both streams, as they came. */
  readonly output: string;
}

/**
 * Nothing of the caller's environment: PGDATA, LC_ALL, TZ and their like would make one machine's cluster differ from
 * another's.
 */
export const POSTGRES_ENVIRONMENT = {
  LC_ALL: 'C',
  TZ: 'UTC',
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
} as const;

/** Runs to the end and never throws: a program that is missing has failed, with the reason as its output. */
export function runCommand(command: Command): Promise<CommandResult> {
  return new Promise((done) => {
    let output = '';
    const child = spawn(command.file, [...command.args], {
      uid: command.uid,
      gid: command.gid,
      // A folder that every user may be in.
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

/** The path of a program, looked up as the caller's shell would; undefined where there is none. */
export async function findProgram(name: string): Promise<string | undefined> {
  const path = await new Promise<string>((done) => {
    let output = '';
    // Inherits the environment, unlike runCommand: this PATH is the one the user means.
    const child = spawn('/bin/sh', ['-c', 'command -v -- "$1"', 'sh', name], { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on('error', () => done(''));
    child.on('close', () => done(output.trim()));
  });
  return path.startsWith('/') ? path : undefined;
}
