/** A study that may not be seen any more leaves the screen of a page that is open: by an event, and without any. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

class Stream extends EventTarget {
  static last: Stream;
  onopen: (() => void) | null = null;

  constructor() {
    super();
    Stream.last = this;
  }

  close(): void {}
}

const answers: Record<string, number> = {};
vi.stubGlobal('EventSource', Stream);
vi.stubGlobal('fetch', (url: string) => {
  const id = url.split('/').at(-1) ?? '';
  return Promise.resolve(new Response(JSON.stringify({ id, code: 'study-not-found' }), { status: answers[id] ?? 200 }));
});

const { startLive, stopLive } = await import('../state/live.svelte');
const { watchSight } = await import('./sight');

describe('a page that is open', () => {
  const told: string[] = [];
  let stop: () => void;

  beforeEach(() => {
    vi.useFakeTimers();
    for (const id of Object.keys(answers)) delete answers[id];
    told.length = 0;
    startLive();
    Stream.last.onopen?.();
    stop = watchSight(() => ['mine', 'earlier', 'mine'], {
      onfresh: ({ id }) => told.push(`fresh ${id}`),
      ongone: (id) => told.push(`gone ${id}`),
    });
  });

  afterEach(() => {
    stop();
    stopLive();
    vi.useRealTimers();
  });

  it('hears that one of its studies is gone, and keeps the others', async () => {
    answers['earlier'] = 404;
    Stream.last.dispatchEvent(new MessageEvent('changed', { data: JSON.stringify({ lists: ['studies'] }) }));
    await vi.advanceTimersByTimeAsync(2_000);
    expect(told.toSorted()).toEqual(['fresh mine', 'gone earlier']);
  });

  it('finds out by itself within fifteen seconds', async () => {
    answers['mine'] = 404;
    await vi.advanceTimersByTimeAsync(14_000);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(told).toContain('gone mine');
  });

  it('keeps what it shows while the server does not answer, or may not answer just now', async () => {
    answers['mine'] = 503;
    answers['earlier'] = 403;
    await vi.advanceTimersByTimeAsync(31_000);
    expect(told).toEqual([]);
  });

  it('asks nothing once it is left', async () => {
    stop();
    await vi.advanceTimersByTimeAsync(31_000);
    expect(told).toEqual([]);
  });
});
