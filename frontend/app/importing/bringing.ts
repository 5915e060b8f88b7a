/** Files of an import on their way: they go to the import, and what becomes of them is told on its page. */

import { imports } from '../api/imports';
import type { Picked, PickedFile } from '../upload/entries';
import { startUpload } from '../upload/upload.svelte';
import { named } from './empty';

/** What a browser has recorded of a way through a portal, by its name: recipes are made of it, images are not in it. */
export const isRecording = ({ name }: Pick<Picked, 'name'>): boolean => /\.har$/i.test(name);

/** Brings files to an import that has begun. */
export function bring(picked: Picked, id: string): void {
  const empty: string[] = [];
  const files = noted(picked.files, ({ path, file }) => file.size === 0 && empty.push(path));
  const done = (to: string, lacking: readonly string[]): Promise<unknown> => imports.done(to, lacking).catch((cause: unknown) => Promise.reject(named(cause, empty)));
  startUpload({ ...picked, files }, { create: () => Promise.resolve({ id }), announce: imports.announce, fileUrl: imports.fileUrl, done, read: null });
}

async function* noted(files: AsyncIterable<PickedFile>, note: (one: PickedFile) => void): AsyncGenerator<PickedFile> {
  for await (const one of files) {
    note(one);
    yield one;
  }
}
