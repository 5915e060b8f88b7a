/** A login that ends however much it is used: it is said once, and nobody is kept from working on until then. */

import { afterEach, beforeEach, expect, it, vi } from 'vitest';

const left = { idle: 3_600, all: 100 };
vi.stubGlobal('addEventListener', () => undefined);
vi.stubGlobal('removeEventListener', () => undefined);
vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify({ idle_left_s: left.idle, left_s: left.all }))));

const { warning, watchIdle, workOn } = await import('./idle.svelte');

let leave: () => void;

beforeEach(async () => {
  vi.useFakeTimers();
  leave = watchIdle();
  await vi.advanceTimersByTimeAsync(1_000);
});

afterEach(() => {
  leave();
  vi.useRealTimers();
});

it('is said a minute before, and once', async () => {
  expect(warning()).toBeNull();
  await vi.advanceTimersByTimeAsync(70_000);
  expect(warning()).toMatchObject({ last: true });
  workOn();
  expect(warning()).toBeNull();
  left.all = 28.7; // an answer tells it anew, to the moment that it took
  await vi.advanceTimersByTimeAsync(20_000);
  expect(warning()).toBeNull();
});
