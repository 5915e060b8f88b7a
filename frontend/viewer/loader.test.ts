import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { FrameLoader as Loader } from './loader';

await vi.hoisted(async () => (await import('../app/viewing/bare-browser')).bareBrowser());
const { FrameLoader } = await import('./loader');

let online: () => void;
let fetched: ReturnType<typeof vi.fn>;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('addEventListener', (kind: string, heard: () => void) => kind === 'online' && (online = heard));
  fetched = vi.fn(() => Promise.reject(new TypeError('Failed to fetch')));
  vi.stubGlobal('fetch', fetched);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function loading(): Loader {
  const loader = new FrameLoader({ count: 1, address: () => '/frame', budget: 1 << 20, atOnce: 2, onChange: () => undefined });
  loader.centre(0, 0);
  return loader;
}

test('a line that is away for minutes loses no picture: it is asked for until it comes', async () => {
  const loader = loading();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(loader.state(0)).not.toBe('failed');
  const before = fetched.mock.calls.length;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(fetched.mock.calls.length - before).toBe(3);
  loader.close();
});

test('it is asked for at once when the browser says that the line is back, and once', async () => {
  const loader = loading();
  await vi.advanceTimersByTimeAsync(20_000);
  const before = fetched.mock.calls.length;
  online();
  online();
  expect(fetched.mock.calls.length - before).toBe(1);
  loader.close();
});

const FACTS = { rows: 1, columns: 1, samples: 1, bits_allocated: 8, bits_stored: 8, signed: false, photometric: 'MONOCHROME2', coding: 'raw' };

test('one answer shows that the line is back: what broke with it comes at once, the nearest first', async () => {
  const asked: string[] = [];
  let away = true;
  fetched.mockImplementation((address: string) => {
    asked.push(address);
    if (away) return Promise.reject(new TypeError('Failed to fetch'));
    return Promise.resolve(new Response(new Uint8Array(1), { headers: { 'X-Radrelay-Frame': JSON.stringify(FACTS) } }));
  });
  const loader = new FrameLoader({ count: 9, address: (place) => `/${place}`, budget: 1 << 20, atOnce: 2, onChange: () => undefined });
  loader.centre(8, 0);
  await vi.advanceTimersByTimeAsync(61_000);
  loader.centre(2, 0);
  away = false;
  asked.length = 0;
  await vi.advanceTimersToNextTimerAsync();
  await vi.advanceTimersByTimeAsync(0);
  expect([0, 1, 2, 3, 4, 5, 6, 7, 8].map((place) => loader.state(place))).toEqual(Array(9).fill('present'));
  expect(asked.slice(1, 3)).toContain('/2');
  loader.close();
});

test('a server that is busy for long, or says no, is not asked for ever', async () => {
  fetched.mockImplementation(() => Promise.resolve(new Response('{}', { status: 503 })));
  const loader = loading();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([loader.state(0), fetched.mock.calls.length]).toEqual(['failed', 5]);
  loader.close();
});
