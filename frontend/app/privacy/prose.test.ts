import { describe, expect, it } from 'vitest';
import { blocksOf, spansOf } from './prose';

describe('prose', () => {
  it('reads headings, paragraphs and lists', () => {
    const blocks = blocksOf('# Terms\nBe **kind**\nto all.\n\n- one\n- two\nlast');
    expect(blocks.map(({ kind }) => kind)).toEqual(['heading', 'paragraph', 'list', 'paragraph']);
    expect(blocks[1]).toEqual({
      kind: 'paragraph',
      spans: [{ kind: 'text', text: 'Be ' }, { kind: 'bold', text: 'kind' }, { kind: 'text', text: ' to all.' }],
    });
  });

  it('links to web and mail addresses alone', () => {
    expect(spansOf('[us](https://a.example/x) https://b.example.')).toEqual([
      { kind: 'link', text: 'us', href: 'https://a.example/x' },
      { kind: 'text', text: ' ' },
      { kind: 'link', text: 'https://b.example', href: 'https://b.example' },
      { kind: 'text', text: '.' },
    ]);
    for (const bad of ['[x](javascript:alert(1))', '[x](data:text/html,1)', '<script>alert(1)</script>']) {
      expect(spansOf(bad)).toEqual([{ kind: 'text', text: bad }]);
    }
  });
});
