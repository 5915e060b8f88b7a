import { expect, test } from 'vitest';
import { inPage, stepped, written } from './places';

const SIZE = { width: 1280, height: 900 };

test('a click on a smaller picture is one in the page, and never beside it', () => {
  const box = { left: 10, top: 20, width: 640, height: 450 };
  expect(written([inPage({ clientX: 110, clientY: 70 }, box, SIZE), inPage({ clientX: 900, clientY: 0 }, box, SIZE)])).toBe('200,100 1279,0');
});

test('the aim begins in the middle, moves by keys, and stays in the page', () => {
  const middle = stepped(undefined, 'ArrowUp', 10, SIZE);
  expect(middle).toEqual({ x: 640, y: 450 });
  expect(stepped(middle, 'ArrowRight', 10, SIZE)).toEqual({ x: 650, y: 450 });
  expect(stepped({ x: 3, y: 3 }, 'ArrowLeft', 10, SIZE)).toEqual({ x: 0, y: 3 });
  expect(stepped(middle, 'Enter', 10, SIZE)).toBeUndefined();
});
