/** The viewer's tools and keys, in one table for the toolbar, the keyboard and the help. */

import type { Key } from '../i18n/en';
import type { IconName } from '../parts/icons';
import type { ImageViewer } from '$viewer/viewer';
import type { Tool } from '$viewer/steering';

export interface ToolEntry {
  tool: Tool;
  icon: IconName;
  label: Key;
  key: string;
  /** On a phone's bar, too; on a screen's bar; or in the menu alone. */
  place: 'phone' | 'bar' | 'menu';
}

export const tools: readonly ToolEntry[] = [
  { tool: 'scroll', icon: 'scroll', label: 'tool.scroll', key: 's', place: 'phone' },
  { tool: 'window', icon: 'window', label: 'tool.window', key: 'w', place: 'phone' },
  { tool: 'zoom', icon: 'zoom', label: 'tool.zoom', key: 'z', place: 'bar' },
  { tool: 'pan', icon: 'pan', label: 'tool.pan', key: 'p', place: 'bar' },
  { tool: 'lens', icon: 'lens', label: 'tool.lens', key: 'l', place: 'bar' },
  { tool: 'turn', icon: 'turn', label: 'tool.turn', key: 'd', place: 'menu' },
];

export interface CommandEntry {
  name: 'invert' | 'fit' | 'one' | 'reset' | 'left' | 'right' | 'mirror' | 'flip';
  icon: IconName;
  label: Key;
  key: string;
  place: 'phone' | 'bar' | 'menu';
  run: (viewer: ImageViewer, inverted: boolean) => void;
}

export const commands: readonly CommandEntry[] = [
  { name: 'invert', icon: 'invert', label: 'tool.invert', key: 'i', place: 'bar', run: (viewer, inverted) => viewer.setInvert(!inverted) },
  { name: 'fit', icon: 'fit', label: 'tool.fit', key: 'f', place: 'bar', run: (viewer) => viewer.fit() },
  { name: 'one', icon: 'one', label: 'tool.one', key: 'o', place: 'bar', run: (viewer) => viewer.oneToOne() },
  { name: 'reset', icon: 'reset', label: 'tool.reset', key: 'r', place: 'bar', run: (viewer) => viewer.reset() },
  { name: 'left', icon: 'left90', label: 'tool.left', key: ',', place: 'menu', run: (viewer) => viewer.turn({ angle: -90 }) },
  { name: 'right', icon: 'right90', label: 'tool.right', key: '.', place: 'menu', run: (viewer) => viewer.turn({ angle: 90 }) },
  { name: 'mirror', icon: 'mirror', label: 'tool.mirror', key: 'h', place: 'menu', run: (viewer) => viewer.turn({ mirror: true }) },
  { name: 'flip', icon: 'flip', label: 'tool.flip', key: 'v', place: 'menu', run: (viewer) => viewer.turn({ mirror: true, angle: 180 }) },
];

/** Keys as the help names them: signs as they are, keys with a name by that name in the reader's language. */
export interface KeyRow {
  keys: readonly (string | { name: Key })[];
  label: Key;
}

export const otherKeys: readonly KeyRow[] = [
  { keys: ['↑', '↓'], label: 'keys.scroll' },
  { keys: [{ name: 'key.pageUp' }, { name: 'key.pageDown' }], label: 'keys.tens' },
  { keys: [{ name: 'key.home' }, { name: 'key.end' }], label: 'keys.ends' },
  { keys: ['←', '→'], label: 'keys.series' },
  { keys: [{ name: 'key.shift' }, '+', '←', '↑', '→', '↓'], label: 'keys.window' },
  { keys: ['←', '→'], label: 'keys.turn' },
  { keys: [{ name: 'key.home' }], label: 'keys.upright' },
  { keys: ['1', '…', '9'], label: 'keys.presets' },
  { keys: ['0'], label: 'keys.ownWindow' },
  { keys: ['+', '−'], label: 'keys.zoom' },
  { keys: [{ name: 'key.space' }], label: 'keys.cine' },
  { keys: ['N'], label: 'keys.nextPane' },
  { keys: ['E'], label: 'keys.alone' },
  { keys: ['K'], label: 'keys.link' },
  { keys: ['X'], label: 'keys.texts' },
  { keys: ['T'], label: 'keys.header' },
  { keys: ['?'], label: 'keys.help' },
  { keys: [{ name: 'key.escape' }], label: 'keys.close' },
];

const WINDOW_STEP = 12;
const TURN_STEPS = { usual: 1, large: 10 } as const; // degrees

export interface KeyTarget {
  viewer: ImageViewer;
  inverted: boolean;
  /** Degrees that the picture is turned by. */
  angle: number;
  playing: boolean;
  count: number;
  onPreset: (place: number) => void;
  onSeries: (step: number) => void;
  onTool: (tool: Tool) => void;
  onPane: (step: number) => void;
  onAlone: () => void;
  onLink: () => void;
  onTexts: () => void;
  onHeader: () => void;
  onHelp: () => void;
}

function shifted(event: KeyboardEvent, viewer: ImageViewer): boolean {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!way) return false;
  viewer.dragWindow((way[0] ?? 0) * WINDOW_STEP, (way[1] ?? 0) * WINDOW_STEP);
  return true;
}

/** Turns the picture while the tool that does is in hand. */
function turned(event: KeyboardEvent, { viewer, angle }: KeyTarget): boolean {
  if (viewer.tool !== 'turn') return false;
  const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (way) viewer.turn({ angle: way * TURN_STEPS[event.shiftKey ? 'large' : 'usual'] });
  else if (event.key === 'Home') viewer.turn({ angle: -angle });
  else return false;
  return true;
}

/** Does what a key says; tells whether it said anything. */
export function pressKey(event: KeyboardEvent, target: KeyTarget): boolean {
  const { viewer } = target;
  if (turned(event, target)) return true;
  if (event.shiftKey && shifted(event, viewer)) return true;
  const moves: Record<string, () => void> = {
    ArrowDown: () => viewer.scroll(1),
    ArrowUp: () => viewer.scroll(-1),
    PageDown: () => viewer.scroll(10),
    PageUp: () => viewer.scroll(-10),
    Home: () => viewer.go(0),
    End: () => viewer.go(target.count - 1),
    ArrowRight: () => target.onSeries(1),
    ArrowLeft: () => target.onSeries(-1),
    '+': () => viewer.zoom(1.25),
    '-': () => viewer.zoom(0.8),
    '0': () => viewer.setWindow(null),
    ' ': () => (target.playing ? viewer.pause() : viewer.play()),
    n: () => target.onPane(1),
    e: target.onAlone,
    k: target.onLink,
    x: target.onTexts,
    t: target.onHeader,
    '?': target.onHelp,
  };
  const tool = tools.find(({ key }) => key === event.key.toLowerCase());
  const command = commands.find(({ key }) => key === event.key.toLowerCase());
  const move = moves[event.key] ?? moves[event.key.toLowerCase()];
  if (move) move();
  else if (tool) target.onTool(tool.tool);
  else if (command) command.run(viewer, target.inverted);
  else if (/^[1-9]$/.test(event.key)) target.onPreset(Number(event.key) - 1);
  else return false;
  return true;
}
