import { describe, expect, it } from 'vitest';
import type { InstanceRow } from '../api/types';
import { Stack } from './stack';

const CT = '1.2.840.10008.5.1.4.1.1.2.1';
const of = (id: string, frames: number, order: number[] | null = null): InstanceRow =>
  ({ id, viewable: true, frames, frame_order: order, sop_class_uid: CT, transfer_syntax: '' }) as unknown as InstanceRow;

describe('a stack', () => {
  it('comes to the frames of an object in the order in which they lie', () => {
    const stack = new Stack([of('a', 2), of('b', 3, [3, 1, 2])]);
    const seen = [0, 1, 2, 3, 4].map((place) => stack.at(place)).map((one) => `${one?.instance.id}${one?.frame}`);
    expect(seen).toEqual(['a1', 'a2', 'b3', 'b1', 'b2']);
    for (const place of [0, 1, 2, 3, 4]) {
      const { instance, frame } = stack.at(place) ?? { instance: of('', 0), frame: 0 };
      expect(stack.placeOf(instance.id, frame)).toBe(place);
    }
    expect(stack.address(2)).toContain('b/frames/3');
  });
});
