import { expect, it } from 'vitest';
import { placesOf } from './film-places';

it('counts frames as the server told until the browser knows how long the film is', () => {
  for (const unknown of [NaN, 0, Infinity]) {
    expect(placesOf({ rate: null, frames: 75 }, unknown, 0)).toEqual({ rate: 25, frames: 75, frame: 1 });
  }
  expect(placesOf(undefined, NaN, NaN)).toEqual({ rate: 25, frames: 1, frame: 1 });
  expect(placesOf({ rate: null, frames: 75 }, 2.5, 1)).toEqual({ rate: 30, frames: 75, frame: 31 });
  expect(placesOf({ rate: 25, frames: 75 }, 3, 3)).toEqual({ rate: 25, frames: 75, frame: 75 });
});
