import type { ApiClient } from './api.js';
import type { components } from './generated/v1.js';

type Run = components['schemas']['SyncRun'];

/** The service says every ten seconds that it is still there: what is silent for longer is broken, or kept back. */
const LONGEST_SILENCE_MS = 15_000;

/** What the service tells of a run as it happens. */
export interface RunEvents {
  /**
   * Shows the run each time that it moves, until no more is told: it has ended, the stream broke, or there is none. So
   * whoever needs to know how the run stands asks for the run itself. What broke goes on from where it was the next
   * time; what told nothing is not asked again.
   */
  listen(runId: string, signal: AbortSignal): Promise<void>;
}

export function createRunEvents(api: ApiClient, tenantId: string, show: (run: Run) => void): RunEvents {
  let isWorthIt = true;
  let lastSeen: { readonly runId: string; readonly id: string } | undefined;

  return {
    async listen(runId, signal) {
      if (!isWorthIt) return;
      // Until it has told something.
      isWorthIt = false;
      const silence = new AbortController();
      const timer = setTimeout(() => silence.abort(), LONGEST_SILENCE_MS);
      const params = { path: { tenant_id: tenantId, id: runId } };
      const headers = lastSeen?.runId === runId ? { 'Last-Event-ID': lastSeen.id } : {};
      const either = AbortSignal.any([signal, silence.signal]);
      try {
        const stream = await api.listen((client) =>
          client.GET('/v1/tenants/{tenant_id}/syncs/{id}/events', {
            params,
            headers,
            signal: either,
            parseAs: 'stream',
          }),
        );
        if (stream === undefined) return;
        for await (const text of toBlocks(stream)) {
          isWorthIt = true;
          timer.refresh();
          const event = toEvent(text);
          if (event === undefined) continue;
          lastSeen = { runId, id: event.id };
          show(event.run);
          if (event.isLast) return;
        }
      } catch {
        // What was shown was true, and the rest is asked for.
        if (silence.signal.aborted) isWorthIt = false;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** What stands between two empty lines: an event, or a word to keep the connection open. */
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
