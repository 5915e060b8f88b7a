import { expect, test } from 'vitest';
import { readFrame } from '../frame';
import { paint, plainly, setOutputMap } from '../grey';

test('a picture that leaves does not carry the correction of one display', () => {
  const facts = { rows: 1, columns: 4, samples: 1, bits_allocated: 8, bits_stored: 8, signed: false, photometric: 'MONOCHROME2' };
  const frame = readFrame(facts, Uint8Array.of(0, 80, 160, 255).buffer);
  const voi = { window: { center: 128, width: 256 }, invert: false };
  const painted = (): number[] => {
    const words = new Uint32Array(4);
    paint(frame, plainly(voi), words);
    return [...words];
  };
  const before = painted();
  setOutputMap(new Uint8Array(256).fill(7));
  expect(painted()).toEqual(before);
  setOutputMap(null);
  expect(before.map((word) => word & 255)).toEqual([0, 80, 160, 255]);
});
