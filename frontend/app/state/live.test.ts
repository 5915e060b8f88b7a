/** Whether the server answers, as its stream of events tells it, and what is asked again when it does. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

class Stream extends EventTarget {
  static readonly CLOSED = 2;
  static last: Stream;
  static opened = 0;
  readyState = 0;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;

  constructor() {
    super();
    Stream.last = this;
    Stream.opened += 1;
  }

  close(): void {
    this.readyState = 2;
  }

  fail(readyState: number): void {
    this.readyState = readyState;
    this.onerror?.();
  }
}

const answers = { status: 200 };
vi.stubGlobal('EventSource', Stream);
vi.stubGlobal('fetch', () =>
  answers.status === 0 ? Promise.reject(new TypeError('no line')) : Promise.resolve(new Response('{}', { status: answers.status })),
);

const { onSessionEnded } = await import('../api/client');
const { isAway, isLive, onceBack, onLive, startLive, stopLive } = await import('./live.svelte');
const { Resource } = await import('./resource.svelte');
const { noteUnsaved, unsaved } = await import('./unsaved.svelte');
const { ApiProblem } = await import('../api/client');

describe('the line to the server', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    answers.status = 200;
    startLive();
    Stream.last.onopen?.();
  });

  afterEach(() => {
    stopLive();
    vi.useRealTimers();
  });

  it('is said to be away after a moment, and to be back at once; all lists are read anew', () => {
    const read = vi.fn();
    const leave = onLive('studies', read, 0);
    expect([isLive(), isAway()]).toEqual([true, false]);
    Stream.last.fail(0); // it connects again by itself
    expect([isLive(), isAway()]).toEqual([false, false]);
    vi.advanceTimersByTime(2_500);
    expect(isAway()).toBe(true);
    Stream.last.onopen?.();
    vi.advanceTimersByTime(1);
    expect([isLive(), isAway()]).toEqual([true, false]);
    expect(read).toHaveBeenCalledOnce();
    leave();
  });

  it('is away, too, when nothing at all is heard', () => {
    const before = Stream.opened;
    vi.advanceTimersByTime(30_000);
    Stream.last.dispatchEvent(new Event('here'));
    vi.advanceTimersByTime(30_000);
    expect(Stream.opened).toBe(before);
    vi.advanceTimersByTime(13_000);
    expect(Stream.opened).toBe(before + 1);
    expect(isAway()).toBe(true);
  });

  it('is not away where a stream is refused and other questions are answered', async () => {
    Stream.last.fail(2);
    await vi.advanceTimersByTimeAsync(2_500);
    expect([isLive(), isAway()]).toEqual([false, false]);
    answers.status = 503;
    await vi.advanceTimersByTimeAsync(5_000);
    Stream.last.fail(2);
    await vi.advanceTimersByTimeAsync(2_500);
    expect(isAway()).toBe(true);
  });

  it('tells who may not listen any more that it is over, whatever closed the stream', async () => {
    const over = vi.fn();
    onSessionEnded(over);
    answers.status = 401;
    Stream.last.fail(2);
    await vi.advanceTimersByTimeAsync(0);
    expect(over).toHaveBeenCalledOnce();
  });

  it('what was not answered is read again by itself, and the words of it go', async () => {
    let fails = true;
    const one = new Resource(async () => {
      if (fails) throw new ApiProblem(0, 'unreachable', '');
      return 'studies';
    });
    await vi.advanceTimersByTimeAsync(0);
    expect(one.problem).toBeInstanceOf(ApiProblem);
    await vi.advanceTimersByTimeAsync(5_000); // still away
    expect(one.problem).toBeInstanceOf(ApiProblem);
    Stream.last.fail(0);
    fails = false;
    Stream.last.onopen?.();
    await vi.advanceTimersByTimeAsync(0);
    expect([one.value, one.problem]).toEqual(['studies', undefined]);
    const again = vi.fn();
    onceBack(again)();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(again).not.toHaveBeenCalled();
  });
});

it('what is not saved is counted over all studies; while the server answers, only where saving failed', () => {
  const [open, left] = [{}, {}];
  noteUnsaved(open, 2, false);
  noteUnsaved(left, 1, true);
  expect([unsaved(true), unsaved(false)]).toEqual([3, 1]);
  noteUnsaved(left, 0, false);
  noteUnsaved(open, 0, false);
  expect(unsaved(true)).toBe(0);
});
