/** What a volume is made of when the line breaks or a login ends while it comes: nothing stays interpolated that can be had. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { assemble, type Choice } from './assemble';
import type { Progress } from './loading';

vi.stubGlobal('navigator', { hardwareConcurrency: 2 });
const { VolumeLoading } = await import('./loading');

const SLICES = 20;
const FACTS = { rows: 2, columns: 2, samples: 1, bits_allocated: 16, bits_stored: 16, signed: true, photometric: 'MONOCHROME2', slope: 1, intercept: 0, window_center: 40, window_width: 400 };

const choice = assemble(Array.from({ length: SLICES }, (_, place) => ({
  place, position: [0, 0, place], orientation: [1, 0, 0, 0, 1, 0], spacing: [1, 1], rows: 2, columns: 2,
}))).choices[0] as Choice;

type Answer = 'picture' | 'dead' | number;

/** A server, a line and what was taken of them. */
class Site {
  answers = (_place: number): Answer => 'picture';
  slopes = (_place: number): number => 1;
  readonly asked: number[] = [];
  readonly shown = new Map<number, number | 'between'>();
  readonly kinds: string[] = [];
  strangers = 0;
  told: Progress | null = null;

  readonly loading = new VolumeLoading({ choice, modality: 'CT', address: (place) => `/frames/${place}` }, 1e9, 2048, {
    begin: async ({ kind }) => void this.kinds.push(kind),
    put: (slices, data) => slices.forEach((slice) => this.shown.set(slice, data[0] ?? -1)),
    mend: async (slice) => void this.shown.set(slice, 'between'),
    progress: (progress) => (this.told = { ...progress, lost: new Set(progress.lost) }),
    stranger: () => (this.strangers += 1),
  });

  fetch = async (address: string): Promise<Response> => {
    const place = Number(address.split('/').at(-1));
    this.asked.push(place);
    const answer = this.answers(place);
    if (answer === 'dead') throw new TypeError('Failed to fetch');
    if (answer !== 'picture') return new Response('{}', { status: answer });
    const facts = { ...FACTS, slope: this.slopes(place) };
    return new Response(new Int16Array(4).fill(place), { headers: { 'X-Radrelay-Frame': JSON.stringify(facts) } });
  };
}

const fetched = globalThis.fetch;
let site: Site;

beforeEach(() => {
  vi.useFakeTimers();
  site = new Site();
  globalThis.fetch = site.fetch as typeof fetch;
});

afterEach(() => {
  vi.useRealTimers();
  globalThis.fetch = fetched;
});

/** All that was promised, with the waits between tries. */
async function through<T>(doing: Promise<T>): Promise<T> {
  doing.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(60_000);
  return doing;
}

const lost = (): number[] => [...(site.told?.lost ?? [])].toSorted((a, b) => a - b);

describe('slices that did not come', () => {
  it.each<[string, Answer, number]>([['a dead line', 'dead', 0], ['a busy server', 503, 0], ['an ended login', 401, 3]])('for %s come when they are asked for again', async (_, answer, strangers) => {
    site.answers = (place) => (place >= 4 && place <= 6 ? answer : 'picture');
    await through(site.loading.run());
    expect(lost()).toEqual([4, 5, 6]);
    expect([4, 5, 6].map((slice) => site.shown.get(slice))).toEqual(['between', 'between', 'between']);
    expect(site.strangers).toBe(strangers);
    site.answers = (place) => (place === 5 ? answer : 'picture');
    expect(await through(site.loading.again())).toBe(true);
    expect(lost()).toEqual([5]);
    site.answers = () => 'picture';
    await through(site.loading.again());
    expect(lost()).toEqual([]);
    expect(site.told?.here).toBe(SLICES);
    expect(Array.from({ length: SLICES }, (_, slice) => site.shown.get(slice))).toEqual(Array.from({ length: SLICES }, (_, slice) => slice));
    expect(await through(site.loading.again())).toBe(false);
  });

  it('for a reason that stays are not asked for again', async () => {
    site.answers = (place) => (place === 4 ? 500 : 'picture');
    await through(site.loading.run());
    site.asked.length = 0;
    expect(await through(site.loading.again())).toBe(false);
    expect(site.asked).toEqual([]);
    expect(lost()).toEqual([4]);
  });

  it('and are rescaled another way than the others, begin all anew', async () => {
    site.answers = (place) => (place === 4 ? 'dead' : 'picture');
    site.slopes = (place) => (place === 4 ? 2 : 1);
    await through(site.loading.run());
    site.answers = () => 'picture';
    expect(await through(site.loading.again())).toBe(true);
    expect(site.kinds).toEqual(['int16', 'float32']);
    expect([3, 4, 5].map((slice) => site.shown.get(slice))).toEqual([3, 8, 5]);
  });

  it('of which nearly all failed without the line, are said to be out of reach, not damaged', async () => {
    site.answers = (place) => (place === 8 || place === 10 ? 'picture' : 'dead');
    await expect(through(site.loading.run())).rejects.toMatchObject({ why: 'unreachable' });
  });
});
