/** The volume room's tools and keys, in one table for the bar, the keyboard and the help. */

import type { Key } from '../i18n/en';
import type { IconName } from '../parts/icons';
import { presetsFor, type Preset } from '$viewer/presets';
import type { RoomState, RoomTool } from '$viewer/volume/look';
import { PLANES, type PlaneName } from '$viewer/volume/planes';
import { STEPS } from '$viewer/marks/caret';
import type { VolumeRoom } from '$viewer/volume/room';

export interface ToolEntry {
  tool: RoomTool;
  icon: IconName;
  label: Key;
  key: string;
}

export const tools: readonly ToolEntry[] = [
  { tool: 'cross', icon: 'cross', label: 'volume.tool.cross', key: 'c' },
  { tool: 'scroll', icon: 'scroll', label: 'tool.scroll', key: 's' },
  { tool: 'window', icon: 'window', label: 'tool.window', key: 'w' },
  { tool: 'zoom', icon: 'zoom', label: 'tool.zoom', key: 'z' },
  { tool: 'pan', icon: 'pan', label: 'tool.pan', key: 'p' },
  { tool: 'length', icon: 'measure', label: 'volume.tool.length', key: 'l' },
  { tool: 'angle', icon: 'angle', label: 'volume.tool.angle', key: 'a' },
];

export const layouts = ['quad', ...PLANES, 'space'] as const;
export type Layout = (typeof layouts)[number];

export const otherKeys: readonly { keys: readonly (string | { name: Key })[]; label: Key }[] = [
  { keys: ['↑', '↓'], label: 'volume.keys.planes' },
  { keys: [{ name: 'key.pageUp' }, { name: 'key.pageDown' }], label: 'keys.tens' },
  { keys: [{ name: 'key.space' }], label: 'keys.cine' },
  { keys: ['V'], label: 'volume.keys.panes' },
  { keys: ['[', ']'], label: 'volume.keys.slab' },
  { keys: ['T'], label: 'volume.lines' },
  { keys: ['1', '…', '9'], label: 'volume.keys.presets' },
  { keys: ['0'], label: 'keys.ownWindow' },
  { keys: ['I'], label: 'tool.invert' },
  { keys: ['+', '−'], label: 'keys.zoom' },
  { keys: ['F'], label: 'volume.keys.fit' },
  { keys: ['R'], label: 'volume.keys.reset' },
  { keys: ['←', '↑', '→', '↓'], label: 'volume.keys.crossMoves' },
  { keys: [{ name: 'key.shift' }, '+', '←', '↑', '→', '↓'], label: 'volume.keys.crossFar' },
  { keys: [{ name: 'key.enter' }, { name: 'key.space' }], label: 'volume.keys.crossSets' },
  { keys: ['⌫'], label: 'keys.crossBack' },
  { keys: ['<', '>'], label: 'volume.keys.step' },
  { keys: [{ name: 'key.delete' }, '⌫'], label: 'volume.keys.remove' },
  { keys: [{ name: 'key.control' }, '+', 'Z'], label: 'marks.undo' },
  { keys: [{ name: 'key.control' }, '+', { name: 'key.shift' }, '+', 'Z', '/', { name: 'key.control' }, '+', 'Y'], label: 'marks.redo' },
  { keys: ['?'], label: 'keys.help' },
  { keys: [{ name: 'key.escape' }], label: 'volume.close' },
];

export interface KeyTarget {
  room: VolumeRoom;
  state: RoomState;
  modality: string;
  /** The plane last touched. */
  plane: PlaneName;
  onNextLayout: () => void;
  onCine: () => void;
  onHelp: () => void;
  onClose: () => void;
}

const TENS = 10;
const SLAB_STEPS = [0, 1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 80, 120] as const;

function thicker(thickness: number, way: number): number {
  if (way > 0) return SLAB_STEPS.find((step) => step > thickness) ?? thickness;
  return SLAB_STEPS.findLast((step) => step < thickness) ?? 0;
}

/** Windows that the volume's scale of values gives a meaning to, as the keys 1 … 9 have them. */
export function presetsIn({ body }: RoomState, modality: string): readonly Preset[] {
  const [, , , most = 0] = body?.spread ?? [];
  return presetsFor(modality, { suvFactor: body?.suvFactor ?? null, most });
}

const WAYS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};

/** A key that moves the cross over a plane, however it is held: fine with Ctrl or Alt, far with Shift. */
export const movesCross = (event: KeyboardEvent, room: VolumeRoom | null): boolean => event.key in WAYS && room?.caret.plane != null;

/** Does what a key says to the cross over a plane; tells whether it said anything. */
function pressCrossKey(event: KeyboardEvent, { room: { caret }, plane }: KeyTarget): boolean {
  if (caret.plane !== plane) caret.show(plane);
  const way = WAYS[event.key];
  const step = STEPS[event.shiftKey ? 'large' : event.ctrlKey || event.altKey ? 'fine' : 'usual'];
  if (way) caret.move(way[0] * step, way[1] * step);
  else if (event.key === 'Backspace') return caret.back();
  else if (event.key === 'Escape') return caret.escape();
  else if (event.key !== 'Enter' && event.key !== ' ') return false;
  else if (!event.repeat) caret.set();
  return true;
}

/** Goes through what is measured, the first after the last. */
function stepMeasure(room: VolumeRoom, by: number): void {
  const { measuring } = room;
  const all = measuring.all.toSorted((one, other) => one.id.localeCompare(other.id));
  const now = all.findIndex(({ id }) => id === measuring.selected);
  const next = all.at(now < 0 && by > 0 ? 0 : (Math.max(now, 0) + by) % all.length);
  if (!next) return;
  room.goTo(next.points);
  measuring.select(next.id);
}

/** Does what a key says; tells whether it said anything. */
export function pressKey(event: KeyboardEvent, target: KeyTarget): boolean {
  const { room, state, plane } = target;
  if (room.caret.plane !== null && pressCrossKey(event, target)) return true;
  const slab = (way: number): void => room.setSlab(state.slab.mode, thicker(state.slab.thickness, way));
  const moves: Record<string, () => void> = {
    ArrowDown: () => room.scroll(plane, 1),
    ArrowUp: () => room.scroll(plane, -1),
    PageDown: () => room.scroll(plane, TENS),
    PageUp: () => room.scroll(plane, -TENS),
    '+': () => room.zoom(plane, 1.25),
    '-': () => room.zoom(plane, 0.8),
    '<': () => stepMeasure(room, -1),
    '>': () => stepMeasure(room, 1),
    '[': () => slab(-1),
    ']': () => slab(1),
    '0': () => room.change({ window: null }),
    t: () => room.change({ lines: !state.lines }),
    i: () => room.change({ invert: !state.invert }),
    f: () => room.fit(),
    r: () => room.reset(),
    Delete: () => room.removeMeasure(),
    Backspace: () => room.removeMeasure(),
    v: target.onNextLayout,
    ' ': target.onCine,
    '?': target.onHelp,
    Escape: target.onClose,
  };
  const tool = tools.find(({ key }) => key === event.key.toLowerCase());
  const move = moves[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  const preset = /^[1-9]$/.test(event.key) ? presetsIn(state, target.modality)[Number(event.key) - 1] : undefined;
  if (move) move();
  else if (tool) {
    room.setTool(tool.tool);
    if (tool.tool === 'length' || tool.tool === 'angle') room.caret.take(plane);
  } else if (preset) room.change({ window: preset });
  else return false;
  return true;
}
