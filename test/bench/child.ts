import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** A child process that handles named requests from the benchmark. */
export interface BenchChild {
  readonly pid: number;
  ask<T>(name: string, input?: unknown): Promise<T>;
  stop(): Promise<void>;
}

type Answer = { readonly id: number; readonly result?: unknown; readonly error?: string };

/** @param file in this folder @param nodeOptions in addition to those that load TypeScript */
export function startBenchChild(file: string, nodeOptions: readonly string[] = []): BenchChild {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child: ChildProcess = fork(path, { execArgv: ['--import', 'tsx', ...nodeOptions], serialization: 'advanced' });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  child.on('message', ({ id, result, error }: Answer) => {
    const request = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) request?.resolve(result);
    else request?.reject(new Error(`${file}: ${error}`));
  });
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${file} exited with ${code}`));
    waiting.clear();
  });
  const exited = once(child, 'exit');
  let last = 0;
  return {
    pid: child.pid as number,
    ask<T>(name: string, input?: unknown) {
      last += 1;
      const id = last;
      return new Promise<T>((resolve, reject) => {
        waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
        child.send({ id, name, input });
      });
    },
    async stop() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}

type Handlers = Readonly<Record<string, (input: never) => unknown>>;

/** Called in the child process: answers requests with these handlers, and exits when the parent disconnects. */
export function answerParent(handlers: Handlers): void {
  process.on('message', async ({ id, name, input }: { id: number; name: string; input: never }) => {
    try {
      process.send?.({ id, result: await handlers[name]?.(input) });
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  process.on('disconnect', () => process.exit(0));
}
