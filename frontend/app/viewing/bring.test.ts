/** Code that comes late, or never. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { dismiss, notices } from '../state/notices.svelte';
import { bring } from './bring';

const later = (milliseconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);
const said = (): string[] => notices().map(({ text }) => text);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  for (const { id } of notices()) dismiss(id);
  vi.useRealTimers();
});

function start(failures: number): { asked: () => number; came: string[]; stop: () => void } {
  const came: string[] = [];
  let asked = 0;
  const ask = async (): Promise<string> => {
    asked += 1;
    if (asked <= failures) throw new TypeError('Failed to fetch dynamically imported module');
    return 'part';
  };
  const stop = bring(ask, (part) => came.push(part), () => 'missing: reload the page');
  return { asked: () => asked, came, stop };
}

describe('a part of the page', () => {
  it('comes once', async () => {
    const { asked, came } = start(0);
    await later(60_000);
    expect([asked(), came, said()]).toEqual([1, ['part'], []]);
  });

  it('is asked for again when the line was away for a moment, without a word', async () => {
    const { came } = start(2);
    await later(10_000);
    expect([came, said()]).toEqual([['part'], []]);
  });

  it('that does not come is said to be missing, and it stays said, until it comes', async () => {
    const { asked, came } = start(6);
    await later(30_000);
    expect(said()).toEqual(['missing: reload the page']);
    expect(asked()).toBeLessThan(7);
    await later(120_000);
    expect([came, said()]).toEqual([['part'], []]);
  });

  it('is not asked for any more once it is given up', async () => {
    const { asked, came, stop } = start(Infinity);
    await later(30_000);
    stop();
    const before = asked();
    await later(600_000);
    expect([asked(), came, said()]).toEqual([before, [], []]);
  });

  it('that comes after it was given up is not taken', async () => {
    const { came, stop } = start(0);
    stop();
    await later(1);
    expect(came).toEqual([]);
  });
});
