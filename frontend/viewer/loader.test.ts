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

test('a server that is busy for long, or says no, is not asked for ever', async () => {
  fetched.mockImplementation(() => Promise.resolve(new Response('{}', { status: 503 })));
  const loader = loading();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([loader.state(0), fetched.mock.calls.length]).toEqual(['failed', 5]);
  loader.close();
});
