/** Frames on their way: code streams put together with their facts, coarse pictures, what a line is worth. */

import { describe, expect, it } from 'vitest';
import type { Picture } from './decoding/messages';
import { FrameDamaged, frameOfPicture, probe, readFrame, storedValue, type FrameFacts } from './frame';
import { Link } from './link';

const facts: FrameFacts = {
  rows: 4,
  columns: 4,
  samples: 1,
  bits_allocated: 16,
  bits_stored: 12,
  signed: true,
  photometric: 'MONOCHROME2',
  coding: 'htj2k',
};

function picture(given: Partial<Picture>): Picture {
  const whole = { width: 4, height: 4, components: 1, wordBits: 16, signed: true } as const;
  const shape = { ...whole, ...given };
  const words = new ArrayBuffer(shape.width * shape.height * shape.components * (shape.wordBits / 8));
  return { words, ...shape };
}

describe('a decoded code stream', () => {
  it('is the frame when it has all rows and columns, and a coarse picture when it has fewer', () => {
    expect(frameOfPicture(facts, picture({})).coarse).toBe(false);
    const coarse = frameOfPicture(facts, picture({ width: 2, height: 2 }));
    expect([coarse.coarse, coarse.rows, coarse.columns, coarse.facts.rows]).toEqual([true, 2, 2, 4]);
    expect(probe(coarse, 1, 1)).toBeNull(); // what a pixel measures is not known yet
  });

  it('keeps signs when its words are shorter than the samples', () => {
    const words = new Int8Array([-1, 5, -128, 127, ...Array<number>(12).fill(0)]).buffer;
    const frame = frameOfPicture(facts, picture({ words, wordBits: 8 }));
    expect([0, 1, 2, 3].map((column) => probe(frame, column, 0))).toEqual([-1, 5, -128, 127]);
  });

  it('keeps to the range of its values while it is coarse, where it overshoots', () => {
    const words = new Int16Array([2100, -2100, 5, -1]).buffer;
    const coarse = frameOfPicture(facts, picture({ words, width: 2, height: 2 }));
    expect([...coarse.samples].map(storedValue(facts))).toEqual([2047, -2048, 5, -1]);
    const plain = { ...facts, signed: false };
    const white = new Uint16Array([4100, 4095, 0, 7]).buffer;
    const light = frameOfPicture(plain, picture({ words: white, width: 2, height: 2, signed: false }));
    expect([...light.samples]).toEqual([4095, 4095, 0, 7]);
  });

  it('is refused when it is of another kind than its facts say', () => {
    expect(() => frameOfPicture(facts, picture({ components: 3 }))).toThrow(FrameDamaged);
    expect(() => frameOfPicture({ ...facts, bits_allocated: 8 }, picture({}))).toThrow(FrameDamaged);
    expect(() => frameOfPicture(facts, picture({ words: new ArrayBuffer(3) }))).toThrow(FrameDamaged);
    expect(() => frameOfPicture(facts, picture({ width: 8, height: 8 }))).toThrow(FrameDamaged);
  });
});

it('takes coarse samples for what they are', () => {
  const frame = readFrame({ ...facts, coding: 'raw', coarse: [2, 2] }, new ArrayBuffer(8));
  expect([frame.coarse, frame.rows, frame.samples.length]).toEqual([true, 2, 4]);
});

it('counts a line as slow until frames came fast', () => {
  const link = new Link();
  expect(link.isSlow).toBe(true);
  link.note(1_000, 0.01); // too little to tell
  expect(link.isSlow).toBe(true);
  link.note(500_000, 4);
  expect(link.isSlow).toBe(false);
  for (let frame = 0; frame < 20; frame += 1) link.note(500_000, 400);
  expect(link.isSlow).toBe(true);
});
