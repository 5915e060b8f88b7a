/** Takes what a picture can be looked at with: windows, tables of the object, wider and narrower, inverted. */

import { formatNumber, t, tCode } from '../i18n/index.svelte';
import { attempt } from '../state/notices.svelte';
import type { FrameFacts } from '$viewer/frame';
import { initialWindow } from '$viewer/grey';
import { entriesFor, scaled, type Entry } from '$viewer/presets';
import type { Start } from '$viewer/starting';
import type { ViewerState } from '$viewer/viewer';
import type { RoomPane } from './room-pane.svelte';
import type { StackPicture } from './stack';
import { tableId, takeTable } from './tables';

export function nameOf({ key, name, own }: Entry): string {
  if (own === 0) return tCode('preset', key, key);
  if (name) return name;
  return t(key.startsWith('table') ? 'preset.table' : 'preset.another', { n: own });
}

/** Width and middle of a window entry. */
export function numbersOf({ deed }: Entry): string {
  return deed.does === 'window' ? `${rounded(deed.window.width)} / ${rounded(deed.window.center)}` : '';
}

/** As many digits as tell windows apart. */
export function rounded(value: number): string {
  return formatNumber(Number(value.toPrecision(4)), Math.abs(value) >= 100 ? 0 : 3);
}

/** Whether a picture is looked at with an entry now. */
export function isUsed({ deed }: Entry, state: ViewerState, picture: StackPicture | undefined): boolean {
  if (deed.does === 'invert') return state.invert;
  const { window, chosen, asSent } = state;
  if (deed.does === 'sent' || asSent) return deed.does === 'sent' && asSent;
  if (!chosen || !window) return false;
  if (deed.does === 'table') return picture !== undefined && window.curve?.id === tableId(picture.instance.id, deed.place);
  return deed.does === 'window' && !window.curve && deed.window.center === window.center && deed.window.width === window.width;
}

/** What the first entry of the list is: as sent only if anything was. */
export function startText(start: Start | null, facts?: FrameFacts): { name: string; of: string } {
  if (start?.by !== 'object') return { name: t('preset.default'), of: start?.by === 'scale' ? tCode('preset', start.key, start.key) : '' };
  return { name: t('preset.sent'), of: (facts?.voi_lut ? facts.voi_tables?.[0] : facts?.windows?.[0]?.name) ?? '' };
}

/** A step that is taken again and again, so that the list stays. */
export const isStep = ({ deed }: Entry): boolean => deed.does === 'scale' || deed.does === 'invert';

export async function take(entry: Entry, pane: RoomPane, state: ViewerState): Promise<void> {
  const { viewer } = pane;
  const { deed } = entry;
  if (deed.does === 'window') viewer?.setWindow(deed.window);
  else if (deed.does === 'sent') viewer?.setAsSent();
  else if (deed.does === 'invert') viewer?.setInvert(!state.invert);
  else if (deed.does === 'scale') {
    const from = state.window?.curve ? null : state.window;
    if (state.frame) viewer?.setWindow(scaled(from ?? initialWindow(state.frame), deed.factor));
  } else await attempt(() => takeTable(deed.place, pane));
}

/** Takes what a key 1 … 9 stands for; tells nothing where it stands for none. */
export function takeDigit(digit: number, pane: RoomPane, modality: string): void {
  const state = pane.view;
  const entry = state && entriesFor(modality, state.frame).find((one) => one.digit === digit);
  if (entry) void take(entry, pane, state);
}
