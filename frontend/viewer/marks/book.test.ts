import { expect, it } from 'vitest';
import { MarkBook } from './book';
import type { MarkContent } from './mark';

const PICTURE = { instanceId: 'a', frame: 0 };

function content(text: string, instance_id = PICTURE.instanceId): MarkContent {
  return { kind: 'length', instance_id, frame: 0, points: [[0, 0], [3, 4]], text, values: [] };
}

it('a picture’s marks stay in the order in which they were made, whatever changes of them', () => {
  const book = new MarkBook({ me: { id: 'me', name: 'Reader' } });
  book.mayMark = true;
  const [first, second] = [book.add(content('first')), book.add(content('second'))];
  const texts = () => book.on(PICTURE).map((one) => one.text);
  book.complete(first.id, [{ name: 'length', value: 5, unit: 'mm' }]);
  expect(texts()).toEqual(['first', 'second']);
  book.take(first.id, { ...first, revision: 1, text: 'saved' });
  book.change(first.id, { text: 'changed' });
  expect(texts()).toEqual(['changed', 'second']);
  book.change(second.id, { instance_id: 'b' });
  expect([texts(), book.on({ instanceId: 'b', frame: 0 }).map((one) => one.id)]).toEqual([['changed'], [second.id]]);
  book.remove(first.id);
  expect([texts(), book.all.length]).toEqual([[], 1]);
});
