/** The volume room's tools and keys, in one table for the bar, the keyboard and the help. */

import type { Key } from '../i18n/en';
import type { IconName } from '../parts/icons';
import { presetsFor, type Preset } from '$viewer/presets';
import type { PaneName, RoomState, RoomTool } from '$viewer/volume/look';
import { PLANES, type PlaneName } from '$viewer/volume/planes';
import { NEXT_HANDLE_KEY, NEXT_MARK_KEY, PREVIOUS_HANDLE_KEY, PREVIOUS_MARK_KEY } from '$viewer/marks/keys';
import { STEPS } from '$viewer/marks/caret';
import { NUDGES } from '$viewer/volume/choosing';
import type { VolumeRoom } from '$viewer/volume/room';
import { straighten, turnBy } from '$viewer/volume/turning';

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
  { keys: ['N'], label: 'volume.keys.nextPane' },
  { keys: ['[', ']'], label: 'volume.keys.slab' },
  { keys: ['T'], label: 'volume.lines' },
  { keys: ['1', '…', '9'], label: 'volume.keys.presets' },
  { keys: ['0'], label: 'keys.ownWindow' },
  { keys: ['I'], label: 'tool.invert' },
  { keys: ['+', '−'], label: 'keys.zoom' },
  { keys: ['F'], label: 'volume.keys.fit' },
  { keys: ['R'], label: 'volume.keys.reset' },
  { keys: ['D'], label: 'volume.keys.turn' },
  { keys: ['←', '→'], label: 'volume.keys.turnPlanes' },
  { keys: ['←', '↑', '→', '↓'], label: 'volume.keys.turnSpace' },
  { keys: [{ name: 'key.home' }], label: 'volume.keys.straight' },
  { keys: ['←', '↑', '→', '↓'], label: 'volume.keys.crossMoves' },
  { keys: [{ name: 'key.shift' }, '+', '←', '↑', '→', '↓'], label: 'volume.keys.crossFar' },
  { keys: [{ name: 'key.enter' }, { name: 'key.space' }], label: 'volume.keys.crossSets' },
  { keys: ['⌫'], label: 'keys.crossBack' },
  { keys: [PREVIOUS_MARK_KEY, NEXT_MARK_KEY], label: 'volume.keys.step' },
  { keys: [NEXT_HANDLE_KEY, PREVIOUS_HANDLE_KEY], label: 'volume.keys.handle' },
  { keys: ['←', '↑', '→', '↓'], label: 'volume.keys.handleMoves' },
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
  /** What keys turn: that plane, or the third dimension. */
  pane: PaneName;
  onNextPane: () => void;
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

/** An arrow key that moves or turns something, however it is held: fine with Ctrl or Alt, far with Shift. */
export const movesByArrows = (event: KeyboardEvent, room: VolumeRoom | null): boolean =>
  event.key in WAYS && room !== null && (room.caret.plane !== null || room.look.turning || room.choosing.handle !== null);

/** Does what a key says to what was chosen of a measure; tells whether it said anything. */
function pressHandleKey(event: KeyboardEvent, { room: { choosing }, plane }: KeyTarget): boolean {
  const way = WAYS[event.key];
  const step = NUDGES[event.shiftKey ? 'large' : 'usual'];
  if (way) choosing.nudge(way[0] * step, way[1] * step, plane);
  else return event.key === 'Escape' && choosing.leave();
  return true;
}

/** Does what a key says while arrow keys turn what is in hand; tells whether it said anything. */
function pressTurningKey(event: KeyboardEvent, { room, pane }: KeyTarget): boolean {
  const way = WAYS[event.key];
  if (way) return turnBy(room, pane, way, event.shiftKey ? 'large' : 'usual');
  if (event.key !== 'Escape') return false;
  room.setTurning(false);
  return true;
}

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

/** Does what a key says; tells whether it said anything. */
export function pressKey(event: KeyboardEvent, target: KeyTarget): boolean {
  const { room, state, plane } = target;
  const { choosing } = room;
  if (choosing.handle !== null && pressHandleKey(event, target)) return true;
  if (room.look.turning && pressTurningKey(event, target)) return true;
  if (room.caret.plane !== null && pressCrossKey(event, target)) return true;
  const slab = (way: number): void => room.setSlab(state.slab.mode, thicker(state.slab.thickness, way));
  const moves: Record<string, () => void> = {
    ArrowDown: () => room.scroll(plane, 1),
    ArrowUp: () => room.scroll(plane, -1),
    PageDown: () => room.scroll(plane, TENS),
    PageUp: () => room.scroll(plane, -TENS),
    '+': () => room.zoom(plane, 1.25),
    '-': () => room.zoom(plane, 0.8),
    [PREVIOUS_MARK_KEY]: () => choosing.step(-1),
    [NEXT_MARK_KEY]: () => choosing.step(1),
    [PREVIOUS_HANDLE_KEY]: () => choosing.stepHandle(-1),
    [NEXT_HANDLE_KEY]: () => choosing.stepHandle(1),
    Home: () => straighten(room, target.pane),
    '[': () => slab(-1),
    ']': () => slab(1),
    '0': () => room.change({ window: null }),
    t: () => room.change({ lines: !state.lines }),
    i: () => room.change({ invert: !state.invert }),
    f: () => room.fit(),
    r: () => room.reset(),
    d: () => room.setTurning(!state.turning),
    Delete: () => choosing.remove(),
    Backspace: () => choosing.remove(),
    n: target.onNextPane,
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
