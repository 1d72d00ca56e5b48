import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** A process of the benchmark's own that does what it is asked, one thing after the other. */
export interface BenchChild {
  ask<T>(name: string, input?: unknown): Promise<T>;
  stop(): Promise<void>;
}

type Answer = { readonly id: number; readonly result?: unknown; readonly error?: string };

/** @param file of this folder @param nodeOptions for the process, beside what it needs to read TypeScript */
export function startBenchChild(file: string, nodeOptions: readonly string[] = []): BenchChild {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child: ChildProcess = fork(path, { execArgv: ['--import', 'tsx', ...nodeOptions], serialization: 'advanced' });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  child.on('message', ({ id, result, error }: Answer) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asked?.resolve(result);
    else asked?.reject(new Error(`${file}: ${error}`));
  });
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${file} ended with ${code}`));
    waiting.clear();
  });
  const exited = once(child, 'exit');
  let last = 0;
  return {
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

/** The other side: answers by these, and ends when its parent lets go of it. */
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
