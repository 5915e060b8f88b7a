/**
 * A small part of Markdown as blocks to be shown: headings, paragraphs, lists, bold, links. There is no HTML in it and none
 * comes out of it: what is not understood stays as it was written. Links lead to http(s) and mail addresses alone.
 */

export type Span = { kind: 'text' | 'bold'; text: string } | { kind: 'link'; text: string; href: string };
export type Block = { kind: 'heading'; level: 2 | 3; spans: Span[] } | { kind: 'paragraph'; spans: Span[] } | { kind: 'list'; items: Span[][] };

const INLINE = /\*\*([^*\n]+)\*\*|\[([^\][\n]+)\]\(((?:https?:\/\/|mailto:)[^\s()]+)\)|(https?:\/\/[^\s<>()"]*[^\s<>()".,;:!?])/g;

export function spansOf(text: string): Span[] {
  const spans: Span[] = [];
  let end = 0;
  for (const found of text.matchAll(INLINE)) {
    const [whole, bold, name, address, bare] = found;
    if (found.index > end) spans.push({ kind: 'text', text: text.slice(end, found.index) });
    if (bold !== undefined) spans.push({ kind: 'bold', text: bold });
    else if (name !== undefined && address !== undefined) spans.push({ kind: 'link', text: name, href: address });
    else if (bare !== undefined) spans.push({ kind: 'link', text: bare, href: bare });
    end = found.index + whole.length;
  }
  if (end < text.length) spans.push({ kind: 'text', text: text.slice(end) });
  return spans;
}

export function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let lines: string[] = [];
  let items: Span[][] = [];

  function finish(): void {
    if (lines.length) blocks.push({ kind: 'paragraph', spans: spansOf(lines.join(' ')) });
    if (items.length) blocks.push({ kind: 'list', items });
    lines = [];
    items = [];
  }

  for (const line of text.split(/\r?\n/).map((one) => one.trim())) {
    const heading = /^(#{1,3}) +(.+)$/.exec(line);
    const item = /^[-*] +(.+)$/.exec(line);
    if (heading?.[1] && heading[2]) {
      finish();
      blocks.push({ kind: 'heading', level: heading[1].length === 1 ? 2 : 3, spans: spansOf(heading[2]) });
    } else if (item?.[1]) {
      if (lines.length) finish();
      items.push(spansOf(item[1]));
    } else if (!line) {
      finish();
    } else {
      if (items.length) finish();
      lines.push(line);
    }
  }
  finish();
  return blocks;
}
