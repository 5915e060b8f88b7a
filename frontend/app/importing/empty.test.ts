import { expect, it } from 'vitest';
import { ApiProblem } from '../api/client';
import { named } from './empty';

it('names the files that hold nothing where that is all that came', () => {
  const nothing = new ApiProblem(409, 'import-nothing-brought', '');
  expect(named(nothing, ['a.zip'])).toMatchObject({ code: 'import-all-empty', facts: { names: 'a.zip', count: 1 } });
  expect(named(nothing, [...'abcdefg'])).toMatchObject({ facts: { names: 'a; b; c; d; e; …', count: 7 } });
  expect(named(nothing, [])).toBe(nothing);
  const other = new ApiProblem(409, 'import-moved-on', '');
  expect(named(other, ['a.zip'])).toBe(other);
});
