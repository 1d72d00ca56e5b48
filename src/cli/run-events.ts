import { linkSignals } from '../domain/linked-signal.js';
import type { ApiClient } from './api.js';
import type { components } from './generated/v1.js';

type Run = components['schemas']['SyncRun'];

/** The service sends a keep-alive every ten seconds; after a longer silence the stream is broken or buffered. */
const MAX_SILENCE_MS = 15_000;

/** Server-sent events of a run. */
export interface RunEvents {
  /**
   * Shows the run with each event until the stream ends or the time is up; afterwards the caller must fetch the run to know
   * its status. A broken stream resumes with the next call. If a stream sent nothing, later calls return at once.
   */
  listen(runId: string, timeoutMs: number): Promise<void>;
}

export function createRunEvents(api: ApiClient, tenantId: string, show: (run: Run) => void): RunEvents {
  let isAvailable = true;
  let lastSeen: { readonly runId: string; readonly id: string } | undefined;

  return {
    async listen(runId, timeoutMs) {
      if (!isAvailable) return;
      // Until something arrives.
      isAvailable = false;
      const silence = new AbortController();
      const timer = setTimeout(() => silence.abort(), MAX_SILENCE_MS);
      const params = { path: { tenant_id: tenantId, id: runId } };
      const headers = lastSeen?.runId === runId ? { 'Last-Event-ID': lastSeen.id } : {};
      const limit = linkSignals([silence.signal], timeoutMs);
      try {
        const stream = await api.listen((client) =>
          client.GET('/v1/tenants/{tenant_id}/syncs/{id}/events', {
            params,
            headers,
            signal: limit.signal,
            parseAs: 'stream',
          }),
        );
        if (stream === undefined) return;
        for await (const text of toBlocks(stream)) {
          isAvailable = true;
          timer.refresh();
          const event = toEvent(text);
          if (event === undefined) continue;
          lastSeen = { runId, id: event.id };
          show(event.run);
          if (event.isLast) return;
        }
      } catch {
        // The caller fetches the run.
        if (silence.signal.aborted) isAvailable = false;
      } finally {
        clearTimeout(timer);
        limit.dispose();
      }
    },
  };
}

/** Splits a stream at empty lines into events and keep-alive comments. */
async function* toBlocks(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of stream) {
    text += decoder.decode(bytes, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    yield* blocks;
  }
}

function toEvent(block: string): { readonly id: string; readonly run: Run; readonly isLast: boolean } | undefined {
  const fields = new Map(block.split('\n').map((line) => [line.split(':', 1)[0], line.slice(line.indexOf(':') + 2)]));
  const [id, data] = [fields.get('id'), fields.get('data')];
  if (id === undefined || data === undefined) return undefined;
  return { id, run: JSON.parse(data) as Run, isLast: fields.get('event') === 'end' };
}
