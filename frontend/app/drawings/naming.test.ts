/** Drawings are told apart in the list before one is shown. */

import { expect, it } from 'vitest';
import { nameOf, whereOver } from './naming';

it('names structure sets that are labelled alike by their series', () => {
  const named = ['CT_mask', 'PET_mask'].map((description) => nameOf({ label: 'RTstruct' }, { description }, 'Structures'));
  expect(named).toEqual(['RTstruct · CT_mask', 'RTstruct · PET_mask']);
  expect(nameOf({ label: 'Plan A' }, { description: 'Plan A' }, 'Structures')).toBe('Plan A');
  expect(nameOf({ label: '' }, undefined, 'Structures')).toBe('Structures');
});

it('is over a series that it names, and tells what only lies in its space', () => {
  const drawn = { over: ['ct', 'pet'], drawn_on: ['ct'] };
  expect(['ct', 'pet', 'mr'].map((one) => whereOver(drawn, one))).toEqual(['here', 'space', 'elsewhere']);
  expect(whereOver({ over: ['ct'], drawn_on: [] }, 'ct')).toBe('here'); // it names no series, only the space
  expect(whereOver({ over: [], drawn_on: [] }, 'ct')).toBe('unknown');
});
