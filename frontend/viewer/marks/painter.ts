/** Paints the marks of one picture: lines first, then handles, then labels where they cover the least. */

import type { Seen } from '../layer';
import type { Handle } from './book';
import { COLOURS, drawFlag, drawHandles, drawLabel, drawShape, labelSize, type LabelLook, type Pen } from './draw';
import { linesOf, onPane, type Box } from './hit';
import { keptIn, leader, placed, type Line } from './label';
import { isSound, type Mark, type Spot } from './mark';
import { scaleOf } from './measure';
import { plus } from './shapes';
import { initials, labelLines, type MarkWords } from './words';

/** A mark as it is to be painted. */
export interface Painted {
  mark: Mark;
  own: boolean;
  selected: boolean;
  hovered: boolean;
  /** It is being made: its outline may be open, and not all of its points may be there. */
  draft: boolean;
  handle: Handle | null;
}

export interface Scene {
  marks: readonly Painted[];
  words: MarkWords;
  /** Which side each label stood on the last time; kept up here. */
  sides: Map<string, string>;
  coarse: boolean;
}

const ALL_LINES = 600; // of other marks' that a label keeps off; more cost too much time for each picture

function lookOf({ own, selected, hovered, handle }: Painted): LabelLook {
  return { colour: own ? COLOURS.own : COLOURS.other, strong: selected || hovered, own, held: handle === 'label' };
}

const onScreen = (mark: Mark, seen: Seen): Line[] =>
  linesOf(mark).map(([from, to]) => [onPane(seen, from), onPane(seen, to)] as const);

function linesFor(painted: Painted, seen: Seen, scene: Scene): string[] {
  const full = painted.selected || painted.hovered;
  const lines = labelLines(painted.mark, scaleOf(painted.mark, seen.frame), scene.words, full || painted.draft);
  return painted.own || !full || lines.length === 0 ? lines : [...lines, initials(painted.mark)];
}

/** Those being worked on come last and so lie on top. */
const depth = ({ selected, hovered, draft, own }: Painted): number =>
  (draft ? 8 : 0) + (selected ? 4 : 0) + (hovered ? 2 : 0) + (own ? 1 : 0);

/** Paints and tells where each label stands. */
export function paintMarks(pen: Pen, seen: Seen, scene: Scene): Map<string, Box> {
  const drawn = scene.marks.filter((one) => one.draft || isSound(one.mark)).sort((one, other) => depth(one) - depth(other));
  const boxes = new Map<string, Box>();
  for (const one of drawn) {
    if (one.mark.kind === 'key') boxes.set(one.mark.id, drawFlag(pen, seen, lookOf(one)));
    else drawShape(pen, one.mark, seen, lookOf(one), one.draft);
  }
  for (const one of drawn) {
    const gripped = one.selected || (one.hovered && !scene.coarse);
    if (gripped && !one.draft) drawHandles(pen, one.mark, seen, lookOf(one).colour, one.handle, scene.coarse);
  }
  const lines = drawn.flatMap(({ mark }) => onScreen(mark, seen)).slice(0, ALL_LINES);
  for (const one of [...drawn].reverse()) paintLabel(pen, seen, scene, one, lines, boxes);
  return boxes;
}

function paintLabel(pen: Pen, seen: Seen, scene: Scene, painted: Painted, lines: readonly Line[], boxes: Map<string, Box>): void {
  const { mark } = painted;
  const said = linesFor(painted, seen, scene);
  const all = mark.points.filter(Boolean).map((one) => onPane(seen, one));
  const points = mark.kind === 'arrow' ? all.slice(-1) : all; // what the arrow points at stays free
  if (said.length === 0 || points.length === 0) return;
  const size = labelSize(pen, said);
  const box = boxFor(painted, seen, scene, size, points, lines, [...boxes.values()]);
  boxes.set(mark.id, box);
  const ends = mark.kind === 'arrow' ? [] : onScreen(mark, seen);
  drawLabel(pen, box, said, leader(box, ends, points), lookOf(painted));
}

function boxFor(
  { mark }: Painted, seen: Seen, scene: Scene, size: { width: number; height: number },
  points: readonly Spot[], lines: readonly Line[], boxes: readonly Box[],
): Box {
  const put = mark.label;
  const first = mark.points[0];
  if (put && first) {
    const [x, y] = onPane(seen, plus(first, put));
    return keptIn({ x: x - size.width / 2, y: y - size.height / 2, ...size }, seen.pane);
  }
  const { box, name } = placed(size, points, { pane: seen.pane, boxes, lines }, scene.sides.get(mark.id));
  scene.sides.set(mark.id, name);
  return box;
}
