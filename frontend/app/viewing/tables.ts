/** VOI tables of the frames in a pane. One is chosen by its place among its frame's; none is seen through another's. */

import { get } from '../api/client';
import { t } from '../i18n/index.svelte';
import { attemptQuietly } from '../state/notices.svelte';
import { tableWindow, type Window } from '$viewer/grey';
import type { RoomPane } from './room-pane.svelte';
import type { Stack, StackPicture } from './stack';

interface NamedTable {
  name: string;
  first: number | null;
  bits: number | null;
  data: string | null;
}

/** Names the table at a place of an object. */
export const tableId = (instanceId: string, place: number): string => `${instanceId} table${place + 1}`;

async function read({ instance, frame }: StackPicture, place: number): Promise<Window | null> {
  const address = `/api/instances/${encodeURIComponent(instance.id)}/frames/${frame}/tables`;
  const found = (await get<{ tables: NamedTable[] }>(address)).tables[place];
  if (!found || found.first === null || found.bits === null || found.data === null) return null;
  const { name, first, bits, data } = found;
  return tableWindow({ first, bits, data }, tableId(instance.id, place), name || t('preset.table', { n: place + 1 }));
}

/** Runs of US, XA, XRF and NM: they have no functional groups, so all frames have the object's tables. */
const SHARED: ReadonlySet<string> = new Set(['3.1', '12.1', '12.2', '20'].map((of) => `1.2.840.10008.5.1.4.1.1.${of}`));

/** Names whose tables a frame has: those of an enhanced object may have some each (PS3.3 C.7.6.16.2.10b). */
const ownerOf = ({ instance, frame }: StackPicture): string =>
  SHARED.has(instance.sop_class_uid) ? instance.id : `${instance.id} ${frame}`;

/** The tables at one place of all frames of a stack, each read when it is first looked at. */
class SamePlace {
  readonly #known = new Map<string, Window | null>();

  constructor(
    readonly place: number,
    readonly stack: Stack,
    readonly onCome: () => void,
  ) {}

  async read(picture: StackPicture): Promise<Window | null> {
    this.#known.set(ownerOf(picture), null); // as it comes, until its own is here
    const found = await read(picture, this.place);
    this.#known.set(ownerOf(picture), found);
    return found && { ...found, on: this.#on };
  }

  #on = (at: number): Window | null => {
    const picture = this.stack.at(at);
    if (!picture) return null;
    const known = this.#known.get(ownerOf(picture));
    if (known === undefined) void attemptQuietly(() => this.read(picture).then(this.onCome));
    return known ?? null;
  };
}

/** Takes the table at a place of the picture on screen; on the others of the series their own of that place counts. */
export async function takeTable(place: number, { picture, stack, viewer }: RoomPane): Promise<void> {
  if (!picture || !viewer) return;
  const tables = new SamePlace(place, stack, () => viewer.repaint());
  await viewer.awaitWindow(tables.read(picture));
}
