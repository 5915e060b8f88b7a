/** The attributes of one object, or of two beside one another, as a tree that is searched, folded and compared. */

import type { HeaderRow } from '../api/contents';

export interface Node {
  /** Where it stands: tags and items' places from 0, as the server takes them. */
  path: string;
  depth: number;
  /** Of the first and of the second object; one of them may lack it. */
  one: HeaderRow | null;
  other: HeaderRow | null;
  differs: boolean;
  children: Node[];
}

export interface Wanted {
  text: string;
  differences: boolean;
  folded: ReadonlySet<string>;
}

interface Branch {
  row: HeaderRow;
  children: Branch[];
}

function grown(rows: readonly HeaderRow[]): Branch[] {
  const top: Branch[] = [];
  const open: Branch[][] = [top];
  for (const row of rows) {
    const branch: Branch = { row, children: [] };
    open.length = row.depth + 1;
    open[row.depth]?.push(branch);
    open.push(branch.children);
  }
  return top;
}

const keyOf = (row: HeaderRow): string => row.tag || String(Number(row.value) - 1);

/** Whether what is written differs; of bulk and of long values the server's mark tells, else their length. */
function unlike(one: HeaderRow, other: HeaderRow): boolean {
  if (one.vr !== other.vr || one.count !== other.count) return true;
  if (one.mark && other.mark) return one.mark !== other.mark;
  if (one.tag && one.vr === 'SQ') return false; // what is in it tells
  return one.value !== other.value || one.length !== other.length;
}

function joined(ones: readonly Branch[], others: readonly Branch[] | null, above: string, depth: number): Node[] {
  const second = new Map(others?.map((branch) => [keyOf(branch.row), branch]));
  const found = ones.map((branch) => {
    const key = keyOf(branch.row);
    const match = second.get(key) ?? null;
    second.delete(key);
    return node(branch, match, others !== null, above + key, depth);
  });
  if (second.size === 0) return found;
  for (const [key, branch] of second) found.push(node(null, branch, true, above + key, depth));
  return found.sort((one, other) => order(one) - order(other));
}

function order(node: Node): number {
  const row = node.one ?? node.other;
  return row?.tag ? parseInt(row.tag, 16) : Number(row?.value ?? 0);
}

function node(one: Branch | null, other: Branch | null, compared: boolean, path: string, depth: number): Node {
  const children = joined(one?.children ?? [], compared ? (other?.children ?? []) : null, `${path}/`, depth + 1);
  const own = compared && (one === null || other === null || unlike(one.row, other.row));
  return { path, depth, one: one?.row ?? null, other: other?.row ?? null, differs: own || children.some((child) => child.differs), children };
}

/** Puts one object's rows into a tree, and another's beside them. */
export function treeOf(rows: readonly HeaderRow[], others: readonly HeaderRow[] | null): Node[] {
  return joined(grown(rows), others && grown(others), '', 0);
}

/** A tag as people type it: without parentheses, commas and spaces. */
const bare = (text: string): string => text.replace(/[(),\s]/g, '').toLowerCase();

function meets(row: HeaderRow | null, text: string, tag: string): boolean {
  if (!row) return false;
  if (tag && row.tag.toLowerCase().includes(tag)) return true;
  return [row.name, row.keyword, row.creator, row.tag ? row.value : ''].some((one) => one.toLowerCase().includes(text));
}

/** The rows to show, in order: what is searched for with what stands around it, else what is not folded away. */
export function visible(nodes: readonly Node[], { text, differences, folded }: Wanted): Node[] {
  const wanted = text.trim().toLowerCase();
  const tag = /^[0-9a-fx]{3,8}$/.test(bare(wanted)) ? bare(wanted) : '';
  const found: Node[] = [];
  const enter = (all: readonly Node[], within: boolean): boolean => {
    let any = false;
    for (const one of all) {
      if (differences && !one.differs) continue;
      const hit = within || wanted === '' || meets(one.one, wanted, tag) || meets(one.other, wanted, tag);
      const at = found.length;
      found.push(one);
      const open = wanted !== '' || !folded.has(one.path);
      const inside = open ? enter(one.children, within || (wanted !== '' && hit)) : false; // what is in a sequence that was found, too
      if (hit || inside) any = true;
      else found.length = at;
    }
    return any;
  };
  enter(nodes, false);
  return found;
}

/** The paths of all sequences and items that can be folded, below a depth. */
export function foldable(nodes: readonly Node[], from = 0): string[] {
  return nodes.flatMap((one) => (one.children.length > 0 ? [...(one.depth >= from ? [one.path] : []), ...foldable(one.children, from)] : []));
}

export const tagText = (tag: string): string => (tag ? `(${tag.slice(0, 4)},${tag.slice(4)})` : '');
