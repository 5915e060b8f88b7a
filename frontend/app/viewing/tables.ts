/** VOI tables of the objects in a pane. One is chosen by its place among its object's; no object is seen through another's. */

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

/** The tables at one place of all objects of a stack, each read when it is first looked at. */
class SamePlace {
  readonly #known = new Map<string, Window | null>();

  constructor(
    readonly place: number,
    readonly stack: Stack,
    readonly onCome: () => void,
  ) {}

  async read(picture: StackPicture): Promise<Window | null> {
    this.#known.set(picture.instance.id, null); // as it comes, until its own is here
    const found = await read(picture, this.place);
    this.#known.set(picture.instance.id, found);
    return found && { ...found, on: this.#on };
  }

  #on = (at: number): Window | null => {
    const picture = this.stack.at(at);
    if (!picture) return null;
    const known = this.#known.get(picture.instance.id);
    if (known === undefined) void attemptQuietly(() => this.read(picture).then(this.onCome));
    return known ?? null;
  };
}

/** Takes the table at a place of the picture on screen; on the other objects of the series their own of that place counts. */
export async function takeTable(place: number, { picture, stack, viewer }: RoomPane): Promise<void> {
  if (!picture || !viewer) return;
  const tables = new SamePlace(place, stack, () => viewer.repaint());
  await viewer.awaitWindow(tables.read(picture));
}
