/** Frames in memory: what stays decoded, what stays at all, within a budget. */

import { expect, it } from 'vitest';
import type { Coded } from './fetching';
import { readFrame, type FrameFacts } from './frame';
import { FrameStore } from './store';

const facts: FrameFacts = {
  rows: 10,
  columns: 10,
  samples: 1,
  bits_allocated: 8,
  bits_stored: 8,
  signed: false,
  photometric: 'MONOCHROME2',
};
const frame = readFrame(facts, new ArrayBuffer(100));
const coded: Coded = { facts, stream: new Uint8Array(20), bytes: 20 };

function filled(count: number, budget: number): FrameStore {
  const store = new FrameStore(budget);
  for (let place = 0; place < count; place += 1) {
    store.keepCoded(place, coded);
    store.keepFrame(place, frame);
  }
  return store;
}

it('gives up what is decoded and far before anything that would have to be fetched again', () => {
  const store = filled(50, 4_000);
  const changed = store.settle(5);
  expect(changed[0]).toBe(49);
  expect(store.bytes).toBeLessThanOrEqual(4_000);
  expect(store.frame(5)).toBeDefined();
  expect(store.frame(49)).toBeUndefined();
  expect(store.has(49)).toBe(true);
});

it('gives up the farthest when even code streams are too much, the place that is looked at never', () => {
  const store = filled(100, 1_000);
  store.settle(99);
  expect(store.has(0)).toBe(false);
  expect(store.frame(99)).toBeDefined();
  const small = filled(1, 50);
  expect(small.settle(0)).toEqual([]);
  expect(small.frame(0)).toBeDefined();
});

it('has room for what is nearer than what it would give up', () => {
  const store = new FrameStore(200);
  for (let place = 0; place < 10; place += 1) store.keepCoded(place, coded);
  expect(store.hasRoom(10, 9)).toBe(true); // place 0 is farther from 9
  expect(store.hasRoom(30, 9)).toBe(false);
  expect(store.isWanted(12, 9, 100)).toBe(true);
  expect(store.isWanted(40, 9, 100)).toBe(false);
});

it('counts what is replaced and dropped', () => {
  const store = filled(2, 1_000);
  store.keepFrame(0, frame);
  store.keepCoded(0, coded);
  expect(store.bytes).toBe(240);
  store.drop(0);
  store.drop(7);
  expect(store.bytes).toBe(120);
});
